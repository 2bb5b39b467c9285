package esl_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/genesis-esl/genesis/esl"
	recordingfile "github.com/genesis-esl/genesis/internal/recording"
)

const transcripts = "../testdata/transcripts"

// recording returns the bytes of a recording in testdata.
func recording(tb testing.TB, name string) []byte {
	tb.Helper()
	path := filepath.Join(transcripts, name+".bin")
	data, err := recordingfile.Read(path)
	if errors.Is(err, fs.ErrNotExist) {
		data, err = recordingfile.Read(path + ".gz")
	}
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

func recordings(tb testing.TB) []string {
	tb.Helper()
	paths, err := filepath.Glob(filepath.Join(transcripts, "*.txt"))
	if err != nil || len(paths) < 30 {
		tb.Fatalf("recordings: %d found, %v", len(paths), err)
	}
	for i, path := range paths {
		paths[i] = strings.TrimSuffix(filepath.Base(path), ".txt")
	}
	return paths
}

// listed is a line of the frame list in a recording's .txt.
type listed struct {
	offset, header, body int
	contentType, note    string
}

var listLine = regexp.MustCompile(`^ +[\d.]+ @(\d+) +(\d+) +(\d+) +(\S+) *(.*)$`)

func frameList(tb testing.TB, name string) []listed {
	tb.Helper()
	f, err := os.Open(filepath.Join(transcripts, name+".txt"))
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	var frames []listed
	inList := false
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "## frames") {
			inList = true
		}
		m := listLine.FindStringSubmatch(lines.Text())
		if !inList || m == nil {
			continue
		}
		offset, _ := strconv.Atoi(m[1])
		header, _ := strconv.Atoi(m[2])
		body, _ := strconv.Atoi(m[3])
		frames = append(frames, listed{offset, header, body, m[4], strings.TrimSpace(m[5])})
	}
	return frames
}

// TestRecordingsDecode holds the decoder to every recording: each frame where the
// list says that it is, of the kind it says, nothing left over.
func TestRecordingsDecode(t *testing.T) {
	for _, name := range recordings(t) {
		t.Run(name, func(t *testing.T) {
			data := recording(t, name)
			want := frameList(t, name)
			d := esl.NewDecoder(bytes.NewReader(data), esl.Limits{})
			offset := 0
			for i, w := range want {
				f, err := d.Next()
				if err != nil {
					t.Fatalf("frame %d: %v", i, err)
				}
				if f.Type.String() != w.contentType || offset != w.offset || len(f.Raw)-len(f.Body()) != w.header || len(f.Body()) != w.body {
					t.Fatalf("frame %d: %v at %d, %d+%d bytes; want %+v", i, f.Type, offset, len(f.Raw)-len(f.Body()), len(f.Body()), w)
				}
				offset += len(f.Raw)
				checkFrame(t, i, f, w)
			}
			if _, err := d.Next(); err != io.EOF || offset != len(data) {
				t.Fatalf("after the last frame: %v, %d of %d bytes read", err, offset, len(data))
			}
		})
	}
}

// checkFrame compares what a frame says with the note in the list.
func checkFrame(t *testing.T, i int, f esl.Frame, w listed) {
	t.Helper()
	e, err := f.Event()
	if err != nil {
		t.Fatalf("frame %d: %v", i, err)
	}
	switch f.Type {
	case esl.FrameEventPlain, esl.FrameEventJSON, esl.FrameEventXML:
		// The list's own reader gave up on the invalid UTF-8 in p_weird_vars_json.
		if name, _, _ := strings.Cut(w.note, " "); e.Name() != name && name != "BAD" {
			t.Errorf("frame %d: event %q, want %q", i, e.Name(), name)
		}
		if e.Len() < 8 || e.Get("Core-UUID") == "" || e.Sequence() == 0 || e.Timestamp().IsZero() {
			t.Errorf("frame %d: %v lacks what every event has", i, e)
		}
		// Of two inner Content-Lengths the last is true (j_sendevent_plain, the body
		// with a NUL); the list names the first.
		// XML has the true one outside the headers.
		if lengths := e.Values("Content-Length"); len(lengths) > 0 && f.Type != esl.FrameEventXML {
			if n, _ := strconv.Atoi(lengths[len(lengths)-1]); len(e.Body()) != n {
				t.Errorf("frame %d: body of %d bytes, want %d: %q", i, len(e.Body()), n, e.Body())
			}
		}
	case esl.FrameLog:
		if e.Name() != "LOG" || e.Get("Log-Level") == "" || e.Body() == "" {
			t.Errorf("frame %d: %v %q is no log line", i, e, e.Body())
		}
	case esl.FrameCommandReply:
		r := f.Reply()
		want := strings.ReplaceAll(w.note, "%2BOK%0A", "+OK")
		if r.Text() != want {
			t.Errorf("frame %d: reply %q, want %q", i, r.Text(), want)
		}
	case esl.FrameAPIResponse:
		if r := f.Reply(); len(r.Body()) != w.body {
			t.Errorf("frame %d: output of %d bytes, want %d", i, len(r.Body()), w.body)
		}
	}
}
