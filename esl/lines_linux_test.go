package esl

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"unsafe"
)

// beforeNothing returns memory behind which there is none.
func beforeNothing(t *testing.T) []byte {
	page := os.Getpagesize()
	memory, err := syscall.Mmap(-1, 0, 2*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Munmap(memory) })
	if err := syscall.Mprotect(memory[page:], syscall.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	return memory[:page]
}

// TestNamesAtTheEndOfAPage looks up names behind which there is no memory.
func TestNamesAtTheEndOfAPage(t *testing.T) {
	memory := beforeNothing(t)
	const header = "Channel-State"
	short := newEvent([]byte(header+": CS_EXECUTE\n\n"), plainEncoded)
	long := newEvent([]byte(header+": CS_EXECUTE\nFill: "+strings.Repeat("x", 100)+"\n\n"), plainEncoded)
	for behind := range 2 * tagBytes {
		at := memory[len(memory)-behind-len(header):]
		copy(at, header)
		for _, e := range []*Event{short, long} {
			if got := e.Get(unsafe.String(&at[0], len(header))); got != "CS_EXECUTE" {
				t.Errorf("%q with %d bytes behind the name", got, behind)
			}
		}
	}
	if seeks && long.marks != nil {
		t.Error("an index was made for some names")
	}
}

// TestTextAtTheEndOfAPage copies texts behind which there is no memory, and looks for names in them.
func TestTextAtTheEndOfAPage(t *testing.T) {
	memory := beforeNothing(t)
	all := recordedBody(t, "../testdata/transcripts/c_event_plain_all.bin.gz")
	for size := range 300 {
		text := memory[len(memory)-size:]
		copy(text, all)
		checkLines(t, string(text))
		e := newEvent(text, plainEncoded)
		if !seeks {
			continue
		}
		e.buf = text
		for _, name := range []string{"Event-Name", "n", strings.Repeat("n", 40)} {
			value, ok := newEvent(text, plainEncoded).anyLookup(name)
			if got, gotOK, sure := e.seek(name); sure && (got != value || gotOK != ok) {
				t.Errorf("%q in %d bytes is %q, %v, not %q, %v", name, size, got, gotOK, value, ok)
			}
		}
	}
}

// TestNamesAtTheEndOfAText looks for names that seem to stand where a text ends behind which there
// is no memory.
func TestNamesAtTheEndOfAText(t *testing.T) {
	if !seeks {
		return // an index is what finds names here
	}
	memory := beforeNothing(t)
	for n := 1; n <= 2*tagBytes; n++ {
		name := strings.Repeat("n", n)
		for end, kind := range map[string]dialect{
			"\n" + name + ":": plainEncoded, "\n" + name + ": ": plainEncoded, "\n" + name + ":\n": plainEncoded,
			`,"` + name + `"`: jsonObject, `,"` + name + `"}`: jsonObject, `,"` + name + `":""}`: jsonObject,
		} {
			before := "First: " + strings.Repeat("x", 100)
			if kind == jsonObject {
				before = `{"First":"` + strings.Repeat("x", 100) + `"`
			}
			text := memory[len(memory)-len(before)-len(end):]
			copy(text, before+end)
			e := newEvent(text, kind)
			e.buf = text
			value, ok, sure := e.seek(name)
			if want := strings.Contains(end, ":"); !sure || ok != want || value != "" {
				t.Errorf("%q is %q, %v, sure: %v", end, value, ok, sure)
			}
		}
	}
}
