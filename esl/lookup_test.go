package esl

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// FuzzLookup holds looking up quickly to looking up.
func FuzzLookup(f *testing.F) {
	body := recordedBody(f, "../testdata/transcripts/c_event_plain_all.bin.gz")
	f.Add(body, "Channel-State")
	f.Add(strings.Repeat("Name: a%20b\n", 70)+"Last: 1\n\n", "last")
	f.Add("Name:x\nEmpty: \nBare:\nCR: v\r\nNo colon\n"+strings.Repeat("n", 32)+": "+strings.Repeat("v", 64), "bare")
	f.Add("Name: "+strings.Repeat("v", 63)+"\nNaMe: %4", "a:b")
	f.Add("a:b: 1\na: 2\nab: 3\nabc\ndef: 4\n", "abc\ndef")
	f.Add("a:b: 1\na: 2\nab: 3\nabc\ndef: 4\n"+body, "abc\ndef")
	f.Add("Content-Length: 99\n\n"+body, "Event-Name")
	f.Add("Content-Type: command/reply\nReply-Text: -ERR one\ntwo\nthree\nEnd: 1\r\n\r\nthe body\n", "Reply-Text")
	f.Add("Content-Length: 99\r\n\r\n"+body, "Event-Name")
	for n := 30; n < 70; n += 3 {
		name := strings.Repeat("n", n/2) + strings.Repeat("m", n-n/2)
		f.Add(strings.ToUpper(name)+":"+name+"\n"+name+": %20"+name+"\r\nn: "+body+name+": ", name)
	}
	f.Add("Hangup-Cause: no\nChannel-State: CS_X\nUnique-ID: u\nCall-Direction: %41\nanswer-state: early\n", "x")
	f.Add("Channel-State: CS_X\nUnique-ID: u\r\n\r\nCall-Direction: a\nAnswer-State: early\n", "x")
	f.Fuzz(func(t *testing.T, text, name string) {
		names := []string{name, strings.ToUpper(name)}
		for line := range strings.Lines(text) {
			name, _, _ := strings.Cut(line, ":")
			names = append(names, name, strings.ToLower(name), name+":")
		}
		checkLookups(t, text, plainEncoded, names)
		checkLookups(t, text, plainRaw, names)
		checkChannel(t, text)
	})
}

// FuzzMember is FuzzLookup for JSON.
func FuzzMember(f *testing.F) {
	body := recordedBody(f, "../testdata/transcripts/d_event_json_all.bin.gz")
	f.Add(body, "Channel-State")
	f.Add(`{"a":"a\",\"b\":\"","b":"1","Unique-ID":["x","b"],"c\"b":"2"}`+strings.Repeat(" ", 64), "b")
	f.Add(`{ "Event-Name" : "X", "\u0061": "y", "_body": "\"b\":1"}`+strings.Repeat(" ", 64), "a")
	f.Add(`{"one":{"b":"in"},"b":"out","Empty":"","Number":12,"list":[]}`+strings.Repeat(" ", 64), "b")
	for _, name := range []string{":", ",", `B\`, `b"`, "a/b", "é", "Unique-ID"} {
		f.Add(`{"":":x","B\"":"1","":"2","a\/b":"3","\u00e9":"4","Unique\u002dID":"5","Unique-ID":"6"}`+strings.Repeat(" ", 64), name)
		f.Add(`{"":":x","B\"":"1","":"2","a\/b":"3","é":"4","Unique-ID":"6"}`+strings.Repeat(" ", 64), name)
	}
	f.Fuzz(func(t *testing.T, text, name string) {
		names := []string{name, strings.ToUpper(name), bodyKey}
		for name := range newEvent([]byte(text), jsonObject).Headers() {
			names = append(names, name, strings.ToLower(name), name+"x")
		}
		if !json.Valid([]byte(text)) {
			for _, name := range names {
				newEvent([]byte(text), jsonObject).Get(name) // whatever that is
			}
			return
		}
		checkLookups(t, text, jsonObject, names)
	})
}

// checkLookups holds the quick ways of looking names up to the one that any name and any
// dialect take.
func checkLookups(t *testing.T, text string, kind dialect, names []string) {
	quick, slow := newEvent([]byte(text), kind), newEvent([]byte(text), kind)
	often := quick.sought.Load()
	for _, name := range names[:min(len(names), 300)] {
		value, ok := slow.anyLookup(name)
		if got, gotOK := quick.lookup(name); got != value || gotOK != ok {
			t.Fatalf("%q is %q, %v; quickly %q, %v", name, value, ok, got, gotOK)
		}
		quick.sought.Store(often)
		for how, look := range map[string]func(string) (string, bool, bool){"text": quick.seek, "index": quick.quickLookup} {
			if got, gotOK, sure := look(name); sure && (got != value || gotOK != ok) {
				t.Fatalf("%q is %q, %v; quickly in the %s %q, %v", name, value, ok, how, got, gotOK)
			}
		}
	}
}

// TestIndexForMany looks for what is not there until that is known at once.
func TestIndexForMany(t *testing.T) {
	text := recordedBody(t, "../testdata/transcripts/c_event_plain_all.bin.gz")
	e := newEvent([]byte(text), plainEncoded)
	if seeks && cap(e.buf) < len(e.buf)+slack {
		t.Errorf("%d bytes lie behind the text, indexing reads up to %d", cap(e.buf)-len(e.buf), slack)
	}
	for range 100 {
		if value, ok := e.Lookup("Channel-Stage"); ok {
			t.Fatalf("found %q", value)
		}
	}
	if _, _, complete := e.known.load(); !complete {
		t.Error("the event was searched a hundred times, and not indexed")
	}
	if got := e.Get("Event-Name"); got != e.Name() {
		t.Errorf("Event-Name is %q in the event %s", got, e.Name())
	}
}

// TestUUID asks for the Unique-ID as often as those do whom an event passes.
func TestUUID(t *testing.T) {
	far := Header{Name: "Fill", Value: strings.Repeat("x", 1<<24)} // where it stands takes too many bits
	for _, uuid := range []string{"", "u", "a b%", strings.Repeat("u", 255), strings.Repeat("u", 256)} {
		for _, before := range []Header{{Name: "Fill"}, far} {
			for format := range Format(3) {
				frame := AppendEvent(nil, format, []Header{{Name: "Event-Name", Value: "API"}, before, {Name: "Unique-ID", Value: uuid}}, "")
				_, body, _ := bytes.Cut(frame, blankLine)
				ev, err := ParseEvent(format, body)
				if err != nil {
					t.Fatal(err)
				}
				if first, second := ev.UUID(), ev.UUID(); first != uuid || second != uuid {
					t.Errorf("%v, %d bytes before: got %q, then %q, want %q", format, len(before.Value), first, second, uuid)
				}
			}
		}
	}
	ev := newEvent([]byte("Event-Name: API\n\n"), plainEncoded)
	for range 2 {
		if got := ev.UUID(); got != "" {
			t.Errorf("got %q of an event without one", got)
		}
	}
}
