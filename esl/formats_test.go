package esl_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/genesis-esl/genesis/esl"
)

// events decodes the events of a recording.
func events(tb testing.TB, name string) []*esl.Event {
	tb.Helper()
	var all []*esl.Event
	for d := esl.NewDecoder(bytes.NewReader(recording(tb, name)), esl.Limits{}); ; {
		f, err := d.Next()
		if err != nil {
			return all
		}
		if e, err := f.Event(); err != nil {
			tb.Fatal(err)
		} else if e != nil && e.Name() != "SERVER_DISCONNECTED" {
			all = append(all, e)
		}
	}
}

func headers(e *esl.Event) []esl.Header {
	var all []esl.Header
	for name, value := range e.Headers() {
		if name != "Content-Length" { // the encoder writes one of its own
			all = append(all, esl.Header{Name: name, Value: value})
		}
	}
	return all
}

// flat takes arrays apart, as XML has them: several elements of one name.
func flat(headers []esl.Header) []esl.Header {
	var all []esl.Header
	for _, h := range headers {
		list, _ := strings.CutPrefix(h.Value, "ARRAY::")
		for _, value := range strings.Split(list, "|:") {
			all = append(all, esl.Header{Name: h.Name, Value: value})
		}
	}
	return all
}

// different is what differs by nature from one run of the same call to the next:
// ids, times, numbers, and the port of the far end.
var different = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4}|[\d.]+`)

func shape(e *esl.Event) string {
	var b strings.Builder
	for _, h := range flat(headers(e)) {
		fmt.Fprintf(&b, "%s: %s\n", h.Name, different.ReplaceAllString(h.Value, "#"))
	}
	return b.String() + "\n" + different.ReplaceAllString(e.Body(), "#")
}

// TestFormatsAgree compares the recordings of the same five calls in the three
// formats. The calls ran in several threads, so some events were created a state
// earlier or later; and plain and xml cannot tell "%25" from "%", for FreeSWITCH
// does not encode a percent sign that already looks encoded. All others must be
// the same, header for header, and the same headers must occur.
func TestFormatsAgree(t *testing.T) {
	plain := events(t, "c_event_plain_all")
	want := names(plain)
	for _, name := range []string{"d_event_json_all", "e_event_xml_all"} {
		other := events(t, name)
		same, shapes := 0, countShapes(plain)
		for s, n := range countShapes(other) {
			same += min(n, shapes[s])
		}
		if least := len(plain) * 85 / 100; same < least {
			t.Errorf("%s: only %d of %d events are the same, %d expected", name, same, len(plain), least)
		}
		if got := names(other); !slices.Equal(got, want) {
			t.Errorf("%s has headers\n%v\nwant\n%v", name, got, want)
		}
	}
}

// names returns the names of all headers that occur in the events of calls.
func names(events []*esl.Event) []string {
	all := map[string]bool{}
	for _, e := range events {
		if e.UUID() == "" {
			continue // heartbeats and schedules came or not as it happened
		}
		for name := range e.Headers() {
			all[name] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

func countShapes(events []*esl.Event) map[string]int {
	count := map[string]int{}
	for _, e := range events {
		count[shape(e)]++
	}
	return count
}

// TestTranscode writes every recorded event in each format and reads it back.
func TestTranscode(t *testing.T) {
	for _, name := range []string{"c_event_plain_all", "d_event_json_all", "e_event_xml_all", "j_sendevent_plain", "m_heartbeat"} {
		for i, e := range events(t, name) {
			want := headers(e)
			if ambiguous(want) {
				continue
			}
			for _, format := range []esl.Format{esl.Plain, esl.JSON, esl.XML} {
				frame, err := esl.NewDecoder(bytes.NewReader(esl.AppendEvent(nil, format, want, e.Body())), esl.Limits{}).Next()
				if err != nil {
					t.Fatal(err)
				}
				got, err := frame.Event()
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(flat(headers(got)), flat(want)) || got.Body() != e.Body() {
					t.Fatalf("%s event %d through %v:\n%v\n%q\nwant\n%v\n%q", name, i, format, headers(got), got.Body(), want, e.Body())
				}
			}
		}
	}
}

// ambiguous reports whether a value looks encoded, which FreeSWITCH does not
// encode again.
func ambiguous(headers []esl.Header) bool {
	return slices.ContainsFunc(headers, func(h esl.Header) bool { return strings.Contains(h.Value, "%") })
}

// TestMarshalJSON writes recorded events in FreeSWITCH's own JSON.
func TestMarshalJSON(t *testing.T) {
	for _, f := range []string{"d_event_json_all", "m2_heartbeat_json", "j_sendevent_json"} {
		d := esl.NewDecoder(bytes.NewReader(recording(t, f)), esl.Limits{})
		for frame, err := d.Next(); err == nil; frame, err = d.Next() {
			if frame.Type != esl.FrameEventJSON {
				continue
			}
			e, err := frame.Event()
			if err != nil {
				t.Fatal(err)
			}
			got, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			var want bytes.Buffer
			if err := json.Compact(&want, frame.Body()); err != nil {
				t.Fatal(err)
			}
			if unescaped := bytes.ReplaceAll(got, []byte(`\u003c`), []byte("<")); !bytes.Equal(unescaped, want.Bytes()) && !bytes.Contains(got, []byte(`\u00`)) {
				t.Fatalf("%s:\n%s\nwant\n%s", f, got, want.Bytes())
			}
		}
	}
}
