package observability

import (
	"regexp"
	"strings"
)

// hidden stands where a secret was.
const hidden = "[hidden]"

var (
	// userInfo is the user and password of a URL, as in redis://user:pass@host.
	userInfo = regexp.MustCompile(`(://)[^/\s@"']*@`)
	// assigned is a secret with its name before it: password=x, "token": "x",
	// Authorization: Bearer x.
	assigned = regexp.MustCompile(`(?i)((?:password|passwd|pwd|secret|token|api[-_]?key|authorization|credential)s?["']?\s*[=:]\s*["']?)(?:bearer |basic )?[^\s"'&,;]+`)
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
