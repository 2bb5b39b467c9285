//go:build !purego

package esl

// linesSlack is how many bytes behind the text indexLines may read, without heeding them.
const linesSlack = 64

// indexLines indexes lines of text from the one that starts at at: it writes the tag of
// each (see tagOf) to tags, and where it starts, in 16 bits, to offsets. It stops behind
// the first line whose tag is until, behind so many lines as most, and in front of a line
// without a line break, or of fewer than two bytes, which may be the empty one that ends
// the headers. It returns how many lines it indexed and where the next one starts.
//
// To search each line for its end, and its name for the colon, takes three times as long.
//
//go:noescape
func indexLines(text *byte, size, at int, tags, offsets *byte, most, until int) (n, next int)

// bulkLines indexes as many lines as it can at once, and reports whether that is enough.
func (w *indexWriter) bulkLines() (enough bool) {
	most := int(w.bound) - w.count
	if w.size > wideText || most <= 0 {
		return false
	}
	tags, offsets := w.buf[int(w.size)+w.count:], w.buf[int(w.size+w.bound)+2*w.count:]
	n, next := indexLines(&w.buf[0], int(w.size), w.at, &tags[0], &offsets[0], most, w.until)
	w.count, w.at = w.count+n, next
	return n > 0 && int(tags[n-1]) == w.until
}
