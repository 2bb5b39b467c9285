package esl

import (
	"bytes"
	"strings"
	"sync"
	"sync/atomic"
	"unsafe"
)

// dialect says how a block of headers is written.
type dialect uint8

const (
	plainEncoded dialect = iota // Name: URL%20encoded\n
	plainRaw                    // Name: value\n, a line without a colon continues the value before
	jsonObject                  // {"Name":"value", …}
	xmlElements                 // <Name>URL%20encoded</Name>\n
)

func (d dialect) isPlain() bool { return d == plainEncoded || d == plainRaw }

// block is a read-only block of headers that is searched or indexed, not parsed.
//
// buf is the wire text. The index is one tag byte for every header, then one
// little-endian offset of where its name starts. It grows as far as a look-up has to
// look and no further, on whichever goroutine asks, so that an event nobody looks into
// costs one copy, and one whose first headers are read costs little more. A look-up
// scans the tags, which the processor does 32 at a time, and compares names only
// where the tag agrees.
//
// A processor that can look for a name in the text itself (seeks) does so at first, in plain text
// and in JSON: handlers read a few headers, and an index pays only for many. For XML, and for other
// processors, there is room for one from the start, behind the text in the same allocation.
//
// Strings handed out share memory with buf unless they had to be decoded. That
// is safe because the text is never written after keep, and of the
// index only what lies beyond the published progress.
type block struct {
	buf    []byte
	marks  []byte        // the index: tags and, from bound on, offsets
	known  progress      // how far the index goes
	sought atomic.Uint32 // bytes that look-ups went through for want of an index, see seek
	size   uint32        // bytes of text
	bound  uint32        // headers that the index has room for
	end    uint32        // where the body starts, or the header part ends: see endKnown
	kind   dialect
	grow   sync.Mutex // held to extend the index, or to copy the text
}

// wideText is the size of text from which offsets no longer fit 16 bits.
const wideText = 1 << 16

func (b *block) offsetSize() int {
	if b.size > wideText {
		return 4
	}
	return 2
}

// init copies text into the block.
func (b *block) init(text []byte, kind dialect) {
	b.kind, b.size = kind, uint32(len(text))
	b.keep(text)
}

// keep gives the block memory of its own, of which it has kind and size already.
func (b *block) keep(text []byte) {
	if b.keepWhole(text) {
		return
	}
	all := uncleared(len(text) + b.room(text))
	copy(all, text)
	b.buf, b.marks = all[:len(text):len(text)], all[len(text):]
}

// own makes sure that a block whose text is lent has memory of its own. It may be called
// from several goroutines at a time.
func (b *block) own() {
	if b.known.lent() {
		b.keepLent()
	}
}

func (b *block) keepLent() {
	b.grow.Lock()
	defer b.grow.Unlock()
	if b.known.lent() {
		b.keep(b.buf)
		b.known.store(0, 0, false)
	}
}

// room sets bound, and returns how many bytes the index of text takes. It is bounded by
// what the text can hold: a header takes at least a line, or four quotes in JSON.
func (b *block) room(text []byte) int {
	if b.kind == jsonObject {
		b.bound = uint32(bytes.Count(text, quote)/2 + 1)
	} else {
		b.bound = uint32(bytes.Count(headerPart(text), newline) + 1)
	}
	room := int(b.bound) * (1 + b.offsetSize())
	if b.kind == plainEncoded {
		room = max(room, int(b.bound)+slack)
	}
	return room
}

// uncleared returns memory, not none, that holds anything: it has to be written before it is read.
// Not clearing what is about to be written is worth a twentieth of an event's time.
func uncleared(size int) []byte {
	var memory strings.Builder
	memory.Grow(size)
	memory.WriteByte(0) // the data of an empty string could be anywhere
	return unsafe.Slice(unsafe.StringData(memory.String()), size)
}

var (
	newline   = []byte{'\n'}
	quote     = []byte{'"'}
	blankLine = []byte("\n\n")
)

// headerPart cuts a large body off, lest its line breaks be counted as headers.
func headerPart(text []byte) []byte {
	const small = 16 << 10
	if len(text) <= small {
		return text
	}
	if i := bytes.Index(text, blankLine); i >= 0 {
		return text[:i+1]
	}
	return text
}

