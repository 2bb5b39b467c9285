package consumer_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/consumer"
	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/esl/esltest"
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

// TestComparisonThatFailsKeepsNothing: when FreeSWITCH refuses the list of channels or the mark, or when the mark never
// comes back, the app says so once and remembers nothing of the calls that come and go from then on.
func TestComparisonThatFailsKeepsNothing(t *testing.T) {
	user := func(api ...string) esltest.Config {
		return esltest.Config{Users: []esltest.User{{Name: "u@d", Password: "p", API: api}}}
	}
	only := func(names ...string) (filters []esl.Filter) {
		for _, name := range names {
			filters = append(filters, esl.Filter{Header: "Event-Name", Value: name})
		}
		return filters
	}
	for name, c := range map[string]struct {
		server esltest.Config
		client esl.ClientConfig
		why    string
	}{
		"the list is refused":      {user("status"), esl.ClientConfig{User: "u@d", Password: "p"}, "permission denied"},
		"the mark is filtered out": {user(), esl.ClientConfig{Password: "ClueCon", Filters: only("CHANNEL_CREATE", "CHANNEL_DESTROY")}, "filter"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Cleanup(consumer.SetMarkTimeout(100 * time.Millisecond))
			server := esltest.NewUnstartedServer(c.server)
			if err := server.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(server.Close)
			app, warnings := following()
			destroyed := make(chan struct{}, 100)
			app.HandleFunc("CHANNEL_DESTROY", func(context.Context, *esl.Event) error { destroyed <- struct{}{}; return nil })
			c.client.Addr = server.Addr()
			serveAs(t, app, c.client)
			if line := await(t, warnings, "a warning"); !strings.Contains(line, "calls that changed unseen are unknown") || !strings.Contains(line, c.why) {
				t.Errorf("logged %q, want it to say why: %s", line, c.why)
			}
			comeAndGo := func(from, to int) uint64 {
				for i := from; i < to; i++ {
					// A long name, so that it weighs when it is kept.
					call := []esl.Header{{Name: "Unique-ID", Value: fmt.Sprintf("%04096d", i)}}
					for _, event := range []string{"CHANNEL_CREATE", "CHANNEL_DESTROY"} {
						if err := server.Fire(event, call, ""); err != nil {
							t.Fatal(err)
						}
					}
					await(t, destroyed, "the end of a call")
				}
				runtime.GC()
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				return m.HeapAlloc
			}
			before := comeAndGo(0, 1000)
			if after := comeAndGo(1000, 5000); after > before+4<<20 { // of 16 MiB of names
				t.Errorf("%d KiB more after 4,000 calls that are over", (after-before)>>10)
			}
			if len(warnings) > 0 {
				t.Errorf("logged too: %q", <-warnings)
			}
		})
	}
}

// following returns an app that compares its calls, and what that warns of.
func following() (*consumer.App, lines) {
	app, warnings := newApp(), make(lines, 100)
	app.Logger = slog.New(slog.NewTextHandler(warnings, &slog.HandlerOptions{Level: slog.LevelWarn}))
	app.HandleFunc(consumer.ResyncEvent, func(context.Context, *esl.Event) error { return nil })
	return app, warnings
}

// lines are what is logged.
type lines chan string

func (l lines) Write(p []byte) (int, error) {
	l <- string(p)
	return len(p), nil
}
