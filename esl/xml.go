package esl

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"
)

// xml indexes the lines between <headers> and </headers>; offsets point behind
// the bracket that opens an element. FreeSWITCH writes a header a line, with
// URL-encoded values: neither a line break nor a bracket can stand in a value.
// Names are not escaped, so that a name with a bracket makes the whole malformed
// for an XML parser; taken line by line it is not.
func (w *indexWriter) xml() {
	text := w.buf
	if w.at == 0 {
		w.at = bytes.Index(text, []byte("<headers>"))
	}
	for w.at >= 0 {
		i := bytes.IndexByte(text[w.at:], '\n')
		if i < 0 {
			break
		}
		off := skipSpace(text, w.at+i+1)
		if off >= len(text) {
			break
		}
		if bytes.HasPrefix(text[off:], []byte("</headers>")) {
			w.finish(off)
			return
		}
		w.at = off
		if text[off] == '<' {
			name, _, _ := xmlElement(w.lineAt(off))
			if w.add(off+1, tagOf(name)) {
				return
			}
		}
	}
	w.finish(len(text))
}

// lineAt returns the line of text that starts at off, without its line break.
func (b *block) lineAt(off int) string {
	line := b.string(off, int(b.size))
	if i := strings.IndexByte(line, '\n'); i >= 0 {
		line = line[:i]
	}
	return strings.TrimRight(line, " \r\t")
}

// xmlElement takes <NAME>VALUE</NAME> apart. The name is the one that stands at
// both ends, as a name can hold brackets itself.
func xmlElement(line string) (name string, from, to int) {
	if end := strings.IndexByte(line, '>'); end > 0 && closes(line, line[1:end], end+1) {
		return line[1:end], end + 1, len(line) - len("</>") - (end - 1)
	}
	if empty, ok := strings.CutSuffix(line, "/>"); ok && !strings.Contains(line, "</") {
		return strings.TrimPrefix(empty, "<"), len(line), len(line)
	}
	for end := len(line); ; {
		end = strings.LastIndex(line[:end], "</")
		if end < 0 {
			break
		}
		name := strings.TrimSuffix(line[end+2:], ">")
		if value := len(name) + len("<>"); value <= end && line[value-1] == '>' && line[1:value-1] == name {
			return name, value, end
		}
	}
	// Not closed as it was opened: up to the first bracket is the best guess.
	end := strings.IndexByte(line, '>')
	if end < 0 {
		return strings.TrimPrefix(line, "<"), len(line), len(line)
	}
	value := strings.IndexByte(line[end:], '<')
	if value < 0 {
		value = len(line) - end
	}
	return line[min(1, end):end], end + 1, max(end+1, end+value)
}

// closes reports whether line ends with the closing tag of name, at or behind from.
func closes(line, name string, from int) bool {
	rest, ok := strings.CutSuffix(line[from:], ">")
	if !ok {
		return false
	}
	rest, ok = strings.CutSuffix(rest, name)
	return ok && strings.HasSuffix(rest, "</")
}

// xmlLine returns the name of header i and where in the text its value lies.
func (b *block) xmlLine(i int) (name string, from, to int) {
	off := b.offset(i) - 1
	name, from, to = xmlElement(b.lineAt(off))
	return name, off + from, off + to
}

func (b *block) xmlValue(i int) (from, to int) {
	_, from, to = b.xmlLine(i)
	return from, to
}

// xmlBody returns the event's body: the text of <body>, whose closing tag
// FreeSWITCH indents when the text ends in a line break.
func (b *block) xmlBody() string {
	rest := b.string(int(b.end), int(b.size))
	i := strings.Index(rest, "<body>")
	end := strings.LastIndex(rest, "</body>")
	if i < 0 || end < i {
		return ""
	}
	text := rest[i+len("<body>") : end]
	if cut, ok := strings.CutSuffix(text, "\n  "); ok {
		text = cut + "\n"
	}
	return unescapeXML(text)
}

// unescapeXML undoes XML's entities and character references, and nothing else:
// what HTML knows besides would change a text that happens to hold it.
func unescapeXML(s string) string {
	if strings.IndexByte(s, '&') < 0 {
		return s
	}
	var out strings.Builder
	out.Grow(len(s))
	for {
		text, rest, found := strings.Cut(s, "&")
		out.WriteString(text)
		if !found {
			return out.String()
		}
		name, _, closed := strings.Cut(rest[:min(len(rest), maxEntity)], ";")
		if char, ok := xmlEntity(name); closed && ok {
			out.WriteRune(char)
			s = rest[len(name)+1:]
			continue
		}
		out.WriteByte('&')
		s = rest
	}
}

// maxEntity is more than any reference is long, so that a text full of ampersands
// is read once.
const maxEntity = 12

// xmlEntity returns the character that &name; stands for.
func xmlEntity(name string) (rune, bool) {
	switch name {
	case "lt":
		return '<', true
	case "gt":
		return '>', true
	case "amp":
		return '&', true
	case "quot":
		return '"', true
	case "apos":
		return '\'', true
	}
	digits, ok := strings.CutPrefix(name, "#")
	if !ok {
		return 0, false
	}
	base := 10
	if hex, ok := strings.CutPrefix(strings.ToLower(digits), "x"); ok {
		digits, base = hex, 16
	}
	n, err := strconv.ParseUint(digits, base, 32)
	return rune(n), err == nil && utf8.ValidRune(rune(n))
}
