package esl_test

import (
	"bytes"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/genesis-esl/genesis/esl"
	recordingfile "github.com/genesis-esl/genesis/internal/recording"
)

// TestReencodeRecordings decodes every event of every recording and encodes it
// again: the bytes must be FreeSWITCH's own.
func TestReencodeRecordings(t *testing.T) {
	files, err := filepath.Glob("../testdata/transcripts/*.bin*")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recordings: %v", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(strings.TrimSuffix(filepath.Base(file), ".gz"), ".bin")
		t.Run(name, func(t *testing.T) {
			events := 0
			dec := esl.NewDecoder(openRecording(t, file), esl.Limits{})
			for {
				frame, err := dec.Next()
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				format, ok := strings.CutPrefix(frame.Get("Content-Type"), "text/event-")
				if !ok {
					continue
				}
				f, err := esl.ParseFormat(format)
				if err != nil {
					t.Fatal(err)
				}
				events++
				want := bytes.Clone(frame.Body())
				ev, err := esl.ParseEvent(f, want)
				if err != nil {
					t.Fatal(err)
				}
				got := reencode(f, ev)
				if !bytes.Equal(got, want) {
					t.Fatalf("event %d, %s:\n got %s\nwant %s", events, ev.Name(), got, want)
				}
			}
			t.Logf("%d events", events)
		})
	}
}

func reencode(f esl.Format, ev *esl.Event) []byte {
	var headers []esl.Header
	for name, value := range ev.Headers() {
		headers = append(headers, esl.Header{Name: name, Value: value})
	}
	if n := len(headers); ev.Body() != "" && n > 0 && headers[n-1].Name == "Content-Length" {
		headers = headers[:n-1] // AppendEvent adds it
	}
	frame := esl.AppendEvent(nil, f, headers, ev.Body())
	_, body, _ := bytes.Cut(frame, []byte("\n\n"))
	return body
}

func openRecording(t *testing.T, file string) io.Reader {
	t.Helper()
	raw, err := recordingfile.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.NewReader(raw)
}
