package esl_test

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/genesis-esl/genesis/esl"
)

// refRequests reads commands in the plainest way there is: lines up to an empty
// one. It stops behind the first that announces a body, which table tests cover.
func refRequests(data string) (requests []esl.Request) {
	for {
		var r esl.Request
		for {
			line, rest, ok := strings.Cut(data, "\n")
			if !ok {
				return requests
			}
			data = rest
			line = strings.TrimSuffix(line, "\r")
			if line == "" && r.Line != "" {
				break
			}
			if r.Line == "" {
				r.Line = line
			} else if name, value, ok := strings.Cut(line, ":"); ok && name != "" {
				r.Headers = append(r.Headers, esl.Header{Name: name, Value: strings.TrimLeft(value, " ")})
			}
		}
		requests = append(requests, r)
		if r.Get("Content-Length") != "" {
			return requests
		}
	}
}

// FuzzRequestReader holds the reader of commands to the reference, whole and byte
// by byte.
func FuzzRequestReader(f *testing.F) {
	f.Add([]byte("\n\r\napi status\n\nsendevent X\nA:  b\nno colon\r\n\r\nexit\n\n"))
	f.Add([]byte("sendmsg\nContent-Length: 3\n\nabcapi x\n\n"))
	f.Add([]byte("api x\nContent-Length: -3\n\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		want := refRequests(string(data))
		for _, r := range []io.Reader{bytes.NewReader(data), iotest.OneByteReader(bytes.NewReader(data))} {
			reader := esl.NewRequestReader(r, esl.Limits{Header: 1 << 20, Body: 1 << 16})
			for i := 0; ; i++ {
				got, err := reader.Next()
				if err != nil {
					if i < len(want) && want[i].Get("Content-Length") == "" {
						t.Fatalf("request %d: %v, want %q", i, err, want[i])
					}
					break
				}
				if i >= len(want) {
					if len(want) == 0 || want[len(want)-1].Get("Content-Length") == "" {
						t.Fatalf("request %d is %q, want none", i, got)
					}
					break
				}
				if got.Line != want[i].Line || !slices.Equal(got.Headers, want[i].Headers) {
					t.Fatalf("request %d: %q %q, want %q", i, got.Line, got.Headers, want[i])
				}
			}
		}
	})
}
