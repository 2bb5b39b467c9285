package program

import "bytes"

// lineQueue is a queue of whole lines.
type lineQueue struct {
	text []byte
	from int
}

func (q *lineQueue) len() int { return len(q.text) - q.from }

func (q *lineQueue) add(line []byte) {
	if q.from > 0 && len(q.text)+len(line) > cap(q.text) {
		q.text = q.text[:copy(q.text, q.text[q.from:])]
		q.from = 0
	}
	q.text = append(q.text, line...)
}

// take moves about a chunk of lines, and at least one, into buf.
func (q *lineQueue) take(buf []byte) []byte {
	text := q.text[q.from:]
	end := len(text)
	if end > chunk {
		if end = bytes.LastIndexByte(text[:chunk], '\n') + 1; end == 0 {
			end = bytes.IndexByte(text, '\n') + 1
		}
	}
	buf = append(buf[:0], text[:end]...)
	if q.from += end; q.from == len(q.text) {
		q.text, q.from = q.text[:0], 0
		if cap(q.text) > 4*maxEventsFed {
			q.text = nil
		}
	}
	return buf
}

func (q *lineQueue) putBack(lines []byte) {
	text := make([]byte, 0, len(lines)+q.len())
	text = append(append(text, lines...), q.text[q.from:]...)
	q.text, q.from = text, 0
}
