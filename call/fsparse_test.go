package call_test

import (
	"errors"
	"strings"
)

// This file is FreeSWITCH's reading of a dial string, written after what
// switch_ivr_originate, switch_event_create_brackets and switch_separate_string do,
// pass by pass, and without any regard to how package call writes one.

type parsedLeg struct {
	endpoint string
	vars     map[string]string
}

type parsedGroup struct {
	vars  map[string]string
	steps [][]parsedLeg
}

var errParse = errors.New("FreeSWITCH would say: parse error")

const (
	quotedComma   = 1
	unquotedComma = 2
)

// separate splits like switch_separate_string.
func separate(s string, delim byte, limit int) []string {
	if len(s) >= 4 && s[:2] == "^^" {
		delim, s = s[2], s[3:]
	}
	var raw []string
	if delim == ' ' {
		raw = splitBlank(s, limit)
	} else {
		raw = splitChar(s, delim, limit)
	}
	clean := delim
	if delim == ' ' {
		clean = 0
	}
	for i := range raw {
		raw[i] = cleanup(raw[i], clean)
	}
	return raw
}

func splitChar(s string, delim byte, limit int) []string {
	var out []string
	start, quoted := 0, false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\':
			i++
		case s[i] == '\'' && (quoted || strings.IndexByte(s[i+1:], '\'') >= 0):
			quoted = !quoted
		case s[i] == delim && !quoted && len(out)+1 < limit:
			out = append(out, s[start:i])
			start = i + 1
		}
	}
	if start < len(s) {
		out = append(out, s[start:])
	}
	return out
}

func splitBlank(s string, limit int) []string {
	var out []string
	s = strings.TrimLeft(s, " ")
	start, quoted := 0, false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\':
			i++
		case s[i] == '\'':
			quoted = !quoted
		case s[i] == ' ' && !quoted && len(out)+1 < limit:
			out = append(out, s[start:i])
			for i+1 < len(s) && s[i+1] == ' ' {
				i++
			}
			start = i + 1
		}
	}
	if start < len(s) {
		out = append(out, s[start:])
	}
	return out
}

// cleanup strips quotes and outer spaces and resolves escapes.
func cleanup(s string, delim byte) string {
	s = strings.TrimLeft(s, " ")
	var out []byte
	end, quoted := 0, false
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			if e, ok := unescaped(s[i+1], delim); ok {
				out = append(out, e)
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

func unescaped(c, delim byte) (byte, bool) {
	switch {
	case c == '\'' || c == '"' || c == '\\' || delim != 0 && c == delim:
		return c, true
	case c == 'n':
		return '\n', true
	case c == 'r':
		return '\r', true
	case c == 't':
		return '\t', true
	case c == 's':
		return ' ', true
	}
	return 0, false
}

// closing finds the bracket that closes the one s starts with, -1 if there is none.
func closing(s string, open, shut byte) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case open:
			depth++
		case shut:
			if depth--; depth == 0 {
				return i
			}
		}
		if depth == 0 {
			return -1
		}
	}
	return -1
}

// brackets reads one set of variables off the front of s.
func brackets(s string, open, shut, delim byte, into map[string]string) (rest string, err error) {
	end := closing(s, open, shut)
	if end < 0 {
		return "", errParse
	}
	inner := s[1:end]
	if len(inner) >= 3 && inner[:2] == "^^" {
		delim, inner = inner[2], inner[3:]
	}
	for _, pair := range separate(inner, delim, 1024) {
		if kv := separate(pair, '=', 2); len(kv) == 2 {
			into[kv[0]] = kv[1]
		}
	}
	return s[end+1:], nil
}

func parseDial(s string) (outer map[string]string, groups []parsedGroup, err error) {
	outer = map[string]string{}
	if !strings.Contains(s, ":_:") {
		g, err := parseGroup(s)
		return outer, []parsedGroup{g}, err
	}
	s = strings.TrimLeft(s, " ")
	for strings.HasPrefix(s, "<") {
		if s, err = brackets(s, '<', '>', ',', outer); err != nil {
			return nil, nil, err
		}
	}
	for part := range strings.SplitSeq(s, ":_:") {
		g, err := parseGroup(part)
		if err != nil {
			return nil, nil, err
		}
		groups = append(groups, g)
	}
	return outer, groups, nil
}

func parseGroup(s string) (g parsedGroup, err error) {
	g.vars = map[string]string{}
	s = strings.TrimLeft(s, " ")
	for _, b := range []string{"<>", "{}"} {
		for strings.HasPrefix(s, b[:1]) {
			if s, err = brackets(s, b[0], b[1], ',', g.vars); err != nil {
				return g, err
			}
		}
	}
	s = strings.TrimLeft(s, " ")
	for _, step := range separate(s, '|', 128) {
		legs, err := parseStep(step)
		if err != nil {
			return g, err
		}
		g.steps = append(g.steps, legs)
	}
	return g, nil
}

// parseStep marks commas inside square brackets, splits at the others, and reads
// the variables of each leg.
func parseStep(s string) (legs []parsedLeg, err error) {
	b := []byte(s)
	end, quoted, alt := -1, false, false
	for i := range b {
		if end < 0 && b[i] == '[' {
			if e := closing(s[i:], '[', ']'); e >= 0 {
				end = i + e
			}
			alt = strings.HasPrefix(s[i+1:], "^^")
			quoted = false
		}
		if b[i] == '\'' {
			quoted = !quoted
		}
		if end >= 0 && i < end && b[i] == ',' && b[i-1] != '\\' {
			b[i] = unquotedComma
			if quoted || alt {
				b[i] = quotedComma
			}
		}
		if i == end {
			end = -1
		}
	}
	for _, part := range separate(string(b), ',', 128) {
		leg := parsedLeg{vars: map[string]string{}}
		part = strings.TrimLeft(part, " ")
		for strings.HasPrefix(part, "[") {
			if e := closing(part, '[', ']'); e >= 0 {
				part = strings.ReplaceAll(part[:e], string(rune(quotedComma)), ",") + part[e:]
			}
			if part, err = brackets(part, '[', ']', unquotedComma, leg.vars); err != nil {
				return nil, err
			}
		}
		leg.endpoint = strings.TrimLeft(part, " ")
		legs = append(legs, leg)
	}
	return legs, nil
}
