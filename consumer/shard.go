package consumer

import (
	"slices"
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

// staged is an event on its way into a shard.
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

	_ [64]byte // the next shard's lock lies in a cache line of its own
}

// maxRun bounds how many events of one call a worker takes at a time, so that a
// busy call cannot keep others waiting when workers are few.
const maxRun = 64

// slab is how many nodes or calls are allocated at a time.
const slab = 64

// putAtOnce is how many events are put into a shard under its lock. A worker that asks for
// the lock meanwhile should get it before it goes to sleep: of 10,000 calls, each event takes
// some time to find its call.
const putAtOnce = 16

// put appends events to their calls.
func (s *shard) put(events []staged) {
	for some := range slices.Chunk(events, putAtOnce) {
		s.mu.Lock()
		readied := int64(0)
		for i := range some {
			if s.append(&some[i]) {
				readied++
			}
		}
		if readied > 0 {
			s.ready.Store(s.ready.Load() + readied)
		}
		s.mu.Unlock()
	}
}

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
