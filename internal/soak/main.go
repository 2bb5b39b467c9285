// Command soak runs a consumer, an outbound app with a queue, and a simulated FreeSWITCH with faults in one process for a
// set time, and reports what became of events and calls and how memory and goroutines developed. `make soak` runs it.
//
// It exits with 1 when something is left behind, grows, or was handled twice.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/genesis-esl/genesis/esl/esltest"
)

func main() {
	duration := flag.Duration("duration", 30*time.Minute, "how long to run")
	rate := flag.Float64("calls-per-second", 20, "calls per second, half of them to the outbound app")
	every := flag.Duration("fault-every", 10*time.Second, "time between faults: connections cut, FreeSWITCH restarted, gone for a second")
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

// soak runs everything for a time. Logs are thrown away: a cut every few seconds fills them.
func soak(ctx context.Context, duration time.Duration, rate float64, every time.Duration) (*report, error) {
	r := &report{began: time.Now()}
	r.sample() // what there is before anything runs
	sim := esltest.NewUnstartedServer(esltest.Config{Heartbeat: time.Second})
	if err := sim.Start(); err != nil {
		return nil, err
	}
	defer sim.Close()
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	apps, err := startApps(ctx, sim, quiet, r)
	if err != nil {
		return nil, err
	}
	running, cancel := context.WithTimeout(ctx, duration)
	defer cancel()
	done := make(chan error, 2)
	calls := esltest.Load{Rate: rate / 2, Duration: duration, Call: esltest.CallConfig{To: "9196", HangupAfter: 2 * time.Second}}
	outbound := calls
	outbound.Call = esltest.CallConfig{Outbound: apps.outbound, HangupAfter: time.Minute}
	for _, load := range []esltest.Load{calls, outbound} {
		go func() { done <- keepLoading(running, sim, load, r) }()
	}
	disturb(running, sim, every, duration, r)
	for range 2 {
		if err := <-done; err != nil {
			return nil, err
		}
	}
	if err := apps.stop(); err != nil {
		return nil, err
	}
	sim.Close()
	r.settle()
	return r, nil
}

// keepLoading makes calls until ctx ends. A load ends when FreeSWITCH is gone; then it is begun anew.
func keepLoading(ctx context.Context, sim *esltest.Server, load esltest.Load, r *report) error {
	pause := time.NewTicker(100 * time.Millisecond)
	defer pause.Stop()
	for {
		got, _ := sim.Load(ctx, load) // an error only says that FreeSWITCH was stopped
		r.calls(got)
		select {
		case <-ctx.Done():
			return nil
		case <-pause.C:
		}
	}
}

// disturb does something wrong at every interval, and samples memory, until ctx ends.
func disturb(ctx context.Context, sim *esltest.Server, every, duration time.Duration, r *report) {
	faults, samples := time.NewTicker(every), time.NewTicker(max(duration/60, 100*time.Millisecond))
	defer faults.Stop()
	defer samples.Stop()
	for n := 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-samples.C:
			r.sample()
		case <-faults.C:
			n++
			switch n % 4 {
			case 0:
				r.fault("restart", sim.Restart())
			case 2:
				err := sim.Stop()
				select {
				case <-time.After(time.Second):
				case <-ctx.Done():
				}
				if err == nil {
					err = sim.Resume()
				}
				r.fault("gone for a second", err)
			default:
				sim.CutConnections()
				r.fault("cut", nil)
			}
		}
	}
}
