package main

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"github.com/genesis-esl/genesis/esl"
)

// memory remembers the last keys that it was told: at least size of them, and at most twice that, so that what is measured
// is not the measuring.
type memory struct {
	size       int
	young, old map[string]bool
}

// has reports whether the key is remembered.
func (m *memory) has(key string) bool { return m.young[key] || m.old[key] }

// add reports whether the key is new.
func (m *memory) add(key string) bool {
	if m.has(key) {
		return false
	}
	if m.young == nil || len(m.young) >= m.size {
		m.old, m.young = m.young, make(map[string]bool, m.size)
	}
	m.young[strings.Clone(key)] = true
	return true
}

// calls keeps account of calls as an application does, from events and comparisons, and checks what it is told.
type calls struct {
	mu           sync.Mutex
	alive        map[string]uint64 // the last sequence of each call's events
	over         memory
	handled      memory // Core-UUID and Event-Sequence
	begun, ended int
	byComparison map[string]int
	wrong        map[string]int
}

func newCalls() *calls {
	return &calls{over: memory{size: 3000}, handled: memory{size: 30_000}, alive: map[string]uint64{}, byComparison: map[string]int{}, wrong: map[string]int{}}
}

// event checks that an event was not handled before, and not before an earlier one of its call.
func (c *calls) event(ev *esl.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ev.Sequence() == 0 {
		return // a notice of the connection's end has neither
	}
	if !c.handled.add(ev.Get("Core-UUID") + " " + ev.Get("Event-Sequence")) {
		c.wrong["events handled twice"]++
	}
	uuid := ev.UUID()
	last, alive := c.alive[uuid]
	if !alive {
		return
	}
	if ev.Sequence() <= last {
		c.wrong["events out of order"]++
		slog.Error("an event out of order", "event", ev, "core", ev.Get("Core-UUID"), "sequence", ev.Sequence(), "after", last,
			"created", ev.Timestamp())
	}
	c.alive[uuid] = ev.Sequence()
}

// begin notes a call; seq is 0 when only a comparison tells of it.
func (c *calls) begin(uuid string, seq uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, alive := c.alive[uuid]; alive || c.over.has(uuid) {
		c.wrong["calls begun twice"]++
		return
	}
	c.begun++
	c.alive[strings.Clone(uuid)] = seq
}

// end notes the end of a call. One that both began and ended around a cut may be known by its end alone.
func (c *calls) end(uuid string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.over.add(uuid) {
		c.wrong["calls ended twice"]++
		return
	}
	if _, alive := c.alive[uuid]; !alive {
		c.begun++
	}
	delete(c.alive, uuid)
	c.ended++
}

// compared notes what a comparison told.
func (c *calls) compared(ev *esl.Event) {
	what := ev.Get("Resync")
	c.mu.Lock()
	c.byComparison[strings.Clone(what)]++
	c.mu.Unlock()
	switch what {
	case "new":
		c.begin(ev.UUID(), 0)
	case "ended":
		c.end(ev.UUID())
	}
}

// open is how many calls are not known to have ended.
func (c *calls) open() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.alive)
}

func (c *calls) complaints() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []string
	for what, n := range c.wrong {
		all = append(all, fmt.Sprintf("%d %s", n, what))
	}
	if n := len(c.alive); n > 0 {
		all = append(all, fmt.Sprintf("%d calls are not known to have ended, although there are none", n))
	}
	if c.begun != c.ended+len(c.alive) {
		all = append(all, fmt.Sprintf("%d calls began, %d ended", c.begun, c.ended))
	}
	return all
}
