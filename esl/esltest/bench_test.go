package esltest_test

import (
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/genesis-esl/genesis/esl/esltest"
)

// BenchmarkCall is a whole call, from its creation to its end, with and without
// somebody who gets all its events.
func BenchmarkCall(b *testing.B) {
	for _, listeners := range []int{0, 1, 4} {
		b.Run(fmt.Sprintf("listeners=%d", listeners), func(b *testing.B) {
			srv := esltest.NewServer()
			defer srv.Close()
			for range listeners {
				conn, err := net.Dial("tcp", srv.Addr())
				if err != nil {
					b.Fatal(err)
				}
				defer conn.Close()
				io.WriteString(conn, "auth ClueCon\n\nevent plain ALL\n\n")
				go io.Copy(io.Discard, conn)
			}
			b.ReportAllocs()
			for b.Loop() {
				call, err := srv.Call(b.Context(), esltest.CallConfig{Actions: []esltest.Action{{App: "answer"}, {App: "set", Data: "a=b"}}})
				if err != nil {
					b.Fatal(err)
				}
				if err := call.WaitEnded(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
