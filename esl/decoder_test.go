package esl_test

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"github.com/genesis-esl/genesis/esl"
)

// TestDecodeAnyReads reads recordings in pieces of many sizes, so that a read ends
// at every place in a frame: the frames must not depend on it.
func TestDecodeAnyReads(t *testing.T) {
	for _, name := range []string{"c_event_plain_all", "d_event_json_all", "g_log7", "m_heartbeat", "n_framing_misc"} {
		data := recording(t, name)
		data = data[:min(len(data), 60_000)]
		want := frames(bytes.NewReader(data))
		for _, size := range []int{1, 2, 3, 5, 7, 52, 1000, 4096, 65536} {
			t.Run(fmt.Sprintf("%s/%d", name, size), func(t *testing.T) {
				got := frames(&pieces{data, size})
				if len(got) != len(want) {
					t.Fatalf("%d frames, want %d", len(got), len(want))
				}
				for i := range got {
					if got[i] != want[i] {
						t.Fatalf("frame %d is %q, want %q", i, got[i], want[i])
					}
				}
			})
		}
	}
}

// frames returns the frames that r holds, and the error that ends them.
func frames(r io.Reader) (all []string) {
	for d := esl.NewDecoder(r, esl.Limits{}); ; {
		f, err := d.Next()
		if err != nil {
			return append(all, err.Error())
		}
		all = append(all, f.Type.String()+" "+string(f.Raw))
	}
}

// pieces is a reader of so many bytes at a time.
type pieces struct {
	data []byte
	size int
}

func (p *pieces) Read(b []byte) (int, error) {
	n := copy(b, p.data[:min(p.size, len(p.data))])
	p.data = p.data[n:]
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}
