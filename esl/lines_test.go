package esl

import (
	"bytes"
	"fmt"
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
	w := indexWriter{block: single, until: noTag}
	for !w.oneLine() {
	}
	if n := bulk.index(); n != w.count || bulk.end != single.end {
		t.Fatalf("%d headers and the end at %d, line by line %d and %d", n, bulk.end, w.count, single.end)
	}
	single.known.store(w.count, w.at, true)
	for i := range w.count {
		off := single.offset(i)
		if bulk.offset(i) != off {
			t.Fatalf("header %d starts at %d, line by line at %d", i, bulk.offset(i), off)
		}
		line, _, _ := strings.Cut(text[off:], "\n")
		if name, _, ok := strings.Cut(line, ":"); ok && name != "" && bulk.buf[len(text)+i] != tagOf(name) {
			t.Fatalf("the tag of %q is %d, of its name %d", line, bulk.buf[len(text)+i], tagOf(name))
		}
	}
}

// FuzzLookup holds looking up quickly to looking up.
func FuzzLookup(f *testing.F) {
	body := recordedBody(f, "../testdata/transcripts/c_event_plain_all.bin.gz")
	f.Add(body, "Channel-State")
	f.Add(strings.Repeat("Name: a%20b\n", 70)+"Last: 1\n\n", "last")
	f.Add("Name:x\nEmpty: \nBare:\nCR: v\r\nNo colon\n"+strings.Repeat("n", 32)+": "+strings.Repeat("v", 64), "bare")
	f.Add("Name: "+strings.Repeat("v", 63)+"\nNaMe: %4", "a:b")
	f.Add("a:b: 1\na: 2\nab: 3\nabc\ndef: 4\n", "abc\ndef")
	f.Fuzz(func(t *testing.T, text, name string) {
		names := []string{name, strings.ToUpper(name)}
		for line := range strings.Lines(text) {
			name, _, _ := strings.Cut(line, ":")
			names = append(names, name, strings.ToLower(name), name+":")
		}
		quick, slow := newEvent([]byte(text), plainEncoded), newEvent([]byte(text), plainEncoded)
		for _, name := range names[:min(len(names), 300)] {
			value, ok := slow.anyLookup(name)
			if got, gotOK := quick.lookup(name); got != value || gotOK != ok {
				t.Fatalf("%q is %q, %v; quickly %q, %v", name, value, ok, got, gotOK)
			}
		}
	})
}

// recordedBody returns the body of the first event of a recording.
func recordedBody(tb testing.TB, path string) string {
	data, err := recordingfile.Read(path)
	if err != nil {
		tb.Fatal(err)
	}
	for d := NewDecoder(bytes.NewReader(data), Limits{}); ; {
		frame, err := d.Next()
		if err != nil {
			tb.Fatal(err)
		}
		if frame.Type == FrameEventPlain {
			return string(frame.Body())
		}
	}
}

// TestLinesAreFoundOneByOne looks for each header in an event that is not indexed yet.
func TestLinesAreFoundOneByOne(t *testing.T) {
	text := strings.TrimRight(recordedBody(t, "../testdata/transcripts/c_event_plain_all.bin.gz"), "\n") + "\n"
	for i := range 2 * firstLines {
		text += fmt.Sprintf("variable_%d: %d\n", i, i)
	}
	all := newEvent([]byte(text), plainEncoded)
	for name := range all.Headers() {
		e := newEvent([]byte(text), plainEncoded)
		if got, want := e.Get(strings.ToLower(name)), all.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
		number := all.find(name, 0) + 1
		if n, _, _ := e.known.load(); n != max(number, firstLines) {
			t.Errorf("%d headers were indexed to find %s, which is number %d", n, name, number)
		}
		if got := e.Len(); got != all.Len() {
			t.Errorf("%d headers, want %d", got, all.Len())
		}
	}
}
