package consumer_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/genesis-esl/genesis/esl"
)

// TestWhatWaitsBehindBusyWorkers fills the queue while the workers have no time to sort it.
func TestWhatWaitsBehindBusyWorkers(t *testing.T) {
	const events, calls = 20_000, 3000
	app := newApp()
	app.Workers, app.QueueEvents = 2, 2*events
	release := make(chan struct{})
	var handled, disordered atomic.Int64
	var last [calls]atomic.Uint64 // of each call
	app.HandleFunc("TALK", func(context.Context, *esl.Event) error {
		await(t, release, "the queue")
		return nil
	})
	app.HandleFunc("DTMF", func(_ context.Context, ev *esl.Event) error {
		if last[ev.Sequence()%calls].Swap(ev.Sequence()) >= ev.Sequence() {
			disordered.Add(1)
		}
		handled.Add(1)
		return nil
	})
	err := app.Run(t.Context(), func(ctx context.Context, h esl.Handler) error {
		h.HandleEvent(ctx, event("TALK", "busy", 0))
		h.HandleEvent(ctx, event("TALK", "busy too", 0))
		batch := make([]*esl.Event, events)
		for i := range batch {
			batch[i] = event("DTMF", callName((i+1)%calls), i+1)
		}
		if err := feed(batch)(ctx, h); err != nil {
			return err
		}
		if n, _ := app.Backlog(); n != events+2 {
			t.Errorf("%d events wait, want %d", n, events+2)
		}
		close(release)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if handled.Load() != events || disordered.Load() > 0 {
		t.Errorf("%d of %d events handled, %d of them out of order", handled.Load(), events, disordered.Load())
	}
}
