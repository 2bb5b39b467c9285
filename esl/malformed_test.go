package esl_test

import (
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/esl"
)

// TestFoundByFuzzing keeps what the fuzzers have found from coming back.
func TestFoundByFuzzing(t *testing.T) {
	for name, tc := range map[string]struct {
		format       esl.Format
		text, header string
		want         []string
		body         string
	}{
		"an array closed by a brace":  {esl.JSON, `{"A":"","E":[ }`, "E", []string{""}, ""},
		"an array that goes on":       {esl.JSON, `{"E":["a",]}`, "E", []string{"a"}, ""},
		"an empty XML header":         {esl.XML, "<headers>\n<A/>\n</headers>\n", "A", []string{""}, ""},
		"a control character in XML":  {esl.XML, "<headers>\n</headers>\n<body>&#x8E;&#142;</body>", "A", nil, "\u008e\u008e"},
		"what HTML calls copyright":   {esl.XML, "<headers>\n</headers>\n<body>a&copy=b&amp;&nbsp;&#x110000;&</body>", "A", nil, "a&copy=b&&nbsp;&#x110000;&"},
		"nothing":                     {esl.Plain, "", "A", nil, ""},
		"a name with brackets in XML": {esl.XML, "<headers>\n<a<b>x</a<b>\n</headers>\n", "a<b", []string{"x"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			e, err := esl.ParseEvent(tc.format, []byte(tc.text))
			if err != nil {
				t.Fatal(err)
			}
			lookAt(e)
			if got := e.Values(tc.header); !slices.Equal(got, tc.want) || e.Body() != tc.body {
				t.Errorf("got %q and body %q, want %q and %q", got, e.Body(), tc.want, tc.body)
			}
		})
	}
}

// TestNoInputIsSlow reads inputs made to be slow for a parser that looks back or
// copies: megabytes of them, in a time that only a linear one can do.
func TestNoInputIsSlow(t *testing.T) {
	const size = 1 << 20
	repeat := func(s string) string { return strings.Repeat(s, size/len(s)) }
	for name, tc := range map[string]struct {
		format esl.Format
		text   string
	}{
		"ampersands":         {esl.XML, "<headers>\n</headers>\n<body>" + repeat("&") + "</body>"},
		"closing brackets":   {esl.XML, "<headers>\n<" + repeat("</") + "\n</headers>\n"},
		"opening brackets":   {esl.XML, "<headers>\n" + repeat("<") + "\n</headers>\n"},
		"backslashes":        {esl.JSON, `{"A":"` + repeat(`\\`) + `"}`},
		"quotes":             {esl.JSON, `{"A":"` + repeat(`\"`) + `"}`},
		"nesting":            {esl.JSON, `{"A":` + repeat("[")},
		"percent signs":      {esl.Plain, "A: " + repeat("%") + "\n\n"},
		"colons":             {esl.Plain, repeat(":") + "\n\n"},
		"headers":            {esl.Plain, repeat("a: b\n") + "\n"},
		"headers of no name": {esl.Plain, repeat("\n") + "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			e, err := esl.ParseEvent(tc.format, []byte(tc.text))
			if err != nil {
				t.Fatal(err)
			}
			_ = e.Get("A") + e.Body() + e.Get("absent")
			if _, err := e.MarshalJSON(); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

// TestAnnouncedIsNotAllocated: memory follows what arrives, not what a peer says
// will come, be it within the limits or beyond.
func TestAnnouncedIsNotAllocated(t *testing.T) {
	for _, head := range []string{
		"Content-Length: 16777216\nContent-Type: text/event-plain\n\nA: b\n",
		"Content-Type: api/response\nContent-Length: 16777216\n\nsome",
		"Content-Length: 10737418240\nContent-Type: text/event-json\n\n{",
		"Content-Length: 9223372036854775807\n\n",
		"Content-Length: -1\n\n",
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := esl.NewDecoder(strings.NewReader(head), esl.Limits{}).Next()
		runtime.ReadMemStats(&after)
		if err == nil {
			t.Errorf("%q was taken for a frame", head)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > 256<<10 {
			t.Errorf("%q took %d bytes", head, took)
		}
	}
}
