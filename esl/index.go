package esl

import (
	"bytes"
	"encoding/binary"
)

// indexWriter fills the index behind a block's text. Tags go to their final
// place; offsets go behind the room for bound tags and move up when the number
// of headers is known.
type indexWriter struct {
	*block
	bound int
	count int
}

func (w *indexWriter) add(off int, tag byte) {
	if w.count >= w.bound {
		return
	}
	w.buf[int(w.size)+w.count] = tag
	offsets := w.buf[int(w.size)+w.bound:]
	if w.size > wideText {
		binary.LittleEndian.PutUint32(offsets[4*w.count:], uint32(off))
	} else {
		binary.LittleEndian.PutUint16(offsets[2*w.count:], uint16(off))
	}
	w.count++
}

func (w *indexWriter) close() {
	offsets := w.buf[int(w.size)+w.bound:]
	copy(w.buf[int(w.size)+w.count:], offsets[:w.count*w.offsetSize()])
	w.n = uint32(w.count)
}

// lines indexes "Name: value" lines up to the empty line that closes them.
func (w *indexWriter) lines() {
	text := w.text()
	off := 0
	for off < len(text) {
		if text[off] == '\n' || text[off] == '\r' && off+1 < len(text) && text[off+1] == '\n' {
			break
		}
		length := bytes.IndexByte(text[off:], '\n')
		next := off + length + 1
		if length < 0 {
			next = len(text) + 1
		}
		// Encoded values hold no line breaks; only raw ones can go on in a next line.
		if w.kind == plainEncoded || bytes.IndexByte(text[off:next-1], ':') >= 0 {
			w.add(off, tagAt(text, off))
		}
		off = next
	}
	w.end = uint32(min(off, len(text)+1))
}

// line returns where the name of header i ends and where its value lies. The name
// ends at the first ": ", for names can hold a colon.
func (b *block) line(i int) (nameEnd, from, to int) {
	off, end := b.offset(i), b.offset(i+1)-1
	end = min(end, int(b.size))
	line := b.buf[off:end]
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
		end--
	}
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
