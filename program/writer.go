package program

import (
	"bytes"
	"os"
)

// writer writes a feed to one program and remembers what may still lie in the
// pipe unread.
type writer struct {
	feed *feed
	w    *os.File
	sent []segment
	size int
	// failed is how many bytes of the last segment did not get into the pipe.
	failed int
}

// segment is a stretch of whole lines that was written.
type segment struct {
	lines  []byte
	events bool
}

// usualPipe is what a pipe can hold at most, unless somebody has made it larger.
const usualPipe = 64 << 10

// run writes lines until stop is closed, the feed is closed and empty, or the
// program takes no more. It reports whether the feed is done.
func (w *writer) run(stop <-chan struct{}) (done bool) {
	for {
		select {
		case <-stop:
			return false
		default:
		}
		lines, events := w.feed.next(stop, w.buffer())
		if len(lines) == 0 {
			select {
			case <-stop:
				return false
			default:
				return true
			}
		}
		n, err := w.w.Write(lines)
		w.sent = append(w.sent, segment{lines, events})
		w.size += len(lines)
		if err != nil {
			w.failed = len(lines) - n
			return false
		}
	}
}

// buffer returns memory for the next lines: that of a segment which the program
// must have read by now, if there is one.
func (w *writer) buffer() []byte {
	if len(w.sent) == 0 || w.size-len(w.sent[0].lines) < pipeSize(w.w) {
		return nil
	}
	old := w.sent[0].lines
	w.sent = append(w.sent[:0], w.sent[1:]...)
	w.size -= len(old)
	return old
}

// takeBack returns to the feed the events that the program, which has ended, has
// not read to their last byte, unread being what was left in the pipe. Replies
// are dropped.
func (w *writer) takeBack(unread int) {
	n := unread + w.failed
	var back []byte
	for i := len(w.sent) - 1; i >= 0 && n > 0; i-- {
		s := w.sent[i]
		unread := min(n, len(s.lines))
		n -= unread
		if !s.events {
			continue
		}
		// From the start of the line in which the unread part begins.
		from := bytes.LastIndexByte(s.lines[:len(s.lines)-unread], '\n') + 1
		back = append(bytes.Clone(s.lines[from:]), back...)
	}
	w.sent, w.size, w.failed = nil, 0, 0
	w.feed.putBack(back)
}
