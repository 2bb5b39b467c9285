package program

import (
	"bytes"
	"context"
	"errors"
	"sync"
)

// feed holds the lines that wait to be written to a program's stdin. It outlives
// the program, so that the next one goes on where the last one ended.
//
// Replies go before events and have a bound of their own, so that a program which
// writes commands while many events wait for it cannot block itself.
type feed struct {
	mu      sync.Mutex
	events  lineQueue
	replies lineQueue
	closed  bool
	// generation counts the processes; written by the host alone.
	generation int
	changed    chan struct{} // closed and replaced when there is more or less to write
}

// Bounds of what waits in a feed, in bytes. A single line may be longer.
const (
	maxEventsFed  = 256 << 10
	maxRepliesFed = 4 << 20
	// chunk is about how much is written at a time, once a line is not longer.
	chunk = 32 << 10
)

var errFeedClosed = errors.New("program: no more lines can be written")

func newFeed() *feed { return &feed{changed: make(chan struct{})} }

// signalLocked wakes everybody who waits for a change.
func (f *feed) signalLocked() {
	close(f.changed)
	f.changed = make(chan struct{})
}

// addEvent appends a line that ends in a line break. It waits while the feed is
// full, until ctx ends.
func (f *feed) addEvent(ctx context.Context, line []byte) error {
	return f.add(ctx, &f.events, maxEventsFed, anyGeneration, line)
}

// addReply is addEvent for a reply to the process of that generation.
func (f *feed) addReply(ctx context.Context, generation int, line []byte) error {
	return f.add(ctx, &f.replies, maxRepliesFed, generation, line)
}

// anyGeneration is that of a line which is for whichever process reads it.
const anyGeneration = -1

func (f *feed) add(ctx context.Context, q *lineQueue, limit, generation int, line []byte) error {
	f.mu.Lock()
	open := func() bool { return !f.closed && (generation == anyGeneration || generation == f.generation) }
	for open() && q.len() > 0 && q.len()+len(line) > limit {
		changed := f.changed
		f.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		f.mu.Lock()
	}
	defer f.mu.Unlock()
	if !open() {
		return errFeedClosed
	}
	wasEmpty := f.events.len()+f.replies.len() == 0
	q.add(line)
	if wasEmpty {
		f.signalLocked()
	}
	return nil
}

// close says that no more lines will come; those that wait are still written.
func (f *feed) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.closed {
		f.closed = true
		f.signalLocked()
	}
}

// nextGeneration says that another process takes over. Replies to the one before
// are forgotten, for they mean nothing to it.
func (f *feed) nextGeneration() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.generation++
	f.replies = lineQueue{}
	f.signalLocked()
}

// current reports whether no other process has taken over from that generation.
func (f *feed) current(generation int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return generation == f.generation
}

// next takes lines to write into buf: either replies or events. It waits for some,
// until stop is closed or the feed is closed and empty; then it returns nothing.
func (f *feed) next(stop <-chan struct{}, buf []byte) (lines []byte, events bool) {
	for {
		f.mu.Lock()
		var q *lineQueue
		switch {
		case f.replies.len() > 0:
			q = &f.replies
		case f.events.len() > 0:
			q = &f.events
		}
		if q != nil {
			lines = q.take(buf)
			f.signalLocked()
			events = q == &f.events
			f.mu.Unlock()
			return lines, events
		}
		closed, changed := f.closed, f.changed
		f.mu.Unlock()
		if closed {
			return nil, false
		}
		select {
		case <-changed:
		case <-stop:
			return nil, false
		}
	}
}

// putBack returns event lines that did not reach the program to the front.
func (f *feed) putBack(lines []byte) {
	if len(lines) == 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.events.putBack(lines)
	f.signalLocked()
}

// left counts the events that wait.
func (f *feed) left() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return bytes.Count(f.events.text[f.events.from:], []byte("\n"))
}
