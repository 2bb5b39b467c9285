package main

import (
	"context"
	"fmt"
	"runtime"
	"strings"

	"github.com/genesis-esl/genesis/observability"
)

// subject is a receiver under test and what was measured of it.
type subject struct {
	name    string
	payload string
	receive receiver
	perRun  int // events a measurement takes, so that it lasts as long as it should

	rates   samples // events a second
	objects samples // allocations an event
	cpu     samples // microseconds of processor time an event, at this end
}

func compareEvents(ctx context.Context, s settings) error {
	payloads, err := loadPayloads(s.testdata)
	if err != nil {
		return err
	}
	for _, load := range payloads {
		load.frames = nil // FreeSWITCH's end has its own; what lies about here would slow down the collector
	}
	fs, err := start("freeswitch", s.testdata, 1)
	if err != nil {
		return err
	}
	defer fs.stop()
	o, err := observability.New(observability.Config{Mode: observability.Consumer})
	if err != nil {
		return err
	}
	defer func() { _ = o.Shutdown(context.WithoutCancel(ctx)) }()

	var subjects []*subject
	for _, load := range []string{"mix", "apart", "small", "large", "json", "xml"} {
		subjects = append(subjects,
			&subject{name: "read and discard", payload: load, receive: discard},
			&subject{name: "io.Copy to io.Discard", payload: load, receive: copyAway},
			&subject{name: "esl.Client", payload: load, receive: ours(nil)},
			&subject{name: "consumer", payload: load, receive: routed(0, nil)},
			&subject{name: "consumer, metrics", payload: load, receive: routed(0, o)})
		if payloads[load].format == 0 { // eslgo reads no other format
			subjects = append(subjects, &subject{name: "eslgo", payload: load, receive: theirs})
		}
	}
	kept := subjects[:0]
	for _, sub := range subjects {
		if strings.Contains(sub.payload+"/"+sub.name, s.match) {
			kept = append(kept, sub)
		}
	}
	if err := measureEvents(ctx, s, fs, payloads, kept); err != nil {
		return err
	}
	printEvents(payloads, kept)
	return nil
}

// measureEvents measures all subjects in turn, several times, after a first time
// that says how many events fill the time.
func measureEvents(ctx context.Context, s settings, fs *process, loads map[string]*payload, subjects []*subject) error {
	for round := -1; round < s.rounds; round++ {
		for _, sub := range subjects {
			if round < 0 {
				sub.perRun = 5000
			}
			run := &stream{fs: fs, load: loads[sub.payload]}
			run.rounds = run.load.rounds(sub.perRun)
			runtime.GC()
			before, busy := allocations(), processorTime()
			took, err := sub.receive(ctx, run)
			busy, after := processorTime()-busy, allocations()
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				fmt.Printf("%s/%s failed: %v\n", sub.payload, sub.name, err)
				continue
			}
			rate := float64(run.events()) / took.Seconds()
			if round < 0 {
				sub.perRun = int(rate * s.each.Seconds())
				continue
			}
			sub.rates = append(sub.rates, rate)
			sub.objects = append(sub.objects, float64(after-before)/float64(run.events()))
			sub.cpu = append(sub.cpu, float64(busy.Nanoseconds())/1e3/float64(run.events()))
		}
	}
	return nil
}

func printEvents(loads map[string]*payload, subjects []*subject) {
	var t table
	t.row("events", "through", "events/s", "MB/s", "noise", "of discard", "of eslgo", "allocs/event", "CPU µs/event")
	base := map[string]float64{}
	for _, sub := range subjects {
		base[sub.payload+"/"+sub.name] = sub.rates.median()
	}
	for _, sub := range subjects {
		rate := sub.rates.median()
		t.row(fmt.Sprintf("%s, %s B", sub.payload, number(loads[sub.payload].meanSize())), sub.name,
			number(rate), number(rate*loads[sub.payload].meanSize()/1e6), fmt.Sprintf("±%.0f%%", 100*sub.rates.spread()),
			percent(rate, base[sub.payload+"/read and discard"]), times(rate, base[sub.payload+"/eslgo"]),
			fmt.Sprintf("%.1f", sub.objects.median()), fmt.Sprintf("%.2f", sub.cpu.median()))
	}
	t.print()
	if base["apart/read and discard"] > 0 {
		fmt.Println("\napart is mix with a write for each event, as FreeSWITCH sends them; all else comes in writes of half a megabyte.")
	}
}
