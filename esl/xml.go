package esl

import (
	"bytes"
	"html"
	"strings"
)

// xml indexes the lines between <headers> and </headers>; offsets point behind
// the bracket that opens an element. FreeSWITCH writes a header a line, with
// URL-encoded values: neither a line break nor a bracket can stand in a value.
// Names are not escaped, so that a name with a bracket makes the whole malformed
// for an XML parser; taken line by line it is not.
func (w *indexWriter) xml() {
	text := w.text()
	w.end = w.size
	off := bytes.Index(text, []byte("<headers>"))
	if off < 0 {
		return
	}
	for {
		i := bytes.IndexByte(text[off:], '\n')
		if i < 0 {
			return
		}
		off = skipSpace(text, off+i+1)
		if bytes.HasPrefix(text[off:], []byte("</headers>")) {
			w.end = uint32(off)
			return
		}
		if off >= len(text) {
			return
		}
		if text[off] == '<' {
			name, _, _ := xmlElement(lineAt(text, off))
			w.add(off+1, tagOf(name))
		}
	}
}

// lineAt returns the line of text that starts at off, without its line break.
func lineAt(text []byte, off int) string {
	line := text[off:]
	if i := bytes.IndexByte(line, '\n'); i >= 0 {
		line = line[:i]
	}
	return strings.TrimRight(string(line), " \r\t")
}

// xmlElement takes <NAME>VALUE</NAME> apart. The name is the one that stands at
// both ends, as a name can hold brackets itself.
func xmlElement(line string) (name string, from, to int) {
	if empty, ok := strings.CutSuffix(line, "/>"); ok && !strings.Contains(line, "</") {
		return strings.TrimPrefix(empty, "<"), len(line), len(line)
	}
	for end := len(line); ; {
		end = strings.LastIndex(line[:end], "</")
		if end < 0 {
			break
		}
		name := strings.TrimSuffix(line[end+2:], ">")
		if open := "<" + name + ">"; strings.HasPrefix(line, open) && len(open) <= end {
			return name, len(open), end
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

// xmlLine returns the name of header i and where in the text its value lies.
func (b *block) xmlLine(i int) (name string, from, to int) {
	off := b.offset(i) - 1
	name, from, to = xmlElement(lineAt(b.text(), off))
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
	return html.UnescapeString(text)
}
