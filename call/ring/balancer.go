package ring

import (
	"context"
	"sync"
	"time"
)

// Rule is how a Balancer picks one of several.
type Rule uint8

const (
	// First is the first one given; it is only counted.
	First Rule = iota
	// LeastLoaded is the one with the fewest calls; among equals the one whose last call ended longest ago, then the
	// one given first.
	LeastLoaded
	// MostIdle is the one whose last call ended longest ago, or who never had one; who is on a call comes last.
	MostIdle
)

// Balancer counts calls per destination, from the first ring to the hangup. An attempt without an answer is a call
// too. A call ends for it with the Answer's channel: after Session.Connect that is with the connection of the session,
// while the two still talk, as nobody hears of their hangup. Session.Bridge, or Ringer.Connect, is counted to its end.
// It is safe for concurrent use.
type Balancer interface {
	// Take picks one of ids, which are at least one, by rule, and counts a call for it until End, in one step: two
	// who ask at the same time do not get the same one. When nobody waits for the answer any more, End is called at once.
	Take(ctx context.Context, rule Rule, ids []string) (Taken, error)
	// Turn counts up from 0 for the group: whose turn it is in RoundRobin.
	Turn(ctx context.Context, group string) (uint64, error)
}

// Taken is what a Balancer has picked.
type Taken struct {
	// Index of the id picked.
	Index int
	// End ends the count. It returns soon also when the balancer's server does not answer, and is called once, from any
	// goroutine.
	End func()
}

// Memory counts the calls of this process. See NewMemory.
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
