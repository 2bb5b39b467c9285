//go:build !purego

package esl

import (
	"bytes"
	"math"
	"strings"
	"unsafe"

	"golang.org/x/sys/cpu"
)

// seeks is whether a name can be looked for in the text: whether the processor has the
// instructions, which nearly all have.
var seeks = cpu.X86.HasAVX2

// seekName looks for a header in text by what stands before and behind its name, where names
// start between at and end; one at the very start has nothing before it. Of the name, of
// n bytes, 32 can be read, and of the text n+33 at least. It returns where the name stands and,
// if that is a line, where its value ends, and whether it may hold escapes (not 0). off is -1
// when no header has the name, and -2 when that takes an index to say; to is -1 when it takes a
// closer look whether it is the name, and where the value ends.
//
//go:noescape
func seekName(text *byte, size, at, end int, name *byte, n int, before, behind byte) (off, to, escapes int)

// copyLines copies text of a line or several, 64 bytes at a time, and stops before those in which
// the empty line may be that ends the headers, and before the last 65 at the latest. It returns
// how many bytes it has copied. Copying and searching take turns at waiting for memory.
//
//go:noescape
func copyLines(to, text *byte, size int) (n int)

// keepWhole is keep for texts that can be searched. It reports whether this is one.
func (b *block) keepWhole(text []byte) bool {
	switch {
	case !seeks:
		return false
	case b.kind.isPlain():
		b.copyLines(text)
	case b.kind == jsonObject:
		b.copyObject(text)
	default:
		return false
	}
	return true
}

// copyLines copies plain text, and finds where the headers end. It leaves the slack behind it that
// indexing takes, should it come to that.
func (b *block) copyLines(text []byte) {
	buf, n := uncleared(len(text) + slack)[:len(text)], 0
	b.end = 0
	if !endsLines(text, 0) {
		n, b.end = copyLines(&buf[0], &text[0], len(text)), b.size
		if end, _ := emptyLine(text, n); end >= 0 {
			b.end = uint32(end)
		}
	}
	copy(buf[n:], text[n:])
	b.buf = buf
}

// copyObject copies JSON. Only a flat object can be searched, and where another bracket stands in
// it, if only in a value, this one may be none; nor can one with letters written as numbers.
func (b *block) copyObject(text []byte) {
	b.buf = bytes.Clone(text)
	if len(text) == 0 || text[0] != '{' || bytes.IndexByte(text[1:], '{') >= 0 || bytes.Contains(text, numbered) {
		b.sought.Store(math.MaxUint32)
	}
}

var numbered = []byte(`\u`)

// oddInNames is what is either written with escapes or what stands between members too.
var oddInNames = func() (odd [256]bool) {
	for c := range ' ' {
		odd[c] = true
	}
	for _, c := range []byte(`"\/,:`) {
		odd[c] = true
	}
	return odd
}()

func hasOdd(name string) bool {
	for i := range len(name) {
		if oddInNames[name[i]] {
			return true
		}
	}
	return false
}

// A text that look-ups have gone through so often, in vain or up to a header far behind, is
// indexed, for to make the index takes about as long.
const (
	seekOften = 4
	seekMore  = 4 << 10 // bytes
	seekFar   = 1 << 10 // bytes; what is nearer is found sooner than in an index
)

// seek is lookup for nearly all names, in plain text and flat JSON, without an index; sure is
// false for others.
func (b *block) seek(name string) (value string, ok, sure bool) {
	if !seeks || int(b.size) < len(name)+33 || name == "" {
		return "", false, false
	}
	b.own()
	first := unsafe.StringData(name)
	if !readable(name) {
		var padded [tagBytes]byte
		copy(padded[:], name)
		first = &padded[0]
	}
	switch {
	case b.sought.Load() > seekOften*b.size+seekMore:
	case b.kind.isPlain():
		return b.seekLine(name, first)
	case b.kind == jsonObject:
		return b.seekMember(name, first)
	}
	return "", false, false
}

// went counts that a look-up went through the text up to off.
func (b *block) went(off int) {
	if off >= seekFar {
		b.sought.Add(uint32(off))
	}
}

// seekLine is seek for plain text; first is the name in memory that can be read.
func (b *block) seekLine(name string, first *byte) (value string, ok, sure bool) {
	for at := 0; ; {
		off, to, escapes := seekName(&b.buf[0], len(b.buf), at, int(b.end), first, len(name), '\n', ':')
		if off < 0 {
			b.sought.Add(b.end)
			return "", false, off == -1
		}
		b.went(off)
		from := off + len(name) + len(":")
		switch {
		case to >= 0:
			value = b.string(from+len(" "), to)
		case strings.IndexByte(name, '\n') >= 0: // behind what seekName compares
			return "", false, false
		case b.named(off, name):
			value, escapes = b.behind(from), 1
		default:
			at = off + 1
			continue
		}
		if b.kind == plainRaw {
			return value, true, !b.continues(from + len(value))
		}
		if escapes != 0 {
			value = unescape(value)
		}
		return value, true, true
	}
}

// seekBetween looks for a header of which the name starts between at and end, and returns where it does: -1 when there is
// none, or it takes a closer look.
func (b *block) seekBetween(name string, at, end int) (value string, off int) {
	end = min(end, int(b.end))
	if !seeks || b.kind != plainEncoded || len(b.buf) < len(name)+33 || at >= end || !readable(name) {
		return "", -1
	}
	off, to, escapes := seekName(&b.buf[0], len(b.buf), at, end, unsafe.StringData(name), len(name), '\n', ':')
	if off < 0 || to < 0 {
		return "", -1
	}
	value = b.string(off+len(name)+len(": "), to)
	if escapes != 0 {
		value = unescape(value)
	}
	return value, off
}

// seekMember is seek for JSON.
func (b *block) seekMember(name string, first *byte) (value string, ok, sure bool) {
	if hasOdd(name) || sameName(name, bodyKey) {
		return "", false, false
	}
	for at := len(`{"`); ; {
		off, _, _ := seekName(&b.buf[0], len(b.buf), at, len(b.buf), first, len(name), '"', '"')
		if off < 0 {
			b.sought.Add(b.size)
			return "", false, off == -1
		}
		b.went(off)
		end := off + len(name)
		colon := skipSpace(b.buf, end+len(`"`))
		if colon < len(b.buf) && b.buf[colon] == ':' && b.buf[off-2] != '\\' && sameName(b.string(off, end), name) {
			return b.jsonValue(skipSpace(b.buf, colon+1)), true, true
		}
		at = off + 1
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

// continues reports whether a value, of which text[to] is the end or close before it, goes on in a
// line without a colon.
func (b *block) continues(to int) bool {
	i := bytes.IndexByte(b.buf[to:], '\n')
	if i < 0 || to+i+1 >= int(b.end) {
		return false
	}
	line, _, _ := bytes.Cut(b.buf[to+i+1:b.end], newline)
	return bytes.IndexByte(line, ':') < 0
}

// readable reports whether a name can be read in one go: behind one that ends near the end of a
// page there may be no memory.
func readable(name string) bool {
	const page = 4096
	at := uintptr(unsafe.Pointer(unsafe.StringData(name))) % page
	return len(name) >= tagBytes || at <= page-tagBytes
}
