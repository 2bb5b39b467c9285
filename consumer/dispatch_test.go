package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/consumer"
	"github.com/genesis-esl/genesis/esl"
)

func TestOrderWithinACall(t *testing.T) {
	for _, workers := range []int{1, 3, 64} {
		for _, calls := range []int{1, 7, 1000} {
			t.Run(fmt.Sprintf("workers=%d,calls=%d", workers, calls), func(t *testing.T) {
				const events = 20_000
				app := newApp()
				app.Workers, app.QueueEvents = workers, 500
				var mu sync.Mutex
				last := map[string]uint64{}
				handled := 0
				app.HandleFunc("*", func(_ context.Context, ev *esl.Event) error {
					if ev.Sequence()%17 == 0 {
						runtime.Gosched()
					}
					mu.Lock()
					defer mu.Unlock()
					handled++
					if before := last[ev.UUID()]; before >= ev.Sequence() {
						t.Errorf("%s: %d came after %d", ev.UUID(), ev.Sequence(), before)
					}
					last[ev.UUID()] = ev.Sequence()
					return nil
				})
				all := make([]*esl.Event, events)
				for i := range all {
					all[i] = event("DTMF", callName(i*i%calls), i+1)
				}
				run(t, app, all...)
				if handled != events {
					t.Errorf("handled %d of %d events", handled, events)
				}
			})
		}
	}
}

func TestOrderByJobAndByName(t *testing.T) {
	app := newApp()
	got := map[string][]uint64{}
	var mu sync.Mutex
	app.HandleFunc("*", func(_ context.Context, ev *esl.Event) error {
		mu.Lock()
		defer mu.Unlock()
		key := ev.Name() + ev.Get("Job-UUID")
		got[key] = append(got[key], ev.Sequence())
		return nil
	})
	var all []*esl.Event
	for i := range 3000 {
		all = append(all, event("BACKGROUND_JOB", "", i, esl.Header{Name: "Job-UUID", Value: callName(i % 5)}),
			event("HEARTBEAT", "", i))
	}
	run(t, app, all...)
	if len(got) != 6 {
		t.Fatalf("handled under %d keys", len(got))
	}
	for key, sequence := range got {
		for i := range sequence[1:] {
			if sequence[i] >= sequence[i+1] {
				t.Fatalf("%s: %d came before %d", key, sequence[i], sequence[i+1])
			}
		}
	}
}

// TestParallelCalls has as many calls handled at a time as there are workers, and
// no more.
func TestParallelCalls(t *testing.T) {
	const workers, calls = 20, 200
	app := newApp()
	app.Workers = workers
	var running, most atomic.Int64
	full := make(chan struct{})
	var once sync.Once
	app.HandleFunc("*", func(context.Context, *esl.Event) error {
		now := running.Add(1)
		defer running.Add(-1)
		for {
			before := most.Load()
			if now <= before || most.CompareAndSwap(before, now) {
				break
			}
		}
		if now == workers {
			once.Do(func() { close(full) })
		}
		await(t, full, "all workers to be busy")
		return nil
	})
	var all []*esl.Event
	for i := range calls {
		all = append(all, event("DTMF", callName(i), i))
	}
	run(t, app, all...)
	if most.Load() != workers {
		t.Errorf("%d handlers ran at a time, want %d", most.Load(), workers)
	}
}

// TestSlowCallHoldsUpNobodyElse blocks one call until all events of a thousand
// others have been handled by the only other worker.
func TestSlowCallHoldsUpNobodyElse(t *testing.T) {
	const others = 1000
	app := newApp()
	app.Workers = 2
	release := make(chan struct{})
	var handled atomic.Int64
	app.HandleFunc("*", func(_ context.Context, ev *esl.Event) error {
		if ev.UUID() == "slow" {
			await(t, release, "the others")
		} else if handled.Add(1) == others {
			close(release)
		}
		return nil
	})
	all := []*esl.Event{event("DTMF", "slow", 1), event("DTMF", "slow", 2)}
	for i := range others {
		all = append(all, event("DTMF", callName(i), i))
	}
	run(t, app, all...)
}

