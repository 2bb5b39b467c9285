package observability_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"

	"github.com/genesis-esl/genesis/observability"
)

type account struct {
	Name, Password string
	pin            string
}

// Secrets in whatever can be logged, and what has to be left of it.
func secretAttrs() map[string][]any {
	target := url.URL{Scheme: "redis", User: url.UserPassword("app", planted), Host: "redis:6379"}
	return map[string][]any{
		"a password with an @":    {"url", "htp://user:a@" + planted + "@left:1"},
		"a password with a slash": {"url", "redis://user:" + planted + "/a@left:1"},
		"two URLs":                {"urls", "redis://a:" + planted + "@h,redis://b:" + planted + "@left"},
		"spaces in quotes":        {"args", `password="S3 ` + planted + ` k" left`},
		"spaces in single quotes": {"args", `password='S3 ` + planted + `' left`},
		"quotes in quotes":        {"json", `{"password":"S3 \" ` + planted + `","x":"left"}`},
		"escaped quotes":          {"json", `{\"password\":\"S3 ` + planted + `\",\"x\":\"left\"}`},
		"a quote inside":          {"args", `password=S3"` + planted + ` left`},
		"a quote not closed":      {"args", `left password="S3 ` + planted},
		"a bearer":                {"input", "authorization Bearer " + planted + " left"},
		"an error":                {"error", fmt.Errorf("left %w", errors.New("token="+planted))},
		"a struct":                {"account", account{Name: "left", Password: planted}},
		"a pointer":               {"account", &account{Name: "left", Password: "S3 " + planted}},
		"a field of its own":      {"account", account{Name: "left", pin: "token=" + planted}},
		"structs":                 {"accounts", []account{{Name: "left", Password: planted}}},
		"a map":                   {"headers", map[string]string{"Authorization": planted, "x": "left"}},
		"a map of lists":          {"headers", map[string][]string{"Cookie": {planted}, "x": {"left"}}},
		"a list":                  {"args", []string{"left", "--password=" + planted, target.String()}},
		"bytes":                   {"raw", []byte("left password=" + planted)},
		"a URL":                   {"url", target, "x", "left"},
		"a group":                 {slog.Group("password", "value", planted, "n", 1), "x", "left"},
		"a group in a group":      {slog.Group("left", slog.Group("token", slog.Group("b", "c", planted)), "x", "left")},
		"a number":                {"password", 20071969, "x", "left"},
	}
}

func TestSecretsInAttributes(t *testing.T) {
	for name, attrs := range secretAttrs() {
		for _, asJSON := range []bool{false, true} {
			var buf bytes.Buffer
			log := slog.New(observability.NewLogHandler(&buf, observability.LogConfig{JSON: asJSON}))
			log.Info("hello", attrs...)
			log.With(attrs...).WithGroup("g").Info("hello", attrs...)
			wantScrubbed(t, name, buf.String(), asJSON && (name == "bytes" || name == "a field of its own"))
		}
	}
}

// wantScrubbed looks for secrets. What the text tells of may be left out.
func wantScrubbed(t *testing.T, name, text string, leftOut bool) {
	t.Helper()
	if strings.Contains(text, planted) || strings.Contains(text, "20071969") {
		t.Errorf("%s: the secret is in %s", name, text)
	}
	if !leftOut && !strings.Contains(text, "left") {
		t.Errorf("%s: more than the secret is hidden in %s", name, text)
	}
}

func TestSecretsInExportedLogs(t *testing.T) {
	r := receive(t)
	obs, err := observability.New(observability.Config{Mode: observability.Consumer, Logger: slog.New(enabled{slog.DiscardHandler})})
	if err != nil {
		t.Fatal(err)
	}
	for name, attrs := range secretAttrs() {
		obs.Logger().Info(name, attrs...)
	}
	obs.Logger().WithGroup("credentials").With("a", planted).Info("left", "b", planted)
	finish(t, obs)
	if len(r.logs) != len(secretAttrs())+1 {
		t.Errorf("%d records arrived: %q", len(r.logs), r.logs)
	}
	for _, record := range r.logs {
		wantScrubbed(t, "exported", record, false)
	}
}

// What holds no secret is shown as it would be without us.
func TestNoSecretNoChange(t *testing.T) {
	attrs := []any{"s", struct{ Name, own string }{"a b", "x"}, "m", map[string]int{"z": 1, "a": 2}, "b", []byte("raw"), "l", []string{"x"}, "n", nil, "i", 7}
	for _, asJSON := range []bool{false, true} {
		var ours, plain bytes.Buffer
		var other slog.Handler = slog.NewTextHandler(&plain, nil)
		if asJSON {
			other = slog.NewJSONHandler(&plain, nil)
		}
		slog.New(observability.NewLogHandler(&ours, observability.LogConfig{JSON: asJSON})).Info("m", attrs...)
		slog.New(other).Info("m", attrs...)
		_, got, _ := strings.Cut(ours.String(), "genesis")
		if rest := strings.TrimLeft(got, `", `); !strings.HasSuffix(plain.String(), rest) || len(rest) < 50 {
			t.Errorf("%s, want %s", rest, plain.String())
		}
	}
}

// nilError is an error that cannot be asked for its text when it is nil.
type nilError struct{ text string }

func (e *nilError) Error() string { return e.text }

func TestNilValuesInLogs(t *testing.T) {
	for _, asJSON := range []bool{false, true} {
		var buf bytes.Buffer
		log := slog.New(observability.NewLogHandler(&buf, observability.LogConfig{JSON: asJSON}))
		log.Info("left", "error", (*nilError)(nil), "url", (*url.URL)(nil), "password", planted)
		wantScrubbed(t, "nil", buf.String(), false)
	}
}
