package call

import (
	"errors"
	"fmt"
	"strings"

	"github.com/genesis-esl/genesis/esl"
)

// ErrUnencodable says that a value cannot be written in the syntax that it was meant
// for, because FreeSWITCH has no escape for it. Nothing was sent.
var ErrUnencodable = errors.New("call: value cannot be written in FreeSWITCH's syntax")

// FreeSWITCH takes a dial string apart in several passes, and each pass splits at
// a delimiter and then cleans every part (switch_separate_string): it strips
// single quotes, turns \' \" \\ and \<delimiter> into the bare character, \s into
// a space, and trims spaces. A value is therefore escaped once for each pass that
// it goes through, the innermost first.

// escape writes s so that one such pass with delim gives s back. A delim of 0
// stands for a pass that only cleans.
func escape(s string, delim byte) string {
	if !needsEscape(s, delim) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 8)
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == ' ' && (i == 0 || i == len(s)-1):
			b.WriteString(`\s`)
		case c == '\\' || c == '\'' || delim != 0 && c == delim:
			b.WriteByte('\\')
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

func needsEscape(s string, delim byte) bool {
	if s == "" {
		return false
	}
	if strings.ContainsAny(s, `\'`) || s[0] == ' ' || s[len(s)-1] == ' ' {
		return true
	}
	return delim != 0 && strings.IndexByte(s, delim) >= 0
}

// unquoted tells whether a pass leaves s as it is: a single quote without a second
// one stands for itself.
func unquoted(s string) bool {
	return s != "" && !strings.Contains(s, `\`) && strings.Count(s, "'") < 2 && s[0] != ' ' && s[len(s)-1] != ' '
}

// word writes s as one of several arguments that are separated by blanks.
func word(s string) string {
	if !strings.ContainsAny(s, `\' `) {
		return s
	}
	s = strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s)
	if strings.Contains(s, " ") {
		return "'" + s + "'"
	}
	return s
}

// breakGroups hides every ":_:" in s, which FreeSWITCH looks for in the whole dial
// string before it knows about quotes, by quotes that the next pass strips.
func breakGroups(s string) string {
	if !strings.Contains(s, groupDelim) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '_' && i > 0 && s[i-1] == ':' && i+1 < len(s) && s[i+1] == ':' {
			b.WriteString(`'_'`)
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// nested tells whether every closing bracket in s has its opening one before it,
// and the other way round. FreeSWITCH counts brackets without regard to quotes.
func nested(s string, open, closing byte) bool {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case open:
			depth++
		case closing:
			if depth--; depth < 0 {
				return false
			}
		}
	}
	return depth == 0
}

// checkData refuses what no argument of ours may hold: line breaks, which would
// end the command, other control characters, which FreeSWITCH uses as marks in its
// own parsers, and ${, which FreeSWITCH would replace by a variable or by the
// output of an API command such as system.
func checkData(what, s string) error {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\r' || c == '\n':
			return fmt.Errorf("call: %s holds a line break: %w", what, esl.ErrInjection)
		case c < ' ' && c != '\t' || c == 0x7f:
			return fmt.Errorf("call: %s holds control character %#02x: %w", what, c, ErrUnencodable)
		case c == '$' && i+1 < len(s) && s[i+1] == '{':
			return fmt.Errorf("call: %s holds ${, which FreeSWITCH would expand: %w", what, ErrUnencodable)
		}
	}
	return nil
}

// checkArgument refuses what an application's argument may not be, beyond checkData:
// one that begins with %[ or with % and any character and [ sets variables.
func checkArgument(what, s string) error {
	if strings.HasPrefix(s, "%[") || len(s) > 2 && s[0] == '%' && s[2] == '[' {
		return fmt.Errorf("call: %s begins with %%[, with which it would set variables: %w", what, ErrUnencodable)
	}
	return checkData(what, s)
}

// checkName refuses a variable name with which the syntax around it could be left.
func checkName(name string) error {
	if name == "" {
		return fmt.Errorf("call: empty variable name: %w", ErrUnencodable)
	}
	for i := 0; i < len(name); i++ {
		c := name[i]
		if c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '-' || c == '.' {
			continue
		}
		return fmt.Errorf("call: variable name %q: only letters, digits, _, - and . are allowed: %w", name, ErrUnencodable)
	}
	return nil
}

// checkToken refuses an argument that must be one word, such as a UUID.
func checkToken(what, s string) error {
	if s == "" {
		return fmt.Errorf("call: empty %s: %w", what, ErrUnencodable)
	}
	if err := checkData(what, s); err != nil {
		return err
	}
	if strings.ContainsAny(s, " \t'\"\\") {
		return fmt.Errorf("call: %s %q must be one word: %w", what, s, ErrUnencodable)
	}
	return nil
}
