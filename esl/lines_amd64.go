//go:build !purego

package esl

import "unsafe"

// slack is how many bytes behind the text, and behind its tags, the functions in assembly
// may read without heeding them.
const slack = 64

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

// firstLines is how many lines are indexed at first, whichever is asked for: to go on a
// few lines at a time takes longer than to index some that nobody needs. These are what
// FreeSWITCH says of the event itself, the state of its channel, and most of the caller.
const firstLines = 48

// bulkLines indexes as many lines as it can at once, and reports whether that is enough.
func (w *indexWriter) bulkLines() (enough bool) {
	until, most := w.until, int(w.bound)-w.count
	if w.size > wideText || w.size == 0 || most <= 0 {
		return false
	}
	first := w.count == 0 && until != noTag
	if first {
		until, most = noTag, min(most, firstLines)
	}
	tags, offsets := w.marks[w.count:], w.marks[int(w.bound)+2*w.count:]
	n, next := indexLines(&w.buf[0], int(w.size), w.at, &tags[0], &offsets[0], most, until)
	w.count, w.at = w.count+n, next
	return n > 0 && (first || int(tags[n-1]) == w.until)
}

// findLine looks for a header among count lines, 1 to 64, whose tags and offsets are given;
// next is where the one behind them starts. Of the name, of n bytes, 3 to 32, 32 can be
// read. It returns from where to where the value goes, and whether it may hold escapes (not
// 0); from is -1 when no line has the name, and -2 when that takes a closer look.
//
//go:noescape
func findLine(text, tags, offsets *byte, count, next int, name *byte, n int) (from, to, escapes int)

// quickLookup is lookup for nearly all names and plain texts; sure is false for others. It
// takes half the time, most of which is branches that no processor foresees.
func (b *block) quickLookup(name string) (value string, ok, sure bool) {
	if b.kind != plainEncoded || b.size > wideText || b.size == 0 || !quickName(name) {
		return "", false, false
	}
	for first := 0; ; {
		count, _, complete := b.known.load()
		for first < count {
			n := min(64, count-first)
			tags, offsets := b.marks[first:], b.marks[int(b.bound)+2*first:]
			next := min(b.offset(first+n), int(b.size)+1)
			from, to, escapes := findLine(&b.buf[0], &tags[0], &offsets[0], n, next, unsafe.StringData(name), len(name))
			switch {
			case from == -2:
				return "", false, false
			case from >= 0 && escapes == 0:
				return b.string(from, to), true, true
			case from >= 0:
				return unescape(b.string(from, to)), true, true
			}
			first += n
		}
		if complete {
			return "", false, true
		}
		b.extend(int(tagOf(name)))
	}
}

// quickName reports whether findLine takes a name.
func quickName(name string) bool {
	return 3 <= len(name) && len(name) <= tagBytes && readable(name)
}
