package outbound_test

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/genesis-esl/genesis/call"
	"github.com/genesis-esl/genesis/esl/esltest"
	"github.com/genesis-esl/genesis/outbound"
)

// A server that greets its callers, called by a simulated FreeSWITCH.
func ExampleServer() {
	done := make(chan struct{})
	srv := &outbound.Server{Handler: outbound.HandlerFunc(func(ctx context.Context, s *outbound.Session) error {
		defer close(done)
		if err := s.Answer(ctx); err != nil {
			return err
		}
		played, err := s.Playback(ctx, "tone_stream://%(100,0,440)")
		if err != nil {
			return err
		}
		fmt.Println(s.Get("Caller-Destination-Number"), played.Response, played.Duration)
		return s.Hangup(ctx, call.NormalClearing)
	})}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	go func() { _ = srv.Serve(l) }() // ErrServerClosed, in the end
	defer func() { _ = srv.Close() }()

	fs := esltest.NewServer()
	defer fs.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if _, err := fs.Call(ctx, esltest.CallConfig{To: "5000", Outbound: l.Addr().String()}); err != nil {
		fmt.Println(err)
		return
	}
	<-done
	// Output:
	// 5000 FILE PLAYED 100ms
}
