package esl

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"
)

// bodyKey is the name under which FreeSWITCH puts an event's body in JSON.
const bodyKey = "_body"

// json indexes the members of the object; offsets point behind the quote that
// opens a name. What cannot be read ends the index: FreeSWITCH writes one flat
// object of strings and arrays of strings.
func (w *indexWriter) json() {
	text := w.buf
	if w.at == 0 {
		w.end = w.size // no body, unless one is found
		w.at = bytes.IndexByte(text, '{') + 1
	}
	for w.at > 0 && w.at < len(text) {
		name := skipSpace(text, w.at) + 1
		if name > len(text) || text[name-1] != '"' {
			break
		}
		end := stringEnd(text, name)
		colon := skipSpace(text, end+1)
		if end < 0 || colon >= len(text) || text[colon] != ':' {
			break
		}
		value := skipSpace(text, colon+1)
		next := skipValue(text, value)
		if next < 0 {
			break
		}
		enough := false
		if string(text[name:end]) == bodyKey {
			w.end = uint32(value)
		} else {
			enough = w.add(name, tagOf(w.jsonName(name)))
		}
		w.at = skipSpace(text, next)
		if w.at >= len(text) || text[w.at] != ',' {
			break
		}
		w.at++
		if enough {
			return
		}
	}
	w.done = true
}

func skipSpace(text []byte, at int) int {
	for at < len(text) && (text[at] == ' ' || text[at] == '\n' || text[at] == '\r' || text[at] == '\t') {
		at++
	}
	return at
}

// stringEnd returns where the string that starts at text[from] (behind its
// opening quote) has its closing quote, or -1.
func stringEnd(text []byte, from int) int {
	for at := from; at >= 0 && at < len(text); {
		i := bytes.IndexByte(text[at:], '"')
		if i < 0 {
			return -1
		}
		at += i
		slashes := 0
		for at-1-slashes >= from && text[at-1-slashes] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			return at
		}
		at++
	}
	return -1
}

// skipValue returns where the value that starts at text[at] ends, or -1.
func skipValue(text []byte, at int) int {
	if at >= len(text) {
		return -1
	}
	switch text[at] {
	case '"':
		return stringEnd(text, at+1) + 1
	case '[', '{':
		return skipNested(text, at)
	}
	if i := bytes.IndexAny(text[at:], ",}]"); i >= 0 {
		return at + i
	}
	return -1
}

// skipNested returns where the array or object that starts at text[at] ends, or -1.
func skipNested(text []byte, at int) int {
	for depth := 0; at < len(text); at++ {
		switch text[at] {
		case '"':
			if at = stringEnd(text, at+1); at < 0 {
				return -1
			}
		case '[', '{':
			depth++
		case ']', '}':
			if depth--; depth == 0 {
				return at + 1
			}
		}
	}
	return -1
}

func (b *block) jsonName(off int) string {
	return unquote(b.string(off, stringEnd(b.buf, off)))
}

func (b *block) jsonNamed(off int, name string) bool {
	after := off + len(name)
	if b.buf[after] == '"' && sameName(b.string(off, after), name) && !strings.ContainsAny(name, `"\`) {
		return true
	}
	raw := b.string(off, stringEnd(b.buf, off))
	return strings.IndexByte(raw, '\\') >= 0 && sameName(unquote(raw), name)
}

// jsonValue returns the value at text[at]; an array in the form that the plain
// format has for it, ARRAY::one|:two.
func (b *block) jsonValue(at int) string {
	if at >= len(b.buf) || b.buf[at] != '[' {
		return b.jsonString(at)
	}
	values := b.appendJSONValues(nil, at)
	switch len(values) {
	case 0:
		return ""
	case 1:
		return values[0]
	}
	return arrayPrefix + strings.Join(values, arraySeparator)
}

// jsonValueAt returns where the value of header i starts, behind name and colon.
func (b *block) jsonValueAt(i int) int {
	text := b.buf
	at := skipSpace(text, stringEnd(text, b.offset(i))+1)
	return skipSpace(text, at+1)
}

func (b *block) appendJSONValues(dst []string, at int) []string {
	text := b.buf
	if text[at] != '[' {
		return append(dst, b.jsonString(at))
	}
	for at = skipSpace(text, at+1); at < len(text) && text[at] != ']'; {
		dst = append(dst, b.jsonString(at))
		next := skipValue(text, at)
		if next <= at { // a bracket that closes nothing
			break
		}
		if at = skipSpace(text, next); at < len(text) && text[at] == ',' {
			at = skipSpace(text, at+1)
		}
	}
	return dst
}

// jsonString returns the value at text[at]: a string without its quotes and
// escapes, anything else as it is written.
func (b *block) jsonString(at int) string {
	text := b.buf
	if at < len(text) && text[at] == '"' {
		return unquote(b.string(at+1, stringEnd(text, at+1)))
	}
	end := skipValue(text, at)
	return strings.TrimSpace(b.string(at, end))
}

// unquote undoes JSON's escapes. Bytes that are not UTF-8 stay as they are, for
// FreeSWITCH passes on what the far end sent.
func unquote(s string) string {
	i := strings.IndexByte(s, '\\')
	if i < 0 {
		return s
	}
	var out strings.Builder
	out.Grow(len(s))
	for i >= 0 {
		out.WriteString(s[:i])
		s = s[i:]
		r, rest := unquoteOne(s)
		out.WriteString(r)
		s = rest
		i = strings.IndexByte(s, '\\')
	}
	out.WriteString(s)
	return out.String()
}

// unquoteOne decodes the escape at the start of s.
func unquoteOne(s string) (decoded, rest string) {
	if len(s) < 2 {
		return s, ""
	}
	switch s[1] {
	case 'n':
		return "\n", s[2:]
	case 't':
		return "\t", s[2:]
	case 'r':
		return "\r", s[2:]
	case 'b':
		return "\b", s[2:]
	case 'f':
		return "\f", s[2:]
	case 'u':
		r, length := unquoteRune(s)
		return string(r), s[length:]
	}
	return s[1:2], s[2:] // \" \\ \/ and what nobody should send
}

// unquoteRune decodes \uXXXX, or two of them that make a surrogate pair.
func unquoteRune(s string) (r rune, length int) {
	first, ok := hex4(s)
	if !ok {
		return 'u', 2
	}
	if first < 0xd800 || first > 0xdfff {
		return first, 6
	}
	if second, ok := hex4(s[6:]); ok && first < 0xdc00 && 0xdc00 <= second && second <= 0xdfff {
		return (first-0xd800)<<10 + (second - 0xdc00) + 0x10000, 12
	}
	return utf8.RuneError, 6
}

func hex4(s string) (rune, bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	v, err := strconv.ParseUint(s[2:6], 16, 16)
	return rune(v), err == nil
}