func TestBackpressureByCount(t *testing.T) {
	const limit, events, calls = 1000, 50_000, 500
	app := newApp()
	app.Workers, app.QueueEvents = 500, limit
	var peak, handled atomic.Int64
	var mu sync.Mutex
	last := map[string]uint64{}
	app.HandleFunc("*", func(_ context.Context, ev *esl.Event) error {
		if waiting, _ := app.Backlog(); int64(waiting) > peak.Load() {
			peak.Store(int64(waiting))
		}
		timer := time.NewTimer(time.Millisecond)
		<-timer.C
		handled.Add(1)
		mu.Lock()
		defer mu.Unlock()
		if last[ev.UUID()] >= ev.Sequence() {
			t.Errorf("%s: %d came after %d", ev.UUID(), ev.Sequence(), last[ev.UUID()])
		}
		last[ev.UUID()] = ev.Sequence()
		return nil
	})
	all := make([]*esl.Event, events)
	for i := range all {
		all[i] = event("DTMF", callName(i%calls), i+1)
	}
	run(t, app, all...)
	if handled.Load() != events {
		t.Errorf("handled %d of %d events", handled.Load(), events)
	}
	if peak.Load() > limit || peak.Load() < limit/2 {
		t.Errorf("up to %d events waited, the limit is %d", peak.Load(), limit)
	}
	if n, size := app.Backlog(); n != 0 || size != 0 {
		t.Errorf("a stopped app says that %d events of %d bytes wait", n, size)
	}
}

func TestBackpressureByBytes(t *testing.T) {
	size := int64(event("DTMF", callName(0), 10_000).Size())
	app := newApp()
	app.Workers, app.QueueBytes = 4, 10*size
	var peak atomic.Int64
	app.HandleFunc("*", func(context.Context, *esl.Event) error {
		if _, waiting := app.Backlog(); waiting > peak.Load() {
			peak.Store(waiting)
		}
		return nil
	})
	var all []*esl.Event
	for i := range 5000 {
		all = append(all, event("DTMF", callName(i%7), 10_000+i))
	}
	huge := esl.Header{Name: "variable_x", Value: string(make([]byte, 100*size))}
	all = append(all, event("DTMF", "huge", 1, huge), event("DTMF", "huge", 2, huge))
	limit := int64(all[len(all)-1].Size())
	run(t, app, all...)
	if peak.Load() > limit {
		t.Errorf("%d bytes waited; no more than one huge event of %d may", peak.Load(), limit)
	}
}

// TestFullQueueStopsIntake shows that a full queue blocks the source, and that the
// end of its context frees it.
func TestFullQueueStopsIntake(t *testing.T) {
	const limit = 10
	app := newApp()
	app.Workers, app.QueueEvents = 1, limit
	dropped := 0
	app.Hooks = &consumer.Hooks{Dropped: func(reason string, n int) {
		if reason != "shutdown" {
			t.Errorf("dropped because of %q", reason)
		}
		dropped += n
	}}
	stop := make(chan struct{})
	var handled atomic.Int64
	app.HandleFunc("*", func(context.Context, *esl.Event) error {
		handled.Add(1)
		<-stop
		return nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- app.Run(ctx, func(ctx context.Context, h esl.Handler) error {
			for i := range 3 * limit {
				h.HandleEvent(ctx, event("DTMF", callName(i), i))
			}
			return ctx.Err()
		})
	}()
	eventually(t, "a full queue", func() bool { n, _ := app.Backlog(); return n == limit })
	cancel()
	close(stop)
	if err := await(t, done, "Run"); !errors.Is(err, context.Canceled) {
		t.Errorf("Run returned %v, want what the source did", err)
	}
	if int(handled.Load())+dropped != 3*limit || dropped == 0 {
		t.Errorf("%d handled and %d dropped of %d", handled.Load(), dropped, 3*limit)
	}
}

// TestSteadyStateAllocatesNothing counts allocations of the whole way through the
// dispatcher, workers and hooks included.
func TestSteadyStateAllocatesNothing(t *testing.T) {
	app := newApp()
	app.Workers = 8
	var handled atomic.Int64
	app.Hooks = &consumer.Hooks{
		Routed:       func(string, bool, int) {},
		HandlerStart: func(ctx context.Context, _ *esl.Event) context.Context { return ctx },
		HandlerEnd:   func(context.Context, *consumer.Handled) { handled.Add(1) },
	}
	app.HandleFunc("DTMF", func(context.Context, *esl.Event) error { return nil }, consumer.Where("Unique-ID", callName(3)))
	app.HandleFunc("*", func(context.Context, *esl.Event) error { return nil })
	batch := make([]*esl.Event, 250)
	for i := range batch {
		batch[i] = event("DTMF", callName(i%50), i)
	}
	err := app.Run(t.Context(), func(ctx context.Context, h esl.Handler) error {
		round := func() {
			handled.Store(0)
			h.(esl.BatchHandler).HandleEvents(ctx, batch)
			for handled.Load() < int64(len(batch)) {
				runtime.Gosched()
			}
		}
		for range 100 {
			round()
		}
		if per := testing.AllocsPerRun(200, round); per > 1 {
			t.Errorf("%v allocations for %d events", per, len(batch))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
