package esl

import (
	"bytes"
	"encoding/binary"
	"strings"
	"sync"
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

// block is a read-only block of headers that is indexed, not parsed.
//
// buf holds the wire text and, behind it in the same allocation, room for the
// index: one tag byte for every header, then one little-endian offset of where
// its name starts. The index is made at the first look-up, on whichever
// goroutine asks, so an event that nobody looks into costs one copy. A look-up
// scans the tags, which the processor does 32 at a time, and compares names only
// where the tag agrees.
//
// Strings handed out share memory with buf unless they had to be decoded. That
// is safe because the text part of buf is never written after newBlock.
type block struct {
	buf  []byte
	size uint32 // bytes of text at the start of buf
	n    uint32 // headers: an upper bound until once is done, exact afterwards
	end  uint32 // where the header part of the text ends, known once indexed
	once sync.Once
	kind dialect
}

// wideText is the size of text from which offsets no longer fit 16 bits.
const wideText = 1 << 16

func (b *block) offsetSize() int {
	if b.size > wideText {
		return 4
	}
	return 2
}

// init copies text into the block. The room for the index is bounded by what the
// text can hold: a header takes at least a line, or four quotes in JSON.
func (b *block) init(text []byte, kind dialect) {
	bound := 0
	switch kind {
	case jsonObject:
		bound = bytes.Count(text, quote)/2 + 1
	default:
		bound = bytes.Count(headerPart(text), newline) + 1
	}
	b.kind = kind
	b.size = uint32(len(text))
	b.n = uint32(bound)
	room := bound * (1 + b.offsetSize())
	b.buf = append(make([]byte, 0, len(text)+room), text...)
	b.buf = b.buf[:len(text)+room]
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

func (b *block) text() []byte { return b.buf[:b.size] }

func (b *block) string(from, to int) string {
	if from >= to {
		return ""
	}
	return unsafe.String(&b.buf[from], to-from)
}

// index makes the index if nobody has, and returns the tags.
func (b *block) index() []byte {
	b.once.Do(b.makeIndex)
	return b.buf[b.size : b.size+b.n]
}

func (b *block) makeIndex() {
	w := indexWriter{block: b, bound: int(b.n)}
	switch b.kind {
	case jsonObject:
		w.json()
	case xmlElements:
		w.xml()
	default:
		w.lines()
	}
	w.close()
}

// offset returns where the name of header i starts.
func (b *block) offset(i int) int {
	if i >= int(b.n) {
		return int(b.end)
	}
	if b.size > wideText {
		return int(binary.LittleEndian.Uint32(b.buf[int(b.size)+int(b.n)+4*i:]))
	}
	return int(binary.LittleEndian.Uint16(b.buf[int(b.size)+int(b.n)+2*i:]))
}

// find returns the first header called name at or behind from, or -1.
func (b *block) find(name string, from int) int {
	tags := b.index()
	tag := tagOf(name)
	for from < len(tags) {
		i := bytes.IndexByte(tags[from:], tag)
		if i < 0 {
			return -1
		}
		from += i
		if b.named(b.offset(from), name) {
			return from
		}
		from++
	}
	return -1
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
		if b.buf[after] != '>' {
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
func sameName(a, b string) bool { return a == b || strings.EqualFold(a, b) }

// lookup returns the decoded value of the first header called name.
func (b *block) lookup(name string) (string, bool) {
	i := b.find(name, 0)
	if i < 0 {
		return "", false
	}
	return b.value(i), true
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
		return b.jsonValue(i)
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
		return b.appendJSONValues(dst, i)
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
