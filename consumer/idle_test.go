package consumer_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/internal/testbed"
)

// TestEveryWorkerIsWokenForWhatItsNeighbourLeaves has all workers but one wait for what only the
// last one can do, again and again from rest: whoever misses that there is work misses it for good.
func TestEveryWorkerIsWokenForWhatItsNeighbourLeaves(t *testing.T) {
	testbed.OnProcessors(t, func(t *testing.T) {
		wakeAllButOne(t)
	}, 2, 8)
}

func wakeAllButOne(t *testing.T) {
	const workers, rounds, quick = 4, 10_000, 5
	type round struct {
		left atomic.Int64
		done chan struct{}
	}
	all := make([]round, rounds)
	app := newApp()
	app.Workers = workers
	app.HandleFunc("DTMF", func(_ context.Context, ev *esl.Event) error {
		await(t, all[ev.Sequence()].done, "those who wait for nothing")
		return nil
	})
	app.HandleFunc("TALK", func(_ context.Context, ev *esl.Event) error {
		if r := &all[ev.Sequence()]; r.left.Add(-1) == 0 {
			close(r.done)
		}
		return nil
	})
	err := app.Run(t.Context(), func(ctx context.Context, h esl.Handler) error {
		for n := range all {
			all[n].left.Store(quick)
			all[n].done = make(chan struct{})
			var batch []*esl.Event
			for i := range workers - 1 {
				batch = append(batch, event("DTMF", callName(i), n))
			}
			for i := range quick {
				batch = append(batch, event("TALK", callName(workers+i), n))
			}
			h.(esl.BatchHandler).HandleEvents(ctx, batch)
			await(t, all[n].done, "a round")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
