package esltest

import (
	"strconv"
	"strings"
	"time"

	"github.com/genesis-esl/genesis/esl"
)

// dialing is what originate and bridge ask for.
type dialing struct {
	vars    []esl.Header // {} variables, names without prefix
	targets [][]string   // alternatives, each a set rung together
	timeout time.Duration
	from    *channel // the caller, for bridge
	cidName string
	cidNum  string
}

func (d *dialing) variable(name string) string {
	for _, v := range d.vars {
		if strings.EqualFold(v.Name, name) {
			return v.Value
		}
	}
	return ""
}

// parseDial reads {vars}a,b|c, with [vars] before single legs and <vars> and
// :_: as FreeSWITCH has them.
func parseDial(s string) *dialing {
	d := &dialing{timeout: 60 * time.Second}
	s = strings.TrimSpace(s)
	for len(s) > 0 && (s[0] == '{' || s[0] == '<') {
		closing := byte('}')
		if s[0] == '<' {
			closing = '>'
		}
		end := closingBracket(s, closing)
		if end < 0 {
			break
		}
		d.vars = append(d.vars, parseVariables(s[1:end])...)
		s = strings.TrimSpace(s[end+1:])
	}
	for group := range strings.SplitSeq(s, ":_:") {
		for _, alternative := range splitOutside(group, '|') {
			var together []string
			for _, leg := range splitOutside(alternative, ',') {
				if leg = strings.TrimSpace(leg); leg != "" {
					together = append(together, leg)
				}
			}
			if len(together) > 0 {
				d.targets = append(d.targets, together)
			}
		}
	}
	for _, name := range []string{"originate_timeout", "call_timeout", "leg_timeout"} {
		if seconds, err := strconv.Atoi(d.variable(name)); err == nil && seconds > 0 {
			d.timeout = time.Duration(seconds) * time.Second
			break
		}
	}
	return d
}

// closingBracket finds the end of a bracket that opens s.
func closingBracket(s string, closing byte) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case s[0]:
			depth++
		case closing:
			if depth--; depth == 0 {
				return i
			}
		case '\\':
			i++
		}
	}
	return -1
}

// parseVariables reads a=1,b=2 or ^^:a=1:b=2. A comma inside quotes counts as
// part of the value only where quotes have survived the command line.
func parseVariables(s string) []esl.Header {
	delimiter := byte(',')
	if strings.HasPrefix(s, "^^") && len(s) > 2 {
		delimiter, s = s[2], s[3:]
	}
	var vars []esl.Header
	for _, pair := range splitOutside(s, delimiter) {
		name, value, ok := strings.Cut(pair, "=")
		if ok && strings.TrimSpace(name) != "" {
			vars = append(vars, esl.Header{Name: strings.TrimSpace(name), Value: unquote(value)})
		}
	}
	return vars
}

func unquote(s string) string {
	if len(s) >= 2 && s[0] == '\'' && s[len(s)-1] == '\'' {
		s = s[1 : len(s)-1]
	}
	return strings.NewReplacer(`\'`, `'`, `\,`, `,`).Replace(s)
}

// splitOutside splits at a separator that is not in quotes, brackets or behind
// a backslash.
func splitOutside(s string, separator byte) []string {
	var parts []string
	depth, quoted, start := 0, false, 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\':
			i++
		case c == '\'':
			quoted = !quoted
		case quoted:
		case c == '[' || c == '{' || c == '(':
			depth++
		case (c == ']' || c == '}' || c == ')') && depth > 0:
			depth--
		case c == separator && depth == 0:
			parts = append(parts, s[start:i])
			start = i + 1
		}
	}
	return append(parts, s[start:])
}

// splitArguments splits a command line at spaces, takes one level of quotes
// off, and keeps brackets together only as far as their quotes do, as
// FreeSWITCH's API does: {my_var='a b: c, d'} loses its quotes here, so that
// its comma separates variables later (c_event_plain_all).
func splitArguments(s string) []string {
	var (
		args   []string
		arg    strings.Builder
		quoted bool
		any    bool
	)
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\\' && i+1 < len(s) && (s[i+1] == '\'' || s[i+1] == ' ' || s[i+1] == '\\'):
			i++
			arg.WriteByte(s[i])
			any = true
		case c == '\'' && (quoted || strings.IndexByte(s[i+1:], '\'') >= 0):
			quoted = !quoted
			any = true
		case c == ' ' && !quoted:
			if any {
				args = append(args, arg.String())
			}
			arg.Reset()
			any = false
		default:
			arg.WriteByte(c)
			any = true
		}
	}
	if any {
		args = append(args, arg.String())
	}
	return args
}
