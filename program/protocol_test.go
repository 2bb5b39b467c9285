package program_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/genesis-esl/genesis/program"
)

func document(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile("../docs/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestSchemaHasEveryCommand compares the schema with what the hosts understand.
func TestSchemaHasEveryCommand(t *testing.T) {
	type command struct {
		Required   []string
		Properties map[string]json.RawMessage
	}
	var schema struct {
		Defs struct {
			ConsumerCommand, CallCommand struct{ OneOf []command }
		} `json:"$defs"`
	}
	if err := json.Unmarshal(document(t, "app-protocol.schema.json"), &schema); err != nil {
		t.Fatal(err)
	}
	check := func(what string, commands []command, want map[string][]string) {
		got := map[string][]string{}
		for _, c := range commands {
			verb := c.Required[0]
			delete(c.Properties, verb)
			delete(c.Properties, "id")
			got[verb] = slices.Sorted(maps.Keys(c.Properties))
		}
		for verb, fields := range want {
			fields = slices.Sorted(slices.Values(fields))
			if !slices.Equal(got[verb], fields) {
				t.Errorf("%s: the schema gives %s the fields %q, the host %q", what, verb, got[verb], fields)
			}
		}
		if !reflect.DeepEqual(slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want))) {
			t.Errorf("%s: the schema has %q, the host %q", what, slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
		}
	}
	check("consumer", schema.Defs.ConsumerCommand.OneOf, program.ConsumerVerbs())
	check("call", schema.Defs.CallCommand.OneOf, program.CallVerbs())
}

// TestDocumentedCommandsAreUnderstood reads every command in the document.
func TestDocumentedCommandsAreUnderstood(t *testing.T) {
	text := string(document(t, "app-protocol.md"))
	consumer, call, ok := strings.Cut(text, "## An outbound app")
	if !ok {
		t.Fatal("the document has lost a heading")
	}
	documented := map[string]bool{}
	for _, part := range []struct {
		text string
		call bool
	}{{consumer, false}, {call, true}} {
		for _, found := range regexp.MustCompile("(?m)`({\"[^`]*})`|^({.*})$").FindAllStringSubmatch(part.text, -1) {
			line := strings.ReplaceAll(found[1]+found[2], "SECONDS", "1")
			if !json.Valid([]byte(line)) {
				t.Errorf("not JSON: %s", line)
				continue
			}
			if regexp.MustCompile(`"ok"|"Event-Name"|"response"|"seconds"|"peer"`).MatchString(line) {
				continue // what genesis writes
			}
			verb, _, ok, err := program.Parse(part.call, []byte(line))
			if !ok || err != nil {
				t.Errorf("%s: understood: %v, %v", line, ok, err)
			}
			if part.call {
				documented[verb] = true
			}
		}
	}
	for verb := range program.CallVerbs() {
		if !documented[verb] {
			t.Errorf("the document does not show %s", verb)
		}
	}
}

// TestIDs has commands with ids of every kind: with one that is neither a string nor a number, a command makes no sense.
func TestIDs(t *testing.T) {
	for _, id := range []string{`1`, `0`, `-1.5e3`, `"x"`, `""`, `null`, `true`, `false`, `{}`, `[1]`} {
		wrong := strings.ContainsAny(id[:1], "ntf{[")
		for _, call := range []bool{false, true} {
			_, got, ok, err := program.Parse(call, []byte(`{"api": "status", "id": `+id+`}`))
			switch {
			case !ok:
				t.Errorf("id %s: no command", id)
			case wrong && (got != nil || err == nil || err.Error() != "id must be a string or a number"):
				t.Errorf("id %s: %v, to be answered with id %s", id, err, got)
			case !wrong && (string(got) != id || err != nil):
				t.Errorf("id %s was read as %s, %v", id, got, err)
			}
		}
	}
}

// FuzzRequest feeds lines to the hosts' parser and checks what it says of them
// against the json package alone.
func FuzzRequest(f *testing.F) {
	for _, seed := range []string{
		`{"id": 1, "api": "status"}`, `{"id": "x", "bgapi": "a", "api": "b"}`, `{"hangup": "", "now": true}`, `{"api": 1, "id": {}}`,
		`{}`, `[]`, `{"api"`, "{\"api\": \"\xff\"}", `{"id": null, "subscribe": ["A", "b::c"]}`, `{"api": "x", "API": "y"}`, `{"api":"a","api":"b"}`,
		" \t{\"id\": 2, \"api\": \"uptime\"} ", "\u00a0{\"api\": \"uptime\"}",
	} {
		f.Add([]byte(seed), true)
		f.Add([]byte(seed), false)
	}
	f.Fuzz(func(t *testing.T, line []byte, call bool) {
		verb, id, ok, err := program.Parse(call, line)
		var fields map[string]json.RawMessage
		isObject := bytes.HasPrefix(bytes.TrimSpace(line), []byte("{")) && utf8.Valid(line) && json.Unmarshal(line, &fields) == nil
		known := program.ConsumerVerbs()
		if call {
			known = program.CallVerbs()
		}
		verbs := 0
		for name := range fields {
			if _, is := known[name]; is {
				verbs++
			}
		}
		if ok != (isObject && verbs > 0) {
			t.Fatalf("%q is a command: %v", line, ok)
		}
		if !ok {
			return
		}
		if _, has := fields[verb]; err == nil && (verbs != 1 || !has) {
			t.Fatalf("%q was read as %s", line, verb)
		}
		if id == nil {
			return
		}
		reply := program.EncodeReply(id, "result", err)
		var back struct {
			ID json.RawMessage
			OK *bool
		}
		if json.Unmarshal(reply, &back) != nil || back.OK == nil || *back.OK != (err == nil) {
			t.Fatalf("%q got the reply %q", line, reply)
		}
		if bytes.IndexByte(reply, '\n') != len(reply)-1 {
			t.Fatalf("the reply %q is not one line", reply)
		}
		var want, got any
		if json.Unmarshal(id, &want) != nil || json.Unmarshal(back.ID, &got) != nil || !reflect.DeepEqual(want, got) {
			t.Fatalf("the id %s came back as %s", id, back.ID)
		}
	})
}

// FuzzLines compares the reader of lines with a split of the whole text.
func FuzzLines(f *testing.F) {
	f.Add([]byte("a\nb\r\n\nlast"), 10)
	f.Add(bytes.Repeat([]byte("long "), 500), 100)
	f.Fuzz(func(t *testing.T, text []byte, limit int) {
		if limit < 1 || limit > 1<<20 {
			return
		}
		var want []string
		for line := range bytes.Lines(text) {
			line = bytes.TrimSuffix(line, []byte("\n"))
			cut := max(len(line)-limit, 0)
			line = bytes.TrimSuffix(line[:len(line)-cut], []byte("\r"))
			want = append(want, string(line))
		}
		var got []string
		program.ReadLines(bytes.NewReader(text), limit, func(line []byte, _ int) bool {
			got = append(got, string(line))
			return true
		})
		if !slices.Equal(got, want) {
			t.Fatalf("%q with limit %d: got %q, want %q", text, limit, got, want)
		}
	})
}
