package observability

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
)

// hidden stands where a secret was.
const hidden = "[hidden]"

var (
	// userInfo is the user and password of a URL, as in redis://user:pass@host. The
	// password may hold an @ of its own, and a slash too unless it looks like a port before.
	userInfo = regexp.MustCompile(`(://)(?:[^/\s"'@:]*:\d*[^\d/\s"'][^/\s"']*/[^\s"']*|[^/\s"']*)@`)
	// assigned is a secret with its name before it: password=x, "token": "x",
	// Authorization: Bearer x. In quotes, escaped ones too, it goes on to their end.
	assigned = regexp.MustCompile(`(?i)((?:password|passwd|pwd|secret|token|api[-_]?key|authorization|credential)s?\\?["']?\s*[=:]\s*)` +
		`(?:\\"[^"]*"?|"(?:[^"\\]|\\.)*"?|'[^']*'?|(?:bearer |basic )?[^\s&,;]+)`)
	// bearer is the token of an HTTP header whose name is elsewhere.
	bearer = regexp.MustCompile(`(?i)\b(bearer )[^\s"',;]+`)
	// authLine is the argument of the event socket's auth and userauth.
	authLine = regexp.MustCompile(`(?i)\b((?:user)?auth )\S+`)
	// secretName is what fields that hold a secret are called.
	secretName = regexp.MustCompile(`(?i)passw|pwd|secret|token|api[-_]?key|authorization|credential|cookie`)
)

// scrub returns text without the secrets that can be told by their surroundings.
// It is the second line: the first is not to put any there.
func scrub(text string) string {
	if strings.Contains(text, "://") {
		text = userInfo.ReplaceAllString(text, "${1}"+hidden+"@")
	}
	if strings.ContainsAny(text, "=:") {
		text = assigned.ReplaceAllString(text, "${1}"+hidden)
	}
	if strings.Contains(text, "earer ") {
		text = bearer.ReplaceAllString(text, "${1}"+hidden)
	}
	if strings.Contains(text, "auth ") {
		text = authLine.ReplaceAllString(text, "${1}"+hidden)
	}
	return text
}

// scrubField returns the value of a field, hidden if the field's name says that it
// is a secret.
func scrubField(name, value string) string {
	if value != "" && secretName.MatchString(name) {
		return hidden
	}
	return scrub(value)
}

// scrubAny returns the value of an attribute that is no plain one, such as a struct or a
// map, without its secrets. One without any stays as it is.
func scrubAny(v any, text bool) (clean slog.Value) {
	clean = slog.AnyValue(v)
	defer func() { _ = recover() }() // of a value that cannot be shown; whoever writes it says so
	if raw, ok := v.([]byte); ok {
		if shown := scrub(string(raw)); shown != string(raw) {
			clean = slog.StringValue(shown)
		}
		return clean
	}
	if tree, changed := scrubJSON(v); changed {
		return slog.AnyValue(tree)
	}
	if !text {
		return clean
	}
	// As text a value shows what JSON leaves out.
	whole := fmt.Sprintf("%+v", v)
	if shown := scrub(whole); shown != whole {
		clean = slog.StringValue(shown)
	}
	return clean
}

// scrubJSON returns what v is as JSON without its secrets, and whether there were any.
func scrubJSON(v any) (tree any, changed bool) {
	raw, err := json.Marshal(v)
	if err != nil || json.Unmarshal(raw, &tree) != nil {
		return nil, false
	}
	before, err := json.Marshal(tree)
	if err != nil {
		return nil, false
	}
	tree = scrubTree("", tree)
	after, err := json.Marshal(tree)
	return tree, err == nil && !bytes.Equal(before, after)
}
