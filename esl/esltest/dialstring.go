package esltest

import (
	"strconv"
	"strings"
	"time"

	"github.com/genesis-esl/genesis/esl"
)

// dialing is what originate and bridge ask for.
type dialing struct {
	vars    []esl.Header // {} and <> variables, names without prefix
	steps   [][]dialLeg  // alternatives, each a set rung together
	timeout time.Duration
	from    *channel // the caller, for bridge
	cidName string
	cidNum  string
}

// dialLeg is one address with its [] variables.
type dialLeg struct {
	endpoint string
	vars     []esl.Header
}

func lookup(vars []esl.Header, name string) string {
	for i := len(vars) - 1; i >= 0; i-- {
		if strings.EqualFold(vars[i].Name, name) {
			return vars[i].Value
		}
	}
	return ""
}

// parseDial reads {vars}a,b|c, with [vars] before single legs, and <vars> and
// :_: for enterprise groups, whose legs all ring together. It makes the same
// passes as FreeSWITCH, so that what has to be escaped for it has to be escaped
// here, and as often.
func parseDial(s string) *dialing {
	d := &dialing{timeout: 60 * time.Second}
	var enterprise []dialLeg
	groups := strings.Split(s, ":_:")
	if len(groups) > 1 {
		groups[0] = takeBrackets(groups[0], '<', '>', ',', &d.vars)
	}
	for _, group := range groups {
		var vars []esl.Header
		group = takeBrackets(group, '<', '>', ',', &vars)
		group = takeBrackets(group, '{', '}', ',', &vars)
		if len(groups) == 1 {
			d.vars, vars = append(d.vars, vars...), nil
		}
		for _, step := range separate(group, '|', 128) {
			legs := parseLegs(step)
			for i := range legs {
				legs[i].vars = append(vars[:len(vars):len(vars)], legs[i].vars...)
			}
			if len(groups) > 1 {
				enterprise = append(enterprise, legs...)
			} else if len(legs) > 0 {
				d.steps = append(d.steps, legs)
			}
		}
	}
	if enterprise != nil {
		d.steps = [][]dialLeg{enterprise}
	}
	for _, name := range []string{"originate_timeout", "call_timeout", "leg_timeout"} {
		if seconds, err := strconv.Atoi(lookup(d.vars, name)); err == nil && seconds > 0 {
			d.timeout = time.Duration(seconds) * time.Second
			break
		}
	}
	return d
}

// Marks for the commas inside square brackets, which do not separate legs: those
// that separate variables, and those that are part of a value.
const (
	commaInValue  = '\x01'
	commaInLegVar = '\x02'
)

// parseLegs reads legs that ring together.
func parseLegs(s string) []dialLeg {
	marked := []byte(s)
	end, quoted, alternative := -1, false, false
	for i := range marked {
		if end < 0 && marked[i] == '[' {
			if n := closingBracket(s[i:], ']'); n >= 0 {
				end = i + n
			}
			alternative, quoted = strings.HasPrefix(s[i+1:], "^^"), false
		}
		if marked[i] == '\'' {
			quoted = !quoted
		}
		if end >= 0 && i < end && s[i] == ',' && s[i-1] != '\\' {
			marked[i] = commaInLegVar
			if quoted || alternative {
				marked[i] = commaInValue
			}
		}
		if i == end {
			end = -1
		}
	}
	var legs []dialLeg
	for _, part := range separate(string(marked), ',', 128) {
		var leg dialLeg
		if n := closingBracket(part, ']'); n >= 0 && strings.HasPrefix(part, "[") {
			part = strings.ReplaceAll(part[:n], string(commaInValue), ",") + part[n:]
		}
		leg.endpoint = takeBrackets(part, '[', ']', commaInLegVar, &leg.vars)
		if leg.endpoint != "" {
			legs = append(legs, leg)
		}
	}
	return legs
}

// takeBrackets reads the sets of variables at the front of s and returns what is
// behind them.
func takeBrackets(s string, open, closing, delimiter byte, vars *[]esl.Header) string {
	s = strings.TrimLeft(s, " ")
	for len(s) > 0 && s[0] == open {
		end := closingBracket(s, closing)
		if end < 0 {
			break
		}
		*vars = append(*vars, parseVariables(s[1:end], delimiter)...)
		s = strings.TrimLeft(s[end+1:], " ")
	}
	return s
}

// closingBracket finds the end of a bracket that opens s; -1 if there is none.
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
		}
	}
	return -1
}

// parseVariables reads a=1,b=2 or ^^:a=1:b=2. A comma inside quotes is part of a
// value only where quotes have survived the command line: originate's own pass
// over its arguments takes one level off (my_var in c_event_plain_all).
func parseVariables(s string, delimiter byte) []esl.Header {
	if strings.HasPrefix(s, "^^") && len(s) > 2 {
		delimiter, s = s[2], s[3:]
	}
	var vars []esl.Header
	for _, pair := range separate(s, delimiter, 1024) {
		if kv := separate(pair, '=', 2); len(kv) == 2 && kv[0] != "" {
			vars = append(vars, esl.Header{Name: kv[0], Value: kv[1]})
		}
	}
	return vars
}

// separate splits at a delimiter that is neither quoted nor escaped, into at most
// limit parts, and then takes a level of quotes and escapes off each part. A
// string that starts with ^^ names its own delimiter.
func separate(s string, delimiter byte, limit int) []string {
	if len(s) >= 4 && strings.HasPrefix(s, "^^") {
		delimiter, s = s[2], s[3:]
	}
	blank := delimiter == ' '
	if blank {
		s = strings.TrimLeft(s, " ")
	}
	var parts []string
	start, quoted := 0, false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\':
			i++
		case s[i] == '\'' && (blank || quoted || strings.IndexByte(s[i+1:], '\'') >= 0):
			quoted = !quoted
		case s[i] == delimiter && !quoted && len(parts)+1 < limit:
			parts = append(parts, s[start:i])
			for blank && i+1 < len(s) && s[i+1] == ' ' {
				i++
			}
			start = i + 1
		}
	}
	if start < len(s) {
		parts = append(parts, s[start:])
	}
	for i := range parts {
		if blank {
			parts[i] = unescape(parts[i], 0)
		} else {
			parts[i] = unescape(parts[i], delimiter)
		}
	}
	return parts
}

// arguments is separate for the arguments of an application or a command, padded
// with empty ones so that any of them can be looked at.
func arguments(s string, limit int) []string {
	parts := separate(s, ' ', limit)
	return append(parts, make([]string, limit-len(parts)+1)...)
}

// unescape takes quotes, escapes and outer blanks off a part.
func unescape(s string, delimiter byte) string {
	s = strings.TrimLeft(s, " ")
	out := make([]byte, 0, len(s))
	end, quoted := 0, false
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			if c, ok := escaped(s[i+1], delimiter); ok {
				out = append(out, c)
				end = len(out)
				i++
				continue
			}
		}
		if s[i] == '\'' && (quoted || strings.IndexByte(s[i+1:], '\'') >= 0) {
			if quoted = !quoted; quoted {
				end = len(out)
			}
			continue
		}
		out = append(out, s[i])
		if s[i] != ' ' || quoted {
			end = len(out)
		}
	}
	return string(out[:end])
}

func escaped(c, delimiter byte) (byte, bool) {
	switch c {
	case '\'', '"', '\\':
		return c, true
	case 'n':
		return '\n', true
	case 'r':
		return '\r', true
	case 't':
		return '\t', true
	case 's':
		return ' ', true
	}
	return c, delimiter != 0 && c == delimiter
}
