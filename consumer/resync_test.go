package consumer_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/genesis-esl/genesis/consumer"
	"github.com/genesis-esl/genesis/esl"
)

// calls keeps the set of calls as an application would, from events and what
// ResyncEvent tells.
type calls struct {
	mu      sync.Mutex
	alive   map[string]bool
	begun   map[string]int
	ended   map[string]int
	resyncs map[string]int
}

func newCalls(app *consumer.App) *calls {
	c := &calls{alive: map[string]bool{}, begun: map[string]int{}, ended: map[string]int{}, resyncs: map[string]int{}}
	app.HandleFunc("CHANNEL_CREATE", func(_ context.Context, ev *esl.Event) error { c.begin(ev); return nil })
	app.HandleFunc("CHANNEL_HANGUP_COMPLETE", func(_ context.Context, ev *esl.Event) error { c.end(ev); return nil })
	app.HandleFunc(consumer.ResyncEvent, func(_ context.Context, ev *esl.Event) error {
		c.mu.Lock()
		c.resyncs[ev.Get("Resync")]++
		c.mu.Unlock()
		switch ev.Get("Resync") {
		case "new":
			c.begin(ev)
		case "ended":
			c.end(ev)
		}
		return nil
	})
	return c
}

func (c *calls) begin(ev *esl.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.alive[strings.Clone(ev.UUID())] = true
	c.begun[strings.Clone(ev.UUID())]++
}

func (c *calls) end(ev *esl.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.alive, ev.UUID())
	c.ended[strings.Clone(ev.UUID())]++
}

func (c *calls) now() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Sorted(maps.Keys(c.alive))
}

// TestTrueCountsAcrossCuts cuts the connection 100 times while calls come and go:
// after each the app knows just the calls that exist, and in the end each call
// has begun at most once and ended once.
func TestTrueCountsAcrossCuts(t *testing.T) {
	server := simulator(t)
	app := newApp()
	known := newCalls(app)
	up := make(chan esl.Up, 200)
	app.OnUp(func(_ context.Context, u esl.Up) { up <- u })
	existing := func() []string {
		var uuids []string
		for line := range strings.Lines(server.API(t.Context(), "show channels")) {
			if uuid, _, ok := strings.Cut(line, ","); ok && uuid != "uuid" && strings.Count(uuid, "-") == 4 {
				uuids = append(uuids, uuid)
			}
		}
		slices.Sort(uuids)
		return uuids
	}
	originate := func() {
		if out := server.API(t.Context(), "originate loopback/9196 &park"); !strings.HasPrefix(out, "+OK") {
			t.Fatalf("originate: %q", out)
		}
	}
	originate() // before the app is there
	serve(t, app, server)
	await(t, up, "the connection")
	for i := range 100 {
		server.CutConnections()
		for range rand.IntN(3) {
			originate()
		}
		if all := existing(); len(all) > 8 {
			server.API(t.Context(), "uuid_kill "+all[rand.IntN(len(all))])
		}
		if i%2 == 0 {
			await(t, up, "the connection") // else changes go on while it comes up
		}
		if i%10 == 9 {
			originate()
		}
		if i%2 == 1 {
			await(t, up, "the connection")
		}
		eventually(t, fmt.Sprintf("true calls after cut %d", i+1), func() bool { return slices.Equal(known.now(), existing()) })
	}
	server.API(t.Context(), "hupall")
	eventually(t, "the end of all calls", func() bool { return len(known.now()) == 0 })
	known.mu.Lock()
	defer known.mu.Unlock()
	for uuid, times := range known.begun {
		if times != 1 || known.ended[uuid] != 1 {
			t.Errorf("%s began %d times and ended %d times", uuid, times, known.ended[uuid])
		}
	}
	if known.resyncs["new"] == 0 || known.resyncs["ended"] == 0 {
		t.Errorf("resynchronised %v", known.resyncs)
	}
	t.Logf("%d calls, told by comparison: %v", len(known.begun), known.resyncs)
}

// TestRestartEndsAllCalls has FreeSWITCH crash with calls up.
func TestRestartEndsAllCalls(t *testing.T) {
	server := simulator(t)
	app := newApp()
	known := newCalls(app)
	serve(t, app, server)
	eventually(t, "calls", func() bool {
		server.API(t.Context(), "originate loopback/9196 &park")
		return len(known.now()) > 0
	})
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the end of all calls", func() bool { return len(known.now()) == 0 })
}
