package esl

import (
	"bytes"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"testing"

	recordingfile "github.com/genesis-esl/genesis/internal/recording"
)

// FuzzLines holds indexing in bulk to indexing line by line.
func FuzzLines(f *testing.F) {
	f.Add(recordedBody(f, "../testdata/transcripts/c_event_plain_all.bin.gz"))
	f.Add(strings.Repeat("a\n", 100))
	f.Add(strings.Repeat("\n", 100))
	f.Add(strings.Repeat(":", 200) + "\n" + strings.Repeat("x", 63) + "\n\r\nbody: b\n")
	f.Add(strings.Repeat("x: "+strings.Repeat("y", 59)+"\n", 9) + "z: no line break")
	f.Add("\nbody")
	for n := 60; n < 70; n++ {
		line := strings.Repeat("n", n)
		f.Add(line + "\n\n" + line + "\n\n")
		f.Add(line + "\n\r" + line + "\n\t" + line + "\n\r\n" + line)
	}
	for n := 28; n < 36; n++ {
		f.Add(strings.Repeat("n", n) + ": " + strings.Repeat("v", 64-n) + "\n" + strings.Repeat("N", n) + ":\n\n")
	}
	f.Fuzz(checkLines)
}

// TestLinesBeyond64KB indexes text whose offsets take more than 16 bits, and such that only just does not.
func TestLinesBeyond64KB(t *testing.T) {
	line := "Name: " + strings.Repeat("v", 1017) + "\n"
	for _, n := range []int{63, 64, 65} {
		text := strings.Repeat(line, n)
		checkLines(t, text)
		checkLines(t, text[1:])
		checkLines(t, "x"+text)
	}
}

func checkLines(t *testing.T, text string) {
	t.Helper()
	bulk, single := new(block), new(block)
	bulk.init([]byte(text), plainEncoded)
	single.init([]byte(text), plainEncoded)
	if seeks && !slices.Equal(bulk.buf, []byte(text)) {
		t.Fatalf("the copy is %q", bulk.buf)
	}
	end := bulk.end
	w := single.writer(noTag)
	for !w.oneLine() {
	}
	if n := bulk.index(); n != w.count || bulk.end != single.end {
		t.Fatalf("%d headers and the end at %d, line by line %d and %d", n, bulk.end, w.count, single.end)
	}
	if seeks && end != single.end {
		t.Fatalf("the headers end at %d, line by line at %d", end, single.end)
	}
	single.known.store(w.count, w.at, true)
	for i := range w.count {
		off := single.offset(i)
		if bulk.offset(i) != off {
			t.Fatalf("header %d starts at %d, line by line at %d", i, bulk.offset(i), off)
		}
		line, _, _ := strings.Cut(text[off:], "\n")
		if name, _, ok := strings.Cut(line, ":"); ok && name != "" && bulk.marks[i] != tagOf(name) {
			t.Fatalf("the tag of %q is %d, of its name %d", line, bulk.marks[i], tagOf(name))
		}
	}
}

// recordedBodies yields the bodies of a recording's events.
func recordedBodies(tb testing.TB, path string) iter.Seq[[]byte] {
	data, err := recordingfile.Read(path)
	if err != nil {
		tb.Fatal(err)
	}
	return func(yield func([]byte) bool) {
		for d := NewDecoder(bytes.NewReader(data), Limits{}); ; {
			switch frame, err := d.Next(); {
			case err == io.EOF:
				return
			case err != nil:
				tb.Fatal(err)
			case frame.Type != FrameEventPlain && frame.Type != FrameEventJSON && frame.Type != FrameEventXML:
			case !yield(frame.Body()):
				return
			}
		}
	}
}

// recordedBody returns the body of the first event of a recording.
func recordedBody(tb testing.TB, path string) string {
	for body := range recordedBodies(tb, path) {
		return string(body)
	}
	tb.Fatalf("no event in %s", path)
	return ""
}

// TestLinesAreFoundOneByOne looks for each header in an event that is not indexed yet.
func TestLinesAreFoundOneByOne(t *testing.T) {
	text := strings.TrimRight(recordedBody(t, "../testdata/transcripts/c_event_plain_all.bin.gz"), "\n") + "\n"
	for i := range 2 * firstLines {
		text += fmt.Sprintf("variable_%d: %d\n", i, i)
	}
	all := newEvent([]byte(text), plainEncoded)
	all.index()
	for name := range all.Headers() {
		e := newEvent([]byte(text), plainEncoded)
		if got, want := newEvent([]byte(text), plainEncoded).Get(strings.ToLower(name)), all.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
		number := all.find(name, 0) + 1
		if got := e.find(strings.ToLower(name), 0) + 1; got != number {
			t.Errorf("%s is number %d, want %d", name, got, number)
		}
		want := max(number, firstLines)
		if seeks {
			want = all.Len()
		}
		if n, _, _ := e.known.load(); n != want {
			t.Errorf("%d headers were indexed to find %s, which is number %d, want %d", n, name, number, want)
		}
		if got := e.Len(); got != all.Len() {
			t.Errorf("%d headers, want %d", got, all.Len())
		}
	}
}
