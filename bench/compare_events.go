package main

import (
	"context"
	"fmt"
	"runtime"
	"strings"

	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/observability"
)

// subject is a receiver under test and what was measured of it.
type subject struct {
	name    string
	payload string
	atOnce  int // bytes of a write
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
	ways := []*subject{
		{name: "read and discard", receive: discard},
		{name: "io.Copy to io.Discard", receive: copyAway},
		{name: "esl.Client", receive: ours(nil)},
		{name: "consumer", receive: routed(0, nil)},
		{name: "consumer, metrics", receive: routed(0, o)},
		{name: "eslgo", receive: theirs},
	}
	for _, load := range []string{"mix", "small", "large", "json", "xml"} {
		for _, atOnce := range append([]int{eachEvent}, s.writes...) {
			for _, way := range ways {
				sub := *way
				sub.payload, sub.atOnce = load, atOnce
				eslgoReads := payloads[load].format == esl.Plain
				if (eslgoReads || sub.name != "eslgo") && strings.Contains(sub.title(), s.match) {
					subjects = append(subjects, &sub)
				}
			}
		}
	}
	if err := measureEvents(ctx, s, fs, payloads, subjects); err != nil {
		return err
	}
	printEvents(payloads, subjects)
	return nil
}

// sent names the events and the way in which they come.
func (sub *subject) sent() string {
	if sub.atOnce == eachEvent {
		return sub.payload + ", each"
	}
	return fmt.Sprintf("%s, %.4g KB", sub.payload, float64(sub.atOnce)/1024)
}

// title is what is matched.
func (sub *subject) title() string { return sub.sent() + "/" + sub.name }

// measureEvents measures all subjects in turn, several times, after a first time
// that says how many events fill the time.
func measureEvents(ctx context.Context, s settings, fs *process, loads map[string]*payload, subjects []*subject) error {
	for round := -1; round < s.rounds; round++ {
		for _, sub := range subjects {
			if round < 0 {
				sub.perRun = 5000
			}
			run := &stream{fs: fs, load: loads[sub.payload], atOnce: sub.atOnce}
			run.rounds = run.load.rounds(sub.perRun)
			runtime.GC()
			before, busy := allocations(), processorTime()
			took, err := sub.receive(ctx, run)
			busy, after := processorTime()-busy, allocations()
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				fmt.Printf("%s failed: %v\n", sub.title(), err)
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
	t.row("events, writes", "bytes", "through", "events/s", "MB/s", "noise", "of discard", "of eslgo", "allocs/event", "CPU µs/event")
	base := map[string]float64{}
	for _, sub := range subjects {
		base[sub.title()] = sub.rates.median()
	}
	for _, sub := range subjects {
		rate := sub.rates.median()
		t.row(sub.sent(), number(loads[sub.payload].meanSize()), sub.name,
			number(rate), number(rate*loads[sub.payload].meanSize()/1e6), fmt.Sprintf("±%.0f%%", 100*sub.rates.spread()),
			percent(rate, base[sub.sent()+"/read and discard"]), times(rate, base[sub.sent()+"/eslgo"]),
			fmt.Sprintf("%.1f", sub.objects.median()), fmt.Sprintf("%.2f", sub.cpu.median()))
	}
	t.print()
	fmt.Println("\neach: a write for each event, as FreeSWITCH sends them.")
}
