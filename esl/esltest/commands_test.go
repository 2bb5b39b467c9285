package esltest_test

import (
	"strings"
	"testing"

	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/esl/esltest"
)

// TestFilterValues: what is a regular expression, and what a word behind a sign.
func TestFilterValues(t *testing.T) {
	for value, want := range map[string]string{
		"abc":      "abc ABC",
		"+abc":     "abc ABC",
		"/^a/":     "abc",
		"/^A/i":    "abc ABC",
		"/b/":      "abc /b/",
		"+/b/":     "/b/",
		"-/b/":     "abc ABC",
		"-abc":     "/b/",
		"/b":       "",
		"/(/":      "",
		"- /^a/":   "abc ABC /b/",
		"-NO_SUCH": "abc ABC /b/",
	} {
		srv := start(t, esltest.Config{Heartbeat: -1})
		conn := connect(t, srv)
		subscribe(t, conn, "event plain CUSTOM test::x")
		if strings.HasPrefix(value, "-") {
			subscribe(t, conn, "filter Event-Name CUSTOM")
		}
		subscribe(t, conn, "filter Text "+value)
		subscribe(t, conn, "filter Text end")
		for _, text := range []string{"abc", "ABC", "/b/", "end"} {
			if err := srv.Fire("test::x", []esl.Header{{Name: "Text", Value: text}}, ""); err != nil {
				t.Fatal(err)
			}
		}
		var got []string
		for {
			ev, err := conn.ReadEvent(testContext(t))
			if err != nil {
				t.Fatal(err)
			}
			if ev.Get("Text") == "end" {
				break
			}
			got = append(got, ev.Get("Text"))
		}
		if got := strings.Join(got, " "); got != want {
			t.Errorf("filter Text %s: %q came, want %q", value, got, want)
		}
	}
}
