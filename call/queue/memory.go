package queue

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"
)

// Memory keeps queues in the memory of this process: for apps of one process, and for tests. Several Queues may
// share one Memory, which is safe for concurrent use. It has no leases, because the owner of a slot cannot vanish
// without the Memory. The zero value is not usable; see NewMemory.
type Memory struct {
	mu     sync.Mutex
	queues map[string]*memoryQueue
	fence  uint64
}

// sweepAt is how many queues are kept before those nobody uses are forgotten, with their mean holding time.
const sweepAt = 1000

type memoryQueue struct {
	waiters  []memoryWaiter // by priority, then by coming
	slots    map[string]memorySlot
	mean     time.Duration
	watchers map[*func([]string)]struct{}
}

type memoryWaiter struct {
	id       string
	priority int
}

type memorySlot struct {
	fence uint64
	since time.Time
}

// NewMemory returns an empty Memory.
func NewMemory() *Memory { return &Memory{queues: make(map[string]*memoryQueue)} }

// Lease is zero: places live as long as the process.
func (m *Memory) Lease() time.Duration { return 0 }

func (m *Memory) queue(name string) *memoryQueue {
	q := m.queues[name]
	if q == nil {
		if len(m.queues) >= sweepAt {
			maps.DeleteFunc(m.queues, func(_ string, q *memoryQueue) bool {
				return len(q.waiters)+len(q.slots)+len(q.watchers) == 0
			})
		}
		q = &memoryQueue{slots: make(map[string]memorySlot), watchers: make(map[*func([]string)]struct{})}
		m.queues[name] = q
	}
	return q
}

// Watch implements Backend.
func (m *Memory) Watch(queue string, changed func([]string)) (stop func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	q := m.queue(queue)
	q.watchers[&changed] = struct{}{}
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(q.watchers, &changed)
	}
}

// Exchange implements Backend. It neither waits nor fails.
func (m *Memory) Exchange(_ context.Context, queue string, limit int, ops []Op) (View, error) {
	m.mu.Lock()
	q := m.queue(queue)
	moved := false
	for _, op := range ops {
		moved = q.apply(op) || moved
	}
	view := View{Granted: m.grant(q, limit), Waiting: len(q.waiters), Hold: q.mean}
	places := make(map[string]int, len(q.waiters))
	for i, w := range q.waiters {
		places[w.id] = i + 1
	}
	for _, op := range ops {
		view.States = append(view.States, q.state(op.ID, places[op.ID]))
	}
	var watchers []func([]string)
	if moved || len(view.Granted) > 0 {
		for w := range q.watchers {
			watchers = append(watchers, *w)
		}
	}
	m.mu.Unlock()
	told := append([]string{}, view.Granted...) // never nil, which would say that changes may have been missed
	for _, changed := range watchers {
		changed(told)
	}
	return view, nil
}

// apply carries out one op; it reports whether somebody else's place moved.
func (q *memoryQueue) apply(op Op) (moved bool) {
	at := slices.IndexFunc(q.waiters, func(w memoryWaiter) bool { return w.id == op.ID })
	slot, holds := q.slots[op.ID]
	switch op.Kind {
	case Enter:
		if at >= 0 || holds {
			return false
		}
		at = len(q.waiters)
		for at > 0 && q.waiters[at-1].priority < op.Priority {
			at--
		}
		q.waiters = slices.Insert(q.waiters, at, memoryWaiter{op.ID, op.Priority})
		return at < len(q.waiters)-1
	case Leave:
		if holds {
			q.observe(time.Since(slot.since))
			delete(q.slots, op.ID)
		}
		if at >= 0 {
			q.waiters = slices.Delete(q.waiters, at, at+1)
		}
		return at >= 0
	default: // a slot in memory needs no renewal
		return false
	}
}

// observe takes one more holding time into the mean, in which the last dozen or so count.
func (q *memoryQueue) observe(held time.Duration) {
	if q.mean == 0 {
		q.mean = held
	}
	q.mean += (held - q.mean) / 8
}

// grant gives the free slots to those at the head.
func (m *Memory) grant(q *memoryQueue, limit int) (granted []string) {
	for len(q.waiters) > 0 && len(q.slots) < limit {
		id := q.waiters[0].id
		q.waiters = slices.Delete(q.waiters, 0, 1)
		m.fence++
		q.slots[id] = memorySlot{m.fence, time.Now()}
		granted = append(granted, id)
	}
	return granted
}

func (q *memoryQueue) state(id string, place int) State {
	if slot, ok := q.slots[id]; ok {
		return State{Phase: Holding, Fence: slot.fence, Since: slot.since}
	}
	if place > 0 {
		return State{Phase: Waiting, Place: place}
	}
	return State{}
}
