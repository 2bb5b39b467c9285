package ring

import (
	"context"
	"sync"
	"time"
)

// Rule says how a Balancer picks one of several ids.
type Rule uint8

const (
	// First is the first id given; the balancer only counts it.
	First Rule = iota
	// LeastLoaded is the id with the fewest calls; among equals the one whose last call ended longest ago, then the one
	// given first.
	LeastLoaded
	// MostIdle is the id whose last call ended longest ago, or that never had one; an id that is on a call comes last.
	MostIdle
)

// Balancer counts calls per destination, from the first ring to the hangup. An attempt without an answer is a call
// too. For the Balancer, a call ends with the Answer's channel. After Session.Connect the channel ends with the
// connection of the session, while the two still talk, as no event reports their hangup. A call of Session.Bridge or
// Ringer.Connect is counted to its end. A Balancer is safe for concurrent use.
type Balancer interface {
	// Take picks one of ids by rule, and counts a call for it until End. ids is not empty. Both happen in one step: two
	// callers at the same time do not get the same id. When nobody waits for the answer any more, End is called at once.
	Take(ctx context.Context, rule Rule, ids []string) (Taken, error)
	// Turn counts up from 0 for the group. RoundRobin uses it to tell whose turn it
	// is.
	Turn(ctx context.Context, group string) (uint64, error)
}

// Taken is what a Balancer has picked.
type Taken struct {
	// Index of the id picked.
	Index int
	// End ends the count. It is called once, from any goroutine. It must return soon, even when the balancer's server
	// does not answer.
	End func()
}

// Memory counts the calls of this process. The zero value is not usable: see
// NewMemory. It is safe for concurrent use.
type Memory struct {
	mu    sync.Mutex
	loads map[string]load
	turns map[string]uint64
}

// load is what is known of a destination. The zero value is one that never had a call.
type load struct {
	calls int
	ended time.Time
}

// rememberAt is how many destinations are remembered before those without calls are forgotten.
const rememberAt = 10_000

// NewMemory returns a Balancer in memory.
func NewMemory() *Memory {
	return &Memory{loads: make(map[string]load), turns: make(map[string]uint64)}
}

// Take implements Balancer; it does not fail.
func (m *Memory) Take(_ context.Context, rule Rule, ids []string) (Taken, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	best := 0
	for i := range ids {
		if rule.before(m.loads[ids[i]], m.loads[ids[best]]) {
			best = i
		}
	}
	id := ids[best]
	if len(m.loads) >= rememberAt {
		m.forget()
	}
	m.add(id, 1)
	return Taken{Index: best, End: func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.add(id, -1)
	}}, nil
}

// before tells whether a is to be picked rather than b.
func (r Rule) before(a, b load) bool {
	switch {
	case r == First:
		return false
	case r == LeastLoaded && a.calls != b.calls:
		return a.calls < b.calls
	case r == MostIdle && (a.calls > 0) != (b.calls > 0):
		return a.calls == 0
	default:
		return a.ended.Before(b.ended)
	}
}

func (m *Memory) add(id string, calls int) {
	l := m.loads[id]
	l.calls += calls
	if calls < 0 {
		l.ended = time.Now()
	}
	m.loads[id] = l
}

func (m *Memory) forget() {
	for id, l := range m.loads {
		if l.calls == 0 {
			delete(m.loads, id)
		}
	}
}

// Turn implements Balancer; it does not fail.
func (m *Memory) Turn(_ context.Context, group string) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, known := m.turns[group]; !known && len(m.turns) >= rememberAt {
		clear(m.turns)
	}
	turn := m.turns[group]
	m.turns[group] = turn + 1
	return turn, nil
}
