package esltest_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	recordingfile "github.com/genesis-esl/genesis/internal/recording"

	"github.com/genesis-esl/genesis/esl"
)

const recordings = "../../testdata/transcripts/"

// recording is what a client did on one connection and what FreeSWITCH sent.
type recording struct {
	name  string
	steps []step
	sent  []byte
	// frames are the frames of sent, ends the offsets at which they end.
	frames []frame
	ends   []int
}

// step is one thing the client did once it had received so many bytes.
type step struct {
	offset int
	kind   string // SEND, CLOSE, CLIENTCLOSE, NOTE
	data   string
}

// frame is a frame taken apart for comparison.
type frame struct {
	kind    string // Content-Type
	headers []esl.Header
	body    string
	// event is the event's name, uuid its channel, name the channel's name.
	event, uuid, name, subclass string
	sequence                    int
}

func recordingNames(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(recordings + "*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recordings: %v", err)
	}
	var names []string
	for _, file := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(file), ".txt"))
	}
	return names
}

func loadRecording(t *testing.T, name string) *recording {
	t.Helper()
	text, err := os.ReadFile(recordings + name + ".txt")
	if err != nil {
		t.Fatal(err)
	}
	r := &recording{name: name, sent: loadBytes(t, name)}
	stepLine := regexp.MustCompile(`^ +[\d.]+ +@(\d+) +(SEND|CLOSE|CLIENTCLOSE|NOTE) +(.*)$`)
	for line := range strings.SplitSeq(string(text), "\n") {
		if strings.HasPrefix(line, "## frames") {
			break
		}
		// A single space is written as it is and looks like padding.
		if strings.HasSuffix(line, "SEND         ") {
			line += "\\x20"
		}
		if m := stepLine.FindStringSubmatch(line); m != nil {
			offset, _ := strconv.Atoi(m[1])
			r.steps = append(r.steps, step{offset, m[2], unescapeStep(m[3])})
		}
	}
	r.frames, r.ends = parseFrames(t, r.sent)
	return r
}

func loadBytes(t *testing.T, name string) []byte {
	t.Helper()
	raw, err := recordingfile.Read(recordings + name + ".bin")
	if errors.Is(err, fs.ErrNotExist) {
		raw, err = recordingfile.Read(recordings + name + ".bin.gz")
	}
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// unescapeStep reads \n, \r, \t, \\ and \xNN.
func unescapeStep(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch s[i] {
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 't':
			b.WriteByte('\t')
		case 'x':
			n, _ := strconv.ParseUint(s[i+1:i+3], 16, 8)
			b.WriteByte(byte(n))
			i += 2
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

func parseFrames(t *testing.T, sent []byte) (frames []frame, ends []int) {
	t.Helper()
	counter := &countingReader{r: bytes.NewReader(sent)}
	dec := esl.NewDecoder(counter, esl.Limits{})
	at := 0
	for {
		f, err := dec.Next()
		if err == io.EOF {
			return frames, ends
		}
		if err != nil {
			t.Fatalf("%d frames, then %v", len(frames), err)
		}
		parsed, size := takeApart(f)
		at += size
		frames, ends = append(frames, parsed), append(ends, at)
	}
}

type countingReader struct {
	r io.Reader
}

func (c *countingReader) Read(p []byte) (int, error) { return c.r.Read(p) }

// takeApart copies what is compared out of a decoder's frame, and returns its
// length on the wire.
func takeApart(f esl.Frame) (frame, int) {
	head := string(f.Header())
	body := string(f.Body())
	size := len(strings.TrimRight(head, "\n")) + 2 + len(body)
	out := frame{kind: f.Get("Content-Type")}
	if format, ok := strings.CutPrefix(out.kind, "text/event-"); ok {
		parsed, err := esl.ParseFormat(format)
		if err == nil {
			if ev, err := esl.ParseEvent(parsed, []byte(body)); err == nil {
				out.fromEvent(ev)
				return out, size
			}
		}
	}
	for line := range strings.SplitSeq(strings.TrimRight(head, "\n"), "\n") {
		name, value, _ := strings.Cut(line, ": ")
		if strings.HasPrefix(head, "Event-Name: CHANNEL_DATA") {
			value = percentDecode(value)
		}
		out.headers = append(out.headers, esl.Header{Name: name, Value: value})
	}
	if out.kind == "" {
		out.kind = "command/reply"
	}
	out.body = body
	return out, size
}

func (out *frame) fromEvent(ev *esl.Event) {
	for name, value := range ev.Headers() {
		out.headers = append(out.headers, esl.Header{Name: name, Value: value})
	}
	out.body = ev.Body()
	out.event, out.uuid, out.subclass = ev.Name(), ev.UUID(), ev.Subclass()
	out.name = ev.Get("Channel-Name")
	out.sequence, _ = strconv.Atoi(ev.Get("Event-Sequence"))
}

func percentDecode(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(n))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// label names a frame in reports.
func (f *frame) label() string {
	switch {
	case f.event == "CUSTOM":
		return "CUSTOM " + f.subclass
	case f.event != "":
		return f.event
	}
	for _, h := range f.headers {
		if h.Name == "Reply-Text" {
			return fmt.Sprintf("%s %.40q", f.kind, h.Value)
		}
	}
	return f.kind
}
