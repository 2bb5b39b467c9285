package esl

import (
	"bytes"
	"encoding/binary"
	"sync/atomic"
)

// progress says how much of a block is indexed. It is published after the tags and
// offsets that it speaks of have been written, so that look-ups need no lock.
type progress struct{ state atomic.Uint64 }

const (
	indexComplete = 1 << 63
	textLent      = 1 << 62 // and nothing is indexed
)

// load returns how many headers are indexed, where in the text the next one is,
// and whether there is none.
func (p *progress) load() (count, at int, complete bool) {
	state := p.state.Load()
	return int(state &^ (indexComplete | textLent) >> 32), int(uint32(state)), state&indexComplete != 0
}

// lent reports whether the text is the decoder's, see lend.
func (p *progress) lent() bool { return p.state.Load() == textLent }

// lend marks the text as the decoder's.
func (p *progress) lend() { p.state.Store(textLent) }

func (p *progress) store(count, at int, complete bool) {
	state := uint64(count)<<32 | uint64(uint32(at))
	if complete {
		state |= indexComplete
	}
	p.state.Store(state)
}

// index completes the index and returns the number of headers.
func (b *block) index() int {
	count, _, complete := b.known.load()
	if !complete {
		b.extend(noTag)
		count, _, _ = b.known.load()
	}
	return count
}

// noTag is what no header has: the whole block is indexed in looking for it.
const noTag = -1

// extend indexes up to the next header with a tag, or to the end.
func (b *block) extend(tag int) {
	b.own()
	b.grow.Lock()
	defer b.grow.Unlock()
	w := b.writer(tag)
	if w.count, w.at, w.done = b.known.load(); w.done {
		return
	}
	switch b.kind {
	case jsonObject:
		w.json()
	case xmlElements:
		w.xml()
	case plainRaw:
		w.rawLines()
	default:
		w.lines()
	}
	b.known.store(w.count, w.at, w.done)
}

// writer returns what extends the index. It makes one if there is none, and lets it be completed:
// whoever has asked for so many headers that it is made will ask for more.
func (b *block) writer(until int) indexWriter {
	if b.marks == nil {
		b.marks, until = make([]byte, b.room(b.buf)), noTag
	}
	return indexWriter{block: b, until: until}
}

// endKnown makes sure that end is known.
func (b *block) endKnown() {
	if b.kind.isPlain() && seeks {
		b.own()
		return
	}
	b.index()
}

// offset returns where the name of header i starts; behind the last one that is
// indexed, where the next one would.
func (b *block) offset(i int) int {
	count, at, _ := b.known.load()
	if i >= count {
		return at
	}
	offsets := b.marks[b.bound:]
	if b.size > wideText {
		return int(binary.LittleEndian.Uint32(offsets[4*i:]))
	}
	return int(binary.LittleEndian.Uint16(offsets[2*i:]))
}

// indexWriter extends the index of a block. It goes on at at until it has added a
// header with the tag until, or there are no more (done).
type indexWriter struct {
	*block
	until int
	count int
	at    int
	done  bool
}

// add appends a header to the index, and reports whether that is enough.
func (w *indexWriter) add(off int, tag byte) (enough bool) {
	if w.count >= int(w.bound) {
		return false // cannot be: see block.init
	}
	w.marks[w.count] = tag
	offsets := w.marks[w.bound:]
	if w.size > wideText {
		binary.LittleEndian.PutUint32(offsets[4*w.count:], uint32(off))
	} else {
		binary.LittleEndian.PutUint16(offsets[2*w.count:], uint16(off))
	}
	w.count++
	return int(tag) == w.until
}

// finish ends the index: no header stands at or behind at.
func (w *indexWriter) finish(at int) {
	w.at, w.done = at, true
	if end := uint32(min(at, int(w.size))); end != w.end {
		w.end = end // else it is known already, and may be read at this time
	}
}

// lines indexes "Name: value" lines up to the empty line that closes them.
func (w *indexWriter) lines() {
	for !w.bulkLines() && !w.oneLine() {
	}
}

// oneLine indexes a line, and reports whether that is enough, or there was none.
func (w *indexWriter) oneLine() (enough bool) {
	text, off := w.buf, w.at
	if endsLines(text, off) {
		w.finish(off)
		return true
	}
	length := bytes.IndexByte(text[off:], '\n')
	if length < 0 {
		length = len(text) - off
	}
	w.at = off + length + 1
	return w.add(off, tagAt(text, off))
}

// endsLines reports whether no header line starts at text[at].
func endsLines(text []byte, at int) bool {
	return at >= len(text) || text[at] == '\n' || text[at] == '\r' && at+1 < len(text) && text[at+1] == '\n'
}

// rawLines is lines for values that are not encoded, and so can go on in lines
// that have no colon.
func (w *indexWriter) rawLines() {
	text := w.buf
	off, at := -1, w.at
	for !endsLines(text, at) {
		line := text[at:]
		if i := bytes.IndexByte(line, '\n'); i >= 0 {
			line = line[:i]
		}
		if bytes.IndexByte(line, ':') >= 0 {
			if off >= 0 && w.add(off, tagAt(text, off)) {
				w.at = at
				return
			}
			off = at
		}
		at += len(line) + 1
	}
	if off >= 0 {
		w.add(off, tagAt(text, off))
	}
	w.finish(at)
}

// lineEnd returns where the line of header i ends, its line break left out.
func (b *block) lineEnd(i int) int {
	end := min(b.offset(i+1)-1, int(b.size))
	if end > 0 && b.buf[end-1] == '\r' {
		end--
	}
	return end
}

// line returns where the name of header i ends and where its value lies. The name
// ends at the first ": ", for names can hold a colon.
func (b *block) line(i int) (nameEnd, from, to int) {
	off, end := b.offset(i), b.lineEnd(i)
	line := b.buf[off:end]
	sep := bytes.Index(line, colonSpace)
	if sep < 0 {
		// Either a header without a value, or a line that is no header.
		if sep = bytes.IndexByte(line, ':'); sep < 0 {
			return end, end, end
		}
		return off + sep, off + sep + 1, end
	}
	return off + sep, off + sep + 2, end
}

var colonSpace = []byte(": ")