func (b *block) string(from, to int) string {
	if from >= to {
		return ""
	}
	return unsafe.String(&b.buf[from], to-from)
}

// find returns the first header called name at or behind from, or -1.
func (b *block) find(name string, from int) int {
	tag := tagOf(name)
	for {
		count, _, complete := b.known.load()
		for from < count {
			i := bytes.IndexByte(b.marks[from:count], tag)
			if i < 0 {
				from = count
				break
			}
			from += i
			if b.named(b.offset(from), name) {
				return from
			}
			from++
		}
		if complete {
			return -1
		}
		b.extend(int(tag))
	}
}

// named reports whether the header at offset off is called name.
func (b *block) named(off int, name string) bool {
	after := off + len(name)
	if name == "" || after >= int(b.size) {
		return false
	}
	switch b.kind {
	case jsonObject:
		return b.jsonNamed(off, name)
	case xmlElements:
		empty := b.buf[after] == '/' && after+1 < int(b.size) && b.buf[after+1] == '>'
		if b.buf[after] != '>' && !empty {
			return false
		}
	default:
		if b.buf[after] != ':' {
			return false
		}
		if next := after + 1; next < int(b.size) && b.buf[next] != ' ' && b.buf[next] != '\n' && b.buf[next] != '\r' {
			return false
		}
	}
	return sameName(b.string(off, after), name)
}

// sameName compares without regard to ASCII case; most names agree to the letter.
// Bytes beyond ASCII must be the same, as FreeSWITCH compares them too.
func sameName(a, b string) bool {
	if a == b {
		return true
	}
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// lookup returns the decoded value of the first header called name.
func (b *block) lookup(name string) (string, bool) {
	if value, ok, sure := b.seek(name); sure {
		return value, ok
	}
	if value, ok, sure := b.quickLookup(name); sure {
		return value, ok
	}
	return b.anyLookup(name)
}

// anyLookup is lookup for any name and any dialect.
func (b *block) anyLookup(name string) (string, bool) {
	i := b.find(name, 0)
	if i < 0 {
		return "", false
	}
	if b.kind == jsonObject || b.kind == xmlElements {
		return b.value(i), true
	}
	// The name is known to end where it does, and need not be found again.
	from, to := b.offset(i)+len(name)+len(":"), b.lineEnd(i)
	if from < to && b.buf[from] == ' ' {
		from++
	}
	if b.kind == plainEncoded {
		return unescape(b.string(from, to)), true
	}
	return b.string(from, to), true
}

// values returns the decoded values of every header called name, arrays taken apart.
func (b *block) values(name string) []string {
	var all []string
	for i := b.find(name, 0); i >= 0; i = b.find(name, i+1) {
		all = b.appendValues(all, i)
	}
	return all
}

func (b *block) value(i int) string {
	switch b.kind {
	case jsonObject:
		return b.jsonValue(b.jsonValueAt(i))
	case xmlElements:
		from, to := b.xmlValue(i)
		return unescape(b.string(from, to))
	case plainRaw:
		_, from, to := b.line(i)
		return b.string(from, to)
	default:
		_, from, to := b.line(i)
		return unescape(b.string(from, to))
	}
}

func (b *block) appendValues(dst []string, i int) []string {
	if b.kind == jsonObject {
		return b.appendJSONValues(dst, b.jsonValueAt(i))
	}
	value := b.value(i)
	if list, ok := strings.CutPrefix(value, arrayPrefix); ok {
		return append(dst, strings.Split(list, arraySeparator)...)
	}
	return append(dst, value)
}

// FreeSWITCH writes a header with several values as ARRAY::one|:two|:three.
const (
	arrayPrefix    = "ARRAY::"
	arraySeparator = "|:"
)

// name returns the name of header i.
func (b *block) name(i int) string {
	off := b.offset(i)
	switch b.kind {
	case jsonObject:
		return b.jsonName(off)
	case xmlElements:
		name, _, _ := b.xmlLine(i)
		return name
	default:
		nameEnd, _, _ := b.line(i)
		return b.string(off, nameEnd)
	}
}
