package main

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/esl/esltest"
)

// marksEvery is the time between two marks.
const marksEvery = 20 * time.Millisecond

// marks are events that the soak itself creates and numbers, so that it knows of each one that did not arrive, and between
// which two connections: what was lost can be held against what each reconnect announced.
type marks struct {
	mu       sync.Mutex
	created  int64 // the number of the last one
	handled  int64 // how many came
	last     int64 // the number of the one that came last
	outages  []outage
	lost     int64 // while the connection was down
	restarts int64 // lost with a FreeSWITCH that restarted, or when nobody could tell
	beyond   []string
}

// outage is a time without a connection, which ended when marks up to a number had been created.
type outage struct {
	until     int64
	announced uint64
	unbounded bool // the old FreeSWITCH's events cannot be counted any more
	lost      uint64
}

// make creates marks until ctx ends, but while FreeSWITCH is gone.
func (m *marks) make(ctx context.Context, sim *esltest.Server) {
	tick := time.NewTicker(marksEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			m.one(func(number string) error {
				return sim.Fire("NOTIFY", []esl.Header{{Name: "Mark", Value: number}}, "")
			})
		}
	}
}

func (m *marks) one(fire func(number string) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if fire(strconv.FormatInt(m.created+1, 10)) == nil {
		m.created++
	}
}

// up notes the end of an outage. Marks created later are not lost with it.
func (m *marks) up(up esl.Up) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.outages = append(m.outages, outage{until: m.created, announced: up.MissedAtMost, unbounded: up.Restarted || up.MissedUnknown})
}

// came notes a mark that has come, and with it those before it that never will.
func (m *marks) came(ev *esl.Event) {
	number, err := strconv.ParseInt(ev.Get("Mark"), 10, 64)
	if err != nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.handled++
	for missing := m.last + 1; missing < number; missing++ {
		m.lose(missing)
	}
	m.last = number
	for len(m.outages) > 0 && m.outages[0].until < number {
		m.settle()
	}
}

// lose puts a mark that did not come to the account of its outage.
func (m *marks) lose(number int64) {
	for len(m.outages) > 0 && m.outages[0].until < number {
		m.settle()
	}
	if len(m.outages) == 0 {
		m.complain("mark %d was lost while the connection was up", number)
		return
	}
	m.outages[0].lost++
}

// settle closes the account of the oldest outage.
func (m *marks) settle() {
	o := m.outages[0]
	m.outages = m.outages[1:]
	switch {
	case o.unbounded:
		m.restarts += int64(o.lost)
		return
	case o.lost > o.announced:
		m.complain("%d marks were lost before mark %d, of events of all kinds at most %d were announced", o.lost, o.until, o.announced)
	}
	m.lost += int64(o.lost)
}

func (m *marks) complain(format string, args ...any) {
	if len(m.beyond) < 20 {
		m.beyond = append(m.beyond, fmt.Sprintf(format, args...))
	}
}

// conclude waits for a last mark: all before it have come then, or never will.
func (m *marks) conclude(ctx context.Context, sim *esltest.Server) error {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	m.mu.Lock()
	from := m.created
	m.mu.Unlock()
	go func() { defer close(done); m.make(ctx, sim) }()
	defer func() { cancel(); <-done }()
	tick := time.NewTicker(marksEvery)
	defer tick.Stop()
	for {
		m.mu.Lock()
		over := m.last > from
		m.mu.Unlock()
		if over {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the last mark does not come: %w", ctx.Err())
		case <-tick.C:
		}
	}
}

func (m *marks) complaints() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]string(nil), m.beyond...)
}

func (m *marks) row() [2]any {
	m.mu.Lock()
	defer m.mu.Unlock()
	return [2]any{
		"marks created; handled; lost as announced; lost with a FreeSWITCH that restarted; lost beyond that",
		fmt.Sprint(m.created, "; ", m.handled, "; ", m.lost, "; ", m.restarts, "; ", len(m.beyond)),
	}
}
