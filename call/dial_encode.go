package call

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

const (
	// groupDelim separates the groups of an enterprise originate.
	groupDelim = ":_:"
	// maxLegs is FreeSWITCH's MAX_PEERS: what is beyond it is silently not called.
	maxLegs = 128
)

// encode writes one group. alone tells that it is the only one: then variables
// whose braces do not nest can go between < and > instead.
func (g group) encode(alone bool) (string, error) {
	braces, angles := g.vars, Vars(nil)
	if alone {
		braces, angles = splitByBraces(g.vars)
	}
	outer, err := encodeVars(angles, '<', '>')
	if err != nil {
		return "", err
	}
	inner, err := encodeVars(braces, '{', '}')
	if err != nil {
		return "", err
	}
	if len(g.steps) > maxLegs {
		return "", fmt.Errorf("call: %d destinations after one another, FreeSWITCH takes %d: %w", len(g.steps), maxLegs, ErrUnencodable)
	}
	steps := make([]string, len(g.steps))
	for i, legs := range g.steps {
		if steps[i], err = encodeStep(legs); err != nil {
			return "", err
		}
	}
	return outer + inner + strings.Join(steps, "|"), nil
}

// encodeStep writes the legs that ring together.
func encodeStep(legs []Leg) (string, error) {
	if len(legs) == 0 || len(legs) > maxLegs {
		return "", fmt.Errorf("call: %d legs to ring together, FreeSWITCH takes 1 to %d: %w", len(legs), maxLegs, ErrUnencodable)
	}
	parts := make([]string, len(legs))
	for i, leg := range legs {
		s, err := leg.encode()
		if err != nil {
			return "", err
		}
		parts[i] = escape(s, ',')
	}
	return breakGroups(escape(strings.Join(parts, ","), '|')), nil
}

// encode writes a leg as it must be found after the passes at | and at the comma.
// Every variable has brackets of its own, because FreeSWITCH looks for quotes in
// [a=1,b=2] without regard to backslashes.
func (l Leg) encode() (string, error) {
	if l.err != nil {
		return "", l.err
	}
	if l.endpoint == "" {
		return "", fmt.Errorf("call: leg without an endpoint: %w", ErrUnencodable)
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(l.vars)) {
		pair, err := encodePair(name, l.vars[name])
		if err != nil {
			return "", err
		}
		if !nested(pair, '[', ']') {
			return "", fmt.Errorf("call: variable %s of a leg: square brackets do not nest: %w", name, ErrUnencodable)
		}
		b.WriteByte('[')
		b.WriteString(escape(pair, 0))
		b.WriteByte(']')
	}
	b.WriteString(l.endpoint)
	return b.String(), nil
}

// encodeVars writes variables between brackets, nothing if there are none.
func encodeVars(vars Vars, open, closing byte) (string, error) {
	if len(vars) == 0 {
		return "", nil
	}
	pairs := make([]string, 0, len(vars))
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		pair, err := encodePair(name, vars[name])
		if err != nil {
			return "", err
		}
		if !nested(pair, open, closing) {
			return "", fmt.Errorf("call: variable %s: %c and %c do not nest: %w", name, open, closing, ErrUnencodable)
		}
		pairs = append(pairs, pair)
	}
	delim, mark := delimiterFor(pairs)
	for i := range pairs {
		pairs[i] = breakGroups(escape(pairs[i], delim))
	}
	return string(open) + mark + strings.Join(pairs, string(delim)) + string(closing), nil
}

// encodePair writes name=value as it must be found after the split between
// variables.
func encodePair(name, value string) (string, error) {
	if err := checkName(name); err != nil {
		return "", err
	}
	if err := checkData("variable "+name, value); err != nil {
		return "", err
	}
	return name + "=" + escape(value, 0), nil
}

