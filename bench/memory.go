package main

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/genesis-esl/genesis/consumer"
	"github.com/genesis-esl/genesis/esl"
)

// measureMemory measures the memory of events that are kept, and of events that
// wait for a slow handler.
func measureMemory(ctx context.Context, s settings) error {
	payloads, err := loadPayloads(s.testdata)
	if err != nil {
		return err
	}
	var t table
	t.row("events kept", "on the wire", "in memory, headers read", "share", "objects an event")
	for _, name := range []string{"mix", "small", "large", "json", "xml"} {
		load := payloads[name]
		memory, objects, err := keep(load)
		if err != nil {
			return err
		}
		t.row(name, number(load.meanSize())+" B", number(memory)+" B", fmt.Sprintf("%.2f", memory/load.meanSize()),
			fmt.Sprintf("%.1f", objects))
	}
	t.print()
	if s.short {
		return nil
	}
	return measureBacklog(ctx, s, payloads["mix"])
}

// keep decodes all events of a payload, reads headers of each, and returns the
// bytes and objects that an event takes as long as it is kept.
func keep(load *payload) (memory, objects float64, err error) {
	const times = 20
	kept := make([]*esl.Event, 0, times*load.events)
	before := heap()
	for range times {
		for d := esl.NewDecoder(bytes.NewReader(load.frames), esl.Limits{}); len(kept) < cap(kept); {
			f, err := d.Next()
			if err != nil {
				break
			}
			ev, err := f.Event()
			if err != nil {
				return 0, 0, err
			}
			readFive(ev)
			kept = append(kept, ev)
		}
	}
	after := heap()
	n := float64(len(kept))
	runtime.KeepAlive(kept)
	return float64(after.HeapAlloc-before.HeapAlloc) / n, float64(after.HeapObjects-before.HeapObjects) / n, nil
}

func heap() runtime.MemStats {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m
}

// measureBacklog sends 50,000 events to a handler that sleeps a millisecond on
// each, with queues of 5,000, looks at the memory after a while, and then lets the
// handler run to see that everything came in order.
func measureBacklog(ctx context.Context, s settings, load *payload) error {
	const queue, while = 5000, 3 * time.Second
	fs, err := start("freeswitch", s.testdata, 1)
	if err != nil {
		return err
	}
	defer fs.stop()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	run := &stream{fs: fs, load: load, atOnce: s.writes.most(), rounds: load.rounds(50_000)}
	firsts, lasts := firstOfCalls(load), map[string]uint64{}
	var seen, disordered int64
	var hurry atomic.Bool
	app := consumer.New()
	app.Workers, app.QueueEvents = 1, queue
	app.HandleFunc("*", func(ctx context.Context, ev *esl.Event) error {
		if seen++; seen == run.events() {
			cancel()
		}
		call, sequence := strings.Clone(ev.UUID()), ev.Sequence()
		if call != "" && sequence <= lasts[call] && sequence != firsts[call] {
			disordered++
		}
		lasts[call] = sequence
		if !hurry.Load() {
			time.Sleep(time.Millisecond)
		}
		return nil
	})
	var begun time.Time
	cfg := run.config(nil, &begun)
	cfg.Queue.Events = queue
	base := heap().HeapAlloc
	timer := time.AfterFunc(while, func() {
		grown := float64(heap().HeapAlloc - base)
		events, _ := app.Backlog()
		fmt.Printf("\nA handler that sleeps 1 ms, two queues of %s events, %s sent: after %v %s events wait in the app "+
			"and the heap has grown by %.0f MB, %.0f bytes for each event the queues may hold.\n", number(queue),
			number(float64(run.events())), while, number(float64(events)), grown/1e6, grown/(2*queue))
		hurry.Store(true)
	})
	defer timer.Stop()
	if err := app.Serve(ctx, cfg); err != nil {
		return err
	}
	fmt.Printf("Of %s events handled, %d were out of their call's order.\n", number(float64(seen)), disordered)
	return nil
}

// firstOfCalls returns the Event-Sequence with which each call of a payload begins.
func firstOfCalls(load *payload) map[string]uint64 {
	firsts := map[string]uint64{}
	for d := esl.NewDecoder(bytes.NewReader(load.frames), esl.Limits{}); ; {
		f, err := d.Next()
		if err != nil {
			return firsts
		}
		ev, err := f.Event()
		if err != nil {
			continue
		}
		if _, known := firsts[ev.UUID()]; !known {
			firsts[ev.UUID()] = ev.Sequence()
		}
	}
}
