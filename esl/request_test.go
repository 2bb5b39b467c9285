package esl_test

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/genesis-esl/genesis/esl"
)

func TestRequestReaderReadsOddFraming(t *testing.T) {
	const input = "\n\n\r\napi eval a\n\n" +
		"api eval crlf\r\n\r\n" +
		"sendevent CUSTOM\nEvent-Subclass: my::sub\nX-Lead:    spaces   \nx-lower:nospace\nno colon\nContent-Length: 5\n\nab\x00cd" +
		"exit\n\n"
	want := []string{"api eval a", "api eval crlf", "sendevent CUSTOM", "exit"}
	for name, r := range map[string]io.Reader{
		"whole":      strings.NewReader(input),
		"byte wise":  iotest.OneByteReader(strings.NewReader(input)),
		"small read": bufio.NewReaderSize(strings.NewReader(input), 16),
	} {
		t.Run(name, func(t *testing.T) {
			rr := esl.NewRequestReader(r, esl.Limits{})
			for i, line := range want {
				req, err := rr.Next()
				if err != nil {
					t.Fatalf("request %d: %v", i, err)
				}
				if req.Line != line {
					t.Errorf("request %d: line %q, want %q", i, req.Line, line)
				}
				if i == 2 {
					if got := string(req.Body); got != "ab\x00cd" {
						t.Errorf("body %q", got)
					}
					if got := req.Get("x-lead"); got != "spaces   " {
						t.Errorf("X-Lead %q", got)
					}
					if len(req.Headers) != 4 {
						t.Errorf("headers %v", req.Headers)
					}
				}
			}
			if _, err := rr.Next(); err != io.EOF {
				t.Errorf("at the end: %v, want io.EOF", err)
			}
		})
	}
}

func TestRequestReaderRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		input  string
		limits esl.Limits
		want   error
	}{
		"negative length":  {"api eval x\nContent-Length: -1\n\n", esl.Limits{}, esl.ErrBadRequest},
		"no number":        {"api eval x\nContent-Length: ten\n\n", esl.Limits{}, esl.ErrBadRequest},
		"over 16 MiB":      {"api eval x\nContent-Length: 16777217\n\n", esl.Limits{}, esl.ErrBadRequest},
		"body cut short":   {"api eval x\nContent-Length: 10\n\nabc", esl.Limits{}, io.ErrUnexpectedEOF},
		"header cut short": {"api eval x\nA: b", esl.Limits{}, io.ErrUnexpectedEOF},
		"long command":     {strings.Repeat("x", 200) + "\n\n", esl.Limits{Header: 100}, esl.ErrFrameTooLarge},
		"many headers":     {"api\n" + strings.Repeat("a: b\n", 50), esl.Limits{Header: 100}, esl.ErrFrameTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := esl.NewRequestReader(strings.NewReader(tc.input), tc.limits).Next()
			if !errors.Is(err, tc.want) {
				t.Errorf("got %v, want %v", err, tc.want)
			}
		})
	}
}

func TestRequestReaderTellsWhatIsPending(t *testing.T) {
	rr := esl.NewRequestReader(strings.NewReader("api eval one\n\nexit\n\napi eval"), esl.Limits{})
	for i, want := range []bool{true, false} {
		if _, err := rr.Next(); err != nil {
			t.Fatal(err)
		}
		if got := rr.Pending(); got != want {
			t.Errorf("after request %d: pending %v, want %v", i, got, want)
		}
	}
}