// delimiterFor picks what stands between variables: the comma, or when a value
// holds one, a character that no value holds, announced by ^^.
func delimiterFor(pairs []string) (delim byte, mark string) {
	all := strings.Join(pairs, "")
	if !strings.Contains(all, ",") {
		return ',', ""
	}
	for _, c := range []byte(";!~#") {
		if strings.IndexByte(all, c) < 0 {
			return c, "^^" + string(c)
		}
	}
	return ',', "" // commas are escaped
}

// splitByBraces parts the variables whose curly braces nest from the others.
func splitByBraces(vars Vars) (nestedOnes, others Vars) {
	for name, value := range vars {
		if nested(value, '{', '}') {
			continue
		}
		if others == nil {
			others = Vars{}
			nestedOnes = maps.Clone(vars)
		}
		others[name] = value
		delete(nestedOnes, name)
	}
	if others == nil {
		return vars, nil
	}
	return nestedOnes, others
}

// checkEndpoint refuses what could make one destination more than that.
func checkEndpoint(s string) error {
	fail := func(why string) error { return fmt.Errorf("call: endpoint %q %s: %w", s, why, ErrUnencodable) }
	kind, rest, ok := strings.Cut(s, "/")
	if !ok || kind == "" || rest == "" {
		return fail("is not TYPE/DESTINATION")
	}
	if err := checkData("endpoint", s); err != nil {
		return err
	}
	for i := 0; i < len(kind); i++ {
		if c := kind[i]; !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '.') {
			return fail("has an odd type")
		}
	}
	if i := strings.IndexAny(rest, ",|'\"\\{}<> \t"); i >= 0 {
		return fail(fmt.Sprintf("holds %q", rest[i]))
	}
	if strings.Contains(s, groupDelim) || strings.HasSuffix(s, groupDelim[:2]) {
		return fail("holds " + groupDelim + " or ends like it")
	}
	if !nested(rest, '[', ']') {
		return fail("holds square brackets that do not nest")
	}
	if strings.EqualFold(kind, "loopback") {
		return checkLoopback(rest, fail)
	}
	return nil
}

// checkLoopback refuses what mod_loopback runs as applications instead of calling an
// extension: app=NAME:ARGUMENT, and a third part that names another dialplan, such as
// inline, in which the extension is a list of applications.
func checkLoopback(rest string, fail func(why string) error) error {
	const app = "app="
	if len(rest) >= len(app) && strings.EqualFold(rest[:len(app)], app) {
		return fail("would run an application; only an extension is allowed")
	}
	if parts := strings.SplitN(rest, "/", 3); len(parts) == 3 && !strings.EqualFold(parts[2], "XML") {
		return fail("names a dialplan; only EXTENSION/CONTEXT is allowed, with /XML or without")
	}
	return nil
}

// without refuses a part of the endpoint that holds one of the separators: FreeSWITCH
// would end the part there.
func (l Leg) without(separators, what, part string) Leg {
	if i := strings.IndexAny(part, separators); i >= 0 && l.err == nil {
		l.err = fmt.Errorf("call: %s %q holds %q, where FreeSWITCH would end it; none of %s is allowed: %w",
			what, part, part[i], separators, ErrUnencodable)
	}
	return l
}

// withoutVars takes away what stands in brackets before the legs of a raw dial string.
func withoutVars(raw string) string {
	var b strings.Builder
	for begins := true; raw != ""; raw = raw[1:] {
		for begins && strings.IndexByte("{[<", raw[0]) >= 0 {
			if raw = raw[bracketed(raw):]; raw == "" {
				return b.String()
			}
		}
		b.WriteByte(raw[0])
		begins = strings.IndexByte(",|: ", raw[0]) >= 0
	}
	return b.String()
}

// bracketed returns where the brackets that s begins with have closed again.
func bracketed(s string) int {
	opening, closing := s[0], map[byte]byte{'{': '}', '[': ']', '<': '>'}[s[0]]
	depth := 0
	for i := range len(s) {
		switch s[i] {
		case opening:
			depth++
		case closing:
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(s)
}
