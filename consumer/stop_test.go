package consumer_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/consumer"
	"github.com/genesis-esl/genesis/esl"
)

func TestStopFinishesWhatIsQueued(t *testing.T) {
	app := newApp()
	app.Workers = 3
	var handled atomic.Int64
	app.HandleFunc("*", func(ctx context.Context, _ *esl.Event) error {
		timer := time.NewTimer(time.Millisecond)
		<-timer.C
		if ctx.Err() != nil {
			t.Error("a context ended before its handler did")
		}
		handled.Add(1)
		return nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	err := app.Run(ctx, func(ctx context.Context, h esl.Handler) error {
		for i := range 100 {
			h.HandleEvent(ctx, event("DTMF", callName(i%10), i))
		}
		cancel()
		return nil
	})
	if err != nil || handled.Load() != 100 {
		t.Errorf("handled %d of 100, %v", handled.Load(), err)
	}
}

func TestStopHasADeadline(t *testing.T) {
	app := newApp()
	app.Workers, app.DrainTimeout = 2, 20*time.Millisecond
	dropped := 0
	app.Hooks = &consumer.Hooks{Dropped: func(_ string, n int) { dropped += n }}
	var handled atomic.Int64
	app.HandleFunc("*", func(ctx context.Context, _ *esl.Event) error {
		handled.Add(1)
		<-ctx.Done()
		if !errors.Is(context.Cause(ctx), consumer.ErrStopped) {
			t.Errorf("the context ended because of %v", context.Cause(ctx))
		}
		return ctx.Err()
	})
	var all []*esl.Event
	for i := range 50 {
		all = append(all, event("DTMF", callName(i%5), i))
	}
	begun := time.Now()
	run(t, app, all...)
	if handled.Load() != 2 || dropped != 48 {
		t.Errorf("%d handled, %d dropped", handled.Load(), dropped)
	}
	if took := time.Since(begun); took > patience {
		t.Errorf("took %v", took)
	}
}

func TestHandlersThatNeverEndAreLeft(t *testing.T) {
	app := newApp()
	app.DrainTimeout = -1
	release := make(chan struct{})
	ended := make(chan struct{})
	started := make(chan struct{})
	app.HandleFunc("*", func(context.Context, *esl.Event) error {
		close(started)
		<-release
		close(ended)
		return nil
	})
	err := app.Run(t.Context(), func(ctx context.Context, h esl.Handler) error {
		h.HandleEvent(ctx, event("DTMF", "a", 1))
		await(t, started, "the handler")
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	close(release)
	await(t, ended, "the handler")
}

// TestEventsBehindThemAreCounted: what waits behind handlers that do not return is lost, and said to be.
func TestEventsBehindThemAreCounted(t *testing.T) {
	const events, before = 1000, 10 // as many are handled first
	for _, workers := range []int{1, 4} {
		for _, calls := range []int{1, 100} {
			app := newApp()
			app.Workers, app.DrainTimeout = workers, -1
			release, full := make(chan struct{}), make(chan struct{})
			var begun, dropped atomic.Int64
			app.Hooks = &consumer.Hooks{Dropped: func(_ string, n int) { dropped.Add(int64(n)) }}
			stuck := make(chan struct{}, events)
			app.HandleFunc("*", func(context.Context, *esl.Event) error {
				<-full
				if begun.Add(1) > before {
					stuck <- struct{}{}
					<-release
				}
				return nil
			})
			err := app.Run(t.Context(), func(ctx context.Context, h esl.Handler) error {
				for i := range events {
					h.HandleEvent(ctx, event("DTMF", callName(i%calls), i))
				}
				close(full)
				for range min(workers, calls) {
					await(t, stuck, "a handler")
				}
				return nil
			})
			if got := begun.Load() + dropped.Load(); err != nil || got != events {
				t.Errorf("%d workers, %d calls: of %d events %d were given to handlers and %d dropped, %v",
					workers, calls, events, begun.Load(), dropped.Load(), err)
			}
			close(release)
		}
	}
}

// TestBacklogOfOneWorker: what has been handled waits no longer, though several calls are taken at once.
func TestBacklogOfOneWorker(t *testing.T) {
	const calls = 200
	app := newApp()
	app.Workers = 1
	full, handled := make(chan struct{}), 0
	app.HandleFunc("*", func(context.Context, *esl.Event) error {
		<-full
		if events, _ := app.Backlog(); events != calls-handled {
			t.Errorf("%d wait after %d of %d", events, handled, calls)
		}
		handled++
		return nil
	})
	err := app.Run(t.Context(), func(ctx context.Context, h esl.Handler) error {
		for i := range calls {
			h.HandleEvent(ctx, event("DTMF", callName(i), i))
		}
		close(full)
		return nil
	})
	if err != nil || handled != calls {
		t.Errorf("%d handled, %v", handled, err)
	}
}

func TestServedOnceAtATime(t *testing.T) {
	app := newApp()
	var j journal
	app.HandleFunc("DTMF", j.handler("x"))
	err := app.Run(t.Context(), func(ctx context.Context, h esl.Handler) error {
		if err := app.Run(ctx, feed(nil)); !errors.Is(err, consumer.ErrServing) {
			t.Errorf("a second Run returned %v", err)
		}
		h.HandleEvent(ctx, event("DTMF", "a", 1))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	run(t, app, event("DTMF", "a", 2))
	j.want(t, "x:1", "x:2")
	err = app.Run(t.Context(), func(context.Context, esl.Handler) error {
		app.HandleFunc("DTMF", j.handler("late"))
		return nil
	})
	if err != nil || !errors.Is(app.Err(), consumer.ErrServing) {
		t.Errorf("Run returned %v; after a late registration Err returns %v", err, app.Err())
	}
}
