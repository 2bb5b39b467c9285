//go:build !purego

package esl

import (
	"bytes"
	"strings"
	"unsafe"

	"golang.org/x/sys/cpu"
)

// seeks is whether a name can be looked for in the text: whether the processor has the
// instructions, which nearly all have.
var seeks = cpu.X86.HasAVX2

// seekLine looks for a header in text, in the lines that start between at and end. Of the
// name, of n bytes, 32 can be read, and of the text n+33 at least. It returns where the line
// starts, where its value ends, and whether it may hold escapes (not 0). line is -1 when no
// line has the name, and -2 when that takes an index to say; to is -1 when it takes a closer
// look whether the line has it, and where its value ends.
//
//go:noescape
func seekLine(text *byte, size, at, end int, name *byte, n int) (line, to, escapes int)

// copyLines copies text of a line or several, 64 bytes at a time, and stops before those in which
// the empty line may be that ends the headers, and before the last 65 at the latest. It returns
// how many bytes it has copied. Copying and searching take turns at waiting for memory.
//
//go:noescape
func copyLines(to, text *byte, size int) (n int)

// copyHeaders is keep for texts that can be searched, and finds where their headers end. It
// reports whether this is one.
func (b *block) copyHeaders(text []byte) bool {
	if !seeks || b.kind != plainEncoded {
		return false
	}
	b.buf, b.end = []byte{}, 0
	if len(text) == 0 {
		return true
	}
	buf, n := uncleared(len(text)), 0
	if !endsLines(text, 0) {
		n = copyLines(&buf[0], &text[0], len(text))
		b.end = uint32(linesEnd(text, n))
	}
	copy(buf[n:], text[n:])
	b.buf = buf
	return true
}

// linesEnd returns where the first empty line behind text[from] is, or the text's end.
func linesEnd(text []byte, from int) int {
	for {
		i := bytes.IndexByte(text[from:], '\n')
		if i < 0 {
			return len(text)
		}
		if from += i + 1; endsLines(text, from) {
			return from
		}
	}
}

// A text that look-ups have gone through so often, in vain or up to a header far behind, is
// indexed: to make the index takes about as long.
const (
	seekOften = 8
	seekFar   = 1024 // bytes; what is nearer is found sooner than in an index
)

// seek is lookup for nearly all names and encoded plain texts, without an index; sure is false
// for others.
func (b *block) seek(name string) (value string, ok, sure bool) {
	if !seeks || b.kind != plainEncoded || !readable(name) || int(b.size) < len(name)+33 {
		return "", false, false
	}
	b.own()
	if b.sought.Load() > seekOften*b.size {
		return "", false, false
	}
	for at := 0; ; {
		line, to, escapes := seekLine(&b.buf[0], len(b.buf), at, int(b.end), unsafe.StringData(name), len(name))
		if line < 0 {
			b.sought.Add(b.end)
			return "", false, line == -1
		}
		if line >= seekFar {
			b.sought.Add(uint32(line))
		}
		from := line + len(name) + len(": ")
		switch {
		case to >= 0 && escapes == 0:
			return b.string(from, to), true, true
		case to >= 0:
			return unescape(b.string(from, to)), true, true
		case b.named(line, name):
			return unescape(b.behind(from - len(" "))), true, true
		}
		at = line + 1
	}
}

// behind returns the value that starts at from, or behind a space there.
func (b *block) behind(from int) string {
	value := strings.TrimPrefix(b.string(from, len(b.buf)), " ")
	if i := strings.IndexByte(value, '\n'); i >= 0 {
		value = value[:i]
	}
	return strings.TrimSuffix(value, "\r")
}

// readable reports whether a name can be read in one go: behind one that ends near the end of a
// page there may be no memory.
func readable(name string) bool {
	const page = 4096
	at := uintptr(unsafe.Pointer(unsafe.StringData(name))) % page
	return name != "" && (len(name) >= tagBytes || at <= page-tagBytes)
}
