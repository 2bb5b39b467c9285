package main

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/genesis-esl/genesis/consumer"
	"github.com/genesis-esl/genesis/esl"
)

// dispatchEvents is how many different events are dispatched over and over: as many
// whatever the number of calls, so that the bytes come from memory just as far away.
const dispatchEvents = 10_000

// compareDispatch measures what an event costs from its bytes to the end of its
// handler, without a socket: with few and many calls, workers and handlers.
func compareDispatch(ctx context.Context, s settings) error {
	frames, err := eventFrames(filepath.Join(s.testdata, "c_event_plain_all"))
	if err != nil {
		return err
	}
	template := longest(frames)
	type cell struct {
		workers, calls, handlers int
		costs                    samples
	}
	var cells []*cell
	for _, workers := range []int{1, 64} {
		for _, calls := range []int{1, 100, 10_000} {
			cells = append(cells, &cell{workers: workers, calls: calls, handlers: 1})
		}
	}
	for _, handlers := range []int{10, 100} {
		cells = append(cells, &cell{workers: 64, calls: 100, handlers: handlers})
	}
	texts := map[int][][]byte{}
	for _, c := range cells {
		if texts[c.calls] == nil {
			texts[c.calls] = eventsOfCalls(template, c.calls)
		}
	}
	for round := -1; round < s.rounds; round++ {
		for _, c := range cells {
			runtime.GC()
			cost, err := dispatchCost(ctx, texts[c.calls], c.workers, c.handlers, s.each/2)
			if err != nil {
				return err
			}
			if round >= 0 {
				c.costs = append(c.costs, cost)
			}
		}
	}
	var t table
	t.row("workers", "calls at once", "handlers of other events", "µs/event", "noise", "of 1 call")
	one := map[int]samples{} // costs with one call, by workers
	for _, c := range cells {
		if c.calls == 1 {
			one[c.workers] = c.costs
		}
		t.row(fmt.Sprint(c.workers), number(float64(c.calls)), fmt.Sprint(c.handlers-1), fmt.Sprintf("%.2f", c.costs.median()),
			c.costs.noise(), percent(c.costs, one[c.workers]))
	}
	t.print()
	return nil
}

// longest returns the body of the longest recorded CHANNEL_STATE event.
func longest(frames [][]byte) []byte {
	var best []byte
	for _, frame := range frames {
		_, body, _ := bytes.Cut(frame, []byte("\n\n"))
		if bytes.HasPrefix(body, []byte("Event-Name: CHANNEL_STATE\n")) && len(body) > len(best) {
			best = body
		}
	}
	return best
}

// eventsOfCalls makes bodies of events, spread over so many calls.
func eventsOfCalls(template []byte, calls int) [][]byte {
	_, rest, _ := bytes.Cut(template, []byte("\nUnique-ID: "))
	id := rest[:36]
	texts := make([][]byte, dispatchEvents)
	for i := range texts {
		other := fmt.Sprintf("%08x%s", i%calls, id[8:])
		texts[i] = bytes.ReplaceAll(template, id, []byte(other))
	}
	return texts
}

// dispatchCost returns microseconds an event.
func dispatchCost(ctx context.Context, texts [][]byte, workers, handlers int, d time.Duration) (float64, error) {
	app := consumer.New()
	app.Workers, app.QueueEvents = workers, 8192
	var read atomic.Int64
	app.HandleFunc("CHANNEL_STATE", func(_ context.Context, ev *esl.Event) error {
		if n := readFive(ev); n < 0 {
			read.Add(1)
		}
		return nil
	})
	for i := range handlers - 1 {
		app.HandleFunc(fmt.Sprintf("bench::other_%d", i), func(context.Context, *esl.Event) error { return nil })
	}
	events := 0
	begun := time.Now()
	err := app.Run(ctx, func(ctx context.Context, h esl.Handler) error {
		batch := make([]*esl.Event, 256)
		for next := 0; time.Since(begun) < d; events += len(batch) {
			for i := range batch {
				ev, err := esl.ParseEvent(esl.Plain, texts[next%len(texts)])
				if err != nil {
					return err
				}
				batch[i] = ev
				next++
			}
			h.(esl.BatchHandler).HandleEvents(ctx, batch)
		}
		return nil
	})
	took := time.Since(begun)
	return float64(took.Microseconds()) / float64(events), err
}
