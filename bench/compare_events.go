package main

import (
	"context"
	"fmt"
	"math"
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
	plain   bool // it reads no other format
	perRun  int  // events a measurement takes, so that it lasts as long as it should

	rates   samples // events a second
	objects samples // allocations an event
	cpu     samples // microseconds of processor time an event, at this end
}

const (
	plainConsumer   = "consumer" // metrics are the difference
	meteredConsumer = "consumer, metrics"
	asItComes       = "eslgo"
	withRoom        = "eslgo, esl's heap"
)

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

	eslgo, roomy := &remote{role: eslgoClient, testdata: s.testdata}, &remote{role: roomyESLGo, testdata: s.testdata}
	defer eslgo.stop()
	defer roomy.stop()

	var subjects []*subject
	ways := []*subject{
		{name: "read and discard", receive: here(discard)},
		{name: "io.Copy to io.Discard", receive: here(copyAway)},
		{name: "esl.Client", receive: ours(nil)},
		{name: plainConsumer, receive: routed(0, nil)},
		{name: meteredConsumer, receive: routed(0, o)},
		{name: asItComes, receive: eslgo.receive, plain: true},
		{name: withRoom, receive: roomy.receive, plain: true},
	}
	for _, load := range []string{"mix", "small", "large", "json", "xml"} {
		for _, atOnce := range append([]int{eachEvent}, s.writes...) {
			var alike []*subject
			for _, way := range ways {
				sub := *way
				sub.payload, sub.atOnce = load, atOnce
				if (payloads[load].format == esl.Plain || !sub.plain) && strings.Contains(sub.title(), s.match) {
					alike = append(alike, &sub)
				}
			}
			if err := measureInTurn(ctx, s, fs, payloads[load], alike); err != nil {
				return err
			}
			subjects = append(subjects, alike...)
		}
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

// measureInTurn measures ways to take the same events several times.
func measureInTurn(ctx context.Context, s settings, fs *process, load *payload, alike []*subject) error {
	for round := -1; round < s.rounds; round++ {
		for _, sub := range alike {
			if err := sub.measure(ctx, s, fs, load, round < 0); err != nil {
				return err
			}
		}
	}
	return nil
}

// measure measures once; the first time says how many events fill the time.
func (sub *subject) measure(ctx context.Context, s settings, fs *process, load *payload, first bool) error {
	if first {
		sub.perRun = 20_000
	}
	run := &stream{fs: fs, load: load, atOnce: sub.atOnce, rounds: load.rounds(sub.perRun)}
	took, err := sub.receive(ctx, run)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	events := float64(run.events())
	rate := events / took.time.Seconds()
	if err != nil {
		fmt.Printf("%s failed: %v\n", sub.title(), err)
		rate = math.NaN()
	}
	if first {
		if err == nil {
			sub.perRun = int(rate * s.each.Seconds())
		}
		return nil
	}
	sub.rates = append(sub.rates, rate)
	sub.objects = append(sub.objects, float64(took.objects)/events)
	sub.cpu = append(sub.cpu, float64(took.busy.Nanoseconds())/1e3/events)
	return nil
}

func printEvents(loads map[string]*payload, subjects []*subject) {
	var t table
	t.row("events, writes", "bytes", "through", "events/s", "MB/s", "noise", "of discard", "of eslgo", "allocs/event", "CPU µs/event")
	base := map[string]samples{}
	for _, sub := range subjects {
		base[sub.title()] = sub.rates
	}
	for _, sub := range subjects {
		rate := sub.rates.median()
		t.row(sub.sent(), number(loads[sub.payload].meanSize()), sub.name,
			number(rate), number(rate*loads[sub.payload].meanSize()/1e6), sub.rates.noise(),
			percent(sub.rates, base[sub.sent()+"/read and discard"]), times(sub.rates, base[sub.sent()+"/"+asItComes]),
			fmt.Sprintf("%.1f", sub.objects.median()), fmt.Sprintf("%.2f", sub.cpu.median()))
	}
	t.print()
	fmt.Println("\neach: a write for each event, as FreeSWITCH sends them.")
	fmt.Println(withRoom + ": what esl does to the garbage collector of a busy process is done for it.")
	printCost(subjects, base)
}

// printCost prints how much longer an event takes where it is counted and timed.
func printCost(subjects []*subject, rates map[string]samples) {
	var t table
	t.row("events, writes", "time of an event with metrics, of one without", "noise")
	for _, sub := range subjects {
		if without := rates[sub.sent()+"/"+plainConsumer]; sub.name == meteredConsumer && len(without) > 0 {
			t.row(sub.sent(), percent(without, sub.rates), without.over(sub.rates).noise())
		}
	}
	if len(t.rows) > 1 {
		fmt.Println()
		t.print()
	}
}
