package esl

import (
	"context"
	"sync"
)

// Overflow says what a connection does when its event queue is full.
type Overflow uint8

const (
	// Block stops reading, so that TCP and FreeSWITCH's own queue take over. Replies to
	// commands then wait too: use it where commands have their own socket.
	Block Overflow = iota
	// Fail ends the connection with ErrSlowConsumer.
	Fail
	// Discard keeps no events at all, on a connection that nobody reads events from.
	Discard
)

// QueueLimits bounds the events that wait for the app. A zero field means its
// default.
type QueueLimits struct {
	// Events is how many events may wait. Default 100,000, as many as FreeSWITCH queues
	// for each listener.
	Events int
	// Bytes is how much memory they may take. Default 256 MiB.
	Bytes int
	// Overflow says what happens beyond. Default Block.
	Overflow Overflow
}

func (l QueueLimits) withDefaults() QueueLimits {
	if l.Events <= 0 {
		l.Events = 100_000
	}
	if l.Bytes <= 0 {
		l.Bytes = 256 << 20
	}
	return l
}

// eventQueue hands events from the goroutine that reads the socket to those that
// take them, a batch at a time.
type eventQueue struct {
	limits QueueLimits
	ready  chan struct{} // holds one token while events wait, and for good once closed

	mu     sync.Mutex
	space  sync.Cond
	events []*Event
	head   int // events[:head] have been taken
	bytes  int
	closed bool
}

func newEventQueue(limits QueueLimits) *eventQueue {
	q := &eventQueue{limits: limits.withDefaults(), ready: make(chan struct{}, 1)}
	q.space.L = &q.mu
	return q
}

// push appends a batch. When the queue is full it calls full, once, and waits for space
// if full says so. It reports whether the batch was taken.
func (q *eventQueue) push(batch []*Event, full func() (wait bool)) bool {
	size := 0
	for _, e := range batch {
		size += e.Size()
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.closed && !q.fits(len(batch), size) {
		q.mu.Unlock()
		wait := full()
		q.mu.Lock()
		if !wait {
			return false
		}
		// There may be room by now, made while nobody waited for it.
		for !q.closed && !q.fits(len(batch), size) {
			q.space.Wait()
		}
	}
	if q.closed {
		return false
	}
	if q.head > 0 && len(q.events)+len(batch) > cap(q.events) {
		n := copy(q.events, q.events[q.head:])
		clear(q.events[n:])
		q.events, q.head = q.events[:n], 0
	}
	q.events = append(q.events, batch...)
	q.bytes += size
	q.signal()
	return true
}

// fits reports whether there is room for so many events of that size. A batch larger than the
// queue still gets in once the queue is empty.
func (q *eventQueue) fits(n, size int) bool {
	waiting := len(q.events) - q.head
	return waiting == 0 || waiting+n <= q.limits.Events && q.bytes+size <= q.limits.Bytes
}

func (q *eventQueue) signal() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// pop moves waiting events to dst, and reports whether it was closed and empty.
func (q *eventQueue) pop(dst []*Event) (n int, over bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n = copy(dst, q.events[q.head:])
	for _, e := range dst[:n] {
		q.bytes -= e.Size()
	}
	clear(q.events[q.head : q.head+n])
	q.head += n
	if q.head == len(q.events) {
		q.events, q.head = q.events[:0], 0
		if cap(q.events) > 4096 {
			q.events = nil // a burst is over
		}
	}
	if q.closed || len(q.events) > q.head {
		q.signal() // the next one who waits has something to take, or learns of the end
	}
	if n > 0 {
		q.space.Broadcast()
	}
	return n, q.closed && len(q.events) == q.head
}

// take waits for events. over is true when the queue is closed and empty.
func (q *eventQueue) take(ctx context.Context, dst []*Event) (n int, over bool, err error) {
	for {
		if n, over = q.pop(dst); n > 0 || over || len(dst) == 0 {
			return n, over && n == 0, nil
		}
		select {
		case <-q.ready:
		case <-ctx.Done():
			return 0, false, context.Cause(ctx)
		}
	}
}

// waiting returns how many events wait; none in a queue that there is not.
func (q *eventQueue) waiting() int {
	if q == nil {
		return 0
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.events) - q.head
}

// isClosed reports whether nothing is taken any longer.
func (q *eventQueue) isClosed() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.closed
}

// abandon closes the queue and throws away what waits. It returns how much that was.
func (q *eventQueue) abandon() int {
	q.close()
	q.mu.Lock()
	defer q.mu.Unlock()
	n := len(q.events) - q.head
	q.events, q.head, q.bytes = nil, 0, 0
	return n
}

// close wakes whoever waits; what is in the queue can still be taken.
func (q *eventQueue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.space.Broadcast()
	q.signal()
}
