// Command soak runs a consumer, an outbound app with a queue, and a simulated FreeSWITCH with faults in one process for a
// set time, and reports what became of events and calls and how memory and goroutines developed. `make soak` runs it.
//
// All along it checks that no event is handled twice or before an earlier one of its call, that each call is known to have
// ended once, that what was lost is within what each reconnect announced, that no slot is given twice or lost, and that /health agrees with the connection; in the end that /metrics
// agree with what was counted and that nothing is left behind. It exits with 1 when one of these does not hold. SIGINT ends
// it early, with the report.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/genesis-esl/genesis/esl/esltest"
	"github.com/genesis-esl/genesis/internal/headroom"
)

func main() {
	duration := flag.Duration("duration", 30*time.Minute, "how long to run")
	rate := flag.Float64("calls-per-second", 20, "calls per second, half of them to the outbound app")
	every := flag.Duration("fault-every", 10*time.Second, "time between faults, which come in turn: connections cut, stalled, half-open, FreeSWITCH restarted, gone …")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	report, err := soak(ctx, *duration, *rate, *every)
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
	report.print(os.Stdout)
	if len(report.complaints()) > 0 {
		os.Exit(1)
	}
}

// soak runs everything for a time, or until ctx ends. Logs are thrown away: a cut every few seconds fills them.
func soak(ctx context.Context, duration time.Duration, rate float64, every time.Duration) (*report, error) {
	headroom.Take(headroom.Flood) // lest it looks as if the heap grew, when events flood in after a cut
	r := newReport()
	r.sample() // what there is before anything runs
	sim := esltest.NewUnstartedServer(esltest.Config{Heartbeat: time.Second})
	if err := sim.Start(); err != nil {
		return nil, err
	}
	defer sim.Close()
	apps, err := startApps(ctx, sim, slog.New(slog.NewTextHandler(io.Discard, nil)), r)
	if err != nil {
		return nil, err
	}
	running, cancel := context.WithTimeout(ctx, duration)
	defer cancel()
	calls := esltest.Load{Rate: rate / 2, Duration: duration, Concurrent: 1000,
		Call: esltest.CallConfig{To: "9196", HangupAfter: 2 * time.Second}}
	toOutbound := calls
	toOutbound.Call = esltest.CallConfig{Outbound: apps.outbound, HangupAfter: time.Minute}
	var work sync.WaitGroup
	for _, load := range []esltest.Load{calls, toOutbound} {
		work.Go(func() { keepLoading(running, sim, load, r) })
	}
	work.Go(func() { measure(running, max(duration/60, time.Second), r) })
	work.Go(func() { r.health.watch(running) })
	work.Go(func() { r.marks.make(running, sim) })
	disturb(running, sim, every, r)
	work.Wait()
	r.ran = time.Since(r.began)
	r.conclude(sim)
	r.wrong(apps.stop())
	sim.Close()
	r.settle()
	return r, nil
}

// keepLoading makes calls until ctx ends. A load ends when FreeSWITCH is gone; then it is begun anew.
func keepLoading(ctx context.Context, sim *esltest.Server, load esltest.Load, r *report) {
	for ctx.Err() == nil {
		got, _ := sim.Load(ctx, load) // an error only says that FreeSWITCH was stopped
		r.calls(got)
		pause(ctx, 100*time.Millisecond)
	}
}
