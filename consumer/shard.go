package consumer

import (
	"sync"
	"sync/atomic"

	"github.com/genesis-esl/genesis/esl"
)

// node is an event that waits. Nodes and calls are reused, so that the
// dispatcher allocates nothing once it has seen its peak.
type node struct {
	next *node
	ev   *esl.Event
	to   *route
	size int
}

// call is the queue of events with one key. It is in its shard's table while
// events wait or run, and in the ready list while events wait and none runs.
type call struct {
	key       string
	hash      uint64
	chained   *call // next in the bucket, or in the free list
	nextReady *call
	head      *node
	tail      *node
	waiting   int
	running   bool
}

// staged is an event on its way to its call.
type staged struct {
	ev   *esl.Event
	to   *route
	key  string
	hash uint64
	size int
}

// shard holds the calls whose hashes end in its number. Shards exist to keep
// workers and intake out of each other's way; a call never waits for another
// call of its shard.
type shard struct {
	mu         sync.Mutex
	buckets    []*call
	calls      int
	firstReady *call
	lastReady  *call
	freeNodes  *node
	freeCalls  *call

	// ready counts the calls in the ready list; written under mu, read without.
	ready atomic.Int64
	// done and doneBytes count all events that have been handled.
	done      atomic.Int64
	doneBytes atomic.Int64

	_ [64]byte // the intake writes to cache lines of its own

	inbox  inbox
	sorted []staged // empty, for the inbox when it is sorted next

	_ [64]byte
}

// inbox has the events that the intake has brought and nobody has sorted by call yet. So the
// intake, on which everything waits, neither looks for calls, which with 10,000 of them are
// far away in memory, nor waits for a worker that does.
type inbox struct {
	mu     sync.Mutex // held as long as it takes to add or to take all
	events []staged
	count  atomic.Int64 // of events that are not sorted, those that are being sorted among them
}

// maxInbox is how many events may wait to be sorted. Where no worker finds the time, the intake
// sorts them itself, for calls hold their events in memory that is used again.
const maxInbox = 1024

// maxRun bounds how many events of one call a worker takes at a time, so that a
// busy call cannot keep others waiting when workers are few.
const maxRun = 64

// slab is how many nodes or calls are allocated at a time.
const slab = 64

// put brings events.
func (s *shard) put(events []staged) {
	s.inbox.mu.Lock()
	s.inbox.events = append(s.inbox.events, events...)
	waiting := s.inbox.count.Add(int64(len(events)))
	s.inbox.mu.Unlock()
	if waiting > maxInbox {
		s.mu.Lock()
		s.sort()
		s.mu.Unlock()
	}
}

// sort appends the events that were brought to their calls. The caller holds mu.
func (s *shard) sort() {
	if s.inbox.count.Load() == 0 {
		return
	}
	s.inbox.mu.Lock()
	events := s.inbox.events
	s.inbox.events = s.sorted
	s.inbox.mu.Unlock()
	readied := int64(0)
	for i := range events {
		if s.append(&events[i]) {
			readied++
		}
	}
	// In this order: a worker that finds neither goes to sleep; see hasWork.
	s.ready.Store(s.ready.Load() + readied)
	s.inbox.count.Add(-int64(len(events)))
	clear(events)
	s.sorted = events[:0]
}

// hasWork reports whether somebody who looks here may find a run. Sorting makes calls ready
// before it takes events off the count, and here they are looked for the other way round.
func (s *shard) hasWork() bool { return s.inbox.count.Load() > 0 || s.ready.Load() > 0 }

// append appends an event to its call, and reports whether it made the call ready.
func (s *shard) append(e *staged) (readied bool) {
	c := s.call(e)
	n := s.node()
	n.ev, n.to, n.size = e.ev, e.to, e.size
	if c.tail == nil {
		c.head = n
		if !c.running {
			s.push(c)
			readied = true
		}
	} else {
		c.tail.next = n
	}
	c.tail = n
	c.waiting++
	return readied
}

// call finds the call of an event, or makes it.
func (s *shard) call(e *staged) *call {
	bucket := &s.buckets[e.hash>>16&uint64(len(s.buckets)-1)]
	for c := *bucket; c != nil; c = c.chained {
		if c.hash == e.hash && c.key == e.key {
			return c
		}
	}
	c := s.freeCalls
	if c == nil {
		c = s.moreCalls()
	}
	s.freeCalls = c.chained
	c.key, c.hash, c.chained = e.key, e.hash, *bucket
	*bucket = c
	if s.calls++; s.calls > 2*len(s.buckets) {
		s.grow()
	}
	return c
}

func (s *shard) moreCalls() *call {
	calls := make([]call, slab)
	for i := range calls[1:] {
		calls[i].chained = &calls[i+1]
	}
	return &calls[0]
}

func (s *shard) node() *node {
	n := s.freeNodes
	if n == nil {
		nodes := make([]node, slab)
		for i := range nodes[1:] {
			nodes[i].next = &nodes[i+1]
		}
		n = &nodes[0]
	}
	s.freeNodes = n.next
	n.next = nil
	return n
}

func (s *shard) grow() {
	buckets := make([]*call, 2*len(s.buckets))
	for _, c := range s.buckets {
		for c != nil {
			next := c.chained
			bucket := &buckets[c.hash>>16&uint64(len(buckets)-1)]
			c.chained = *bucket
			*bucket = c
			c = next
		}
	}
	s.buckets = buckets
}

func (s *shard) remove(c *call) {
	at := &s.buckets[c.hash>>16&uint64(len(s.buckets)-1)]
	for *at != c {
		at = &(*at).chained
	}
	*at = c.chained
	c.key = ""
	c.chained = s.freeCalls
	s.freeCalls = c
	s.calls--
}

// push appends a call to the ready list; the caller counts it.
func (s *shard) push(c *call) {
	if s.lastReady == nil {
		s.firstReady = c
	} else {
		s.lastReady.nextReady = c
	}
	s.lastReady = c
}

// take removes the first ready call and up to maxRun of its events; the zero run
// when no call is ready. The caller holds mu.
func (s *shard) take() run {
	c := s.firstReady
	if c == nil {
		return run{}
	}
	s.firstReady = c.nextReady
	if s.firstReady == nil {
		s.lastReady = nil
	}
	c.nextReady = nil
	s.ready.Store(s.ready.Load() - 1)
	c.running = true
	r := run{call: c, shard: s, first: c.head, at: c.head, last: c.tail, events: c.waiting}
	if c.waiting > maxRun {
		r.events = maxRun
		r.last = c.head
		for range maxRun - 1 {
			r.last = r.last.next
		}
	}
	c.head = r.last.next
	if c.head == nil {
		c.tail = nil
	}
	r.last.next = nil
	c.waiting -= r.events
	return r
}

// finish returns a run: its nodes become free, its call ready again or, with
// nothing left, forgotten. The caller holds mu.
func (s *shard) finish(r *run) {
	r.last.next = s.freeNodes
	s.freeNodes = r.first
	c := r.call
	c.running = false
	if c.head == nil {
		s.remove(c)
		return
	}
	s.push(c)
	s.ready.Store(s.ready.Load() + 1)
}

// run is a stretch of events of one call, in the hands of one worker.
type run struct {
	call   *call
	shard  *shard
	first  *node
	at     *node // what is handled next
	last   *node
	events int
	bytes  int64
}
