package main

import (
	"context"
	"time"

	"github.com/genesis-esl/genesis/esl/esltest"
)

// trouble is something that goes wrong, until the next one comes.
type trouble struct {
	name string
	make func(ctx context.Context, sim *esltest.Server) error
}

// troubles come one after the other, again and again.
var troubles = []trouble{
	{"connections cut", func(_ context.Context, sim *esltest.Server) error { sim.CutConnections(); return nil }},
	{"FreeSWITCH gone for 4 s", func(ctx context.Context, sim *esltest.Server) error {
		if err := sim.Stop(); err != nil {
			return err
		}
		pause(ctx, 4*time.Second)
		return sim.Resume()
	}},
	injected("writes split", esltest.Fault{Kind: esltest.FaultSplit, Chunk: 97}),
	injected("events half-open", esltest.Fault{Kind: esltest.FaultHalfOpen, Direction: "inbound", Count: 1}),
	{"FreeSWITCH restarted", func(_ context.Context, sim *esltest.Server) error { return sim.Restart() }},
	injected("stalled for 2 s", esltest.Fault{Kind: esltest.FaultStall, For: 2 * time.Second, Count: 4}),
	injected("garbage", esltest.Fault{Kind: esltest.FaultGarbage, Direction: "inbound", Count: 1}),
	injected("writes merged", esltest.Fault{Kind: esltest.FaultMerge, For: 50 * time.Millisecond}),
	injected("cut within a frame", esltest.Fault{Kind: esltest.FaultCut, Bytes: 20_011, Direction: "inbound", Count: 2}),
	injected("heartbeats left out", esltest.Fault{Kind: esltest.FaultNoHeartbeat, Count: 2}),
	injected("events lost by the queue", esltest.Fault{Kind: esltest.FaultLostEvents, Events: 50, Direction: "inbound", Count: 1}),
	{"FreeSWITCH shut down for 3 s", func(ctx context.Context, sim *esltest.Server) error {
		sim.Shutdown()
		pause(ctx, 3*time.Second)
		return sim.Resume()
	}},
	injected("writes delayed", esltest.Fault{Kind: esltest.FaultDelay, For: 20 * time.Millisecond}),
	{"connections refused for 3 s", func(ctx context.Context, sim *esltest.Server) error {
		if err := sim.Inject(esltest.Fault{Kind: esltest.FaultRefuse, Direction: "inbound"}); err != nil {
			return err
		}
		sim.CutConnections()
		pause(ctx, 3*time.Second)
		sim.Heal()
		return nil
	}},
}

func injected(name string, f esltest.Fault) trouble {
	return trouble{name, func(_ context.Context, sim *esltest.Server) error { return sim.Inject(f) }}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// disturb makes trouble at every interval until ctx ends, and leaves a FreeSWITCH without faults.
func disturb(ctx context.Context, sim *esltest.Server, every time.Duration, r *report) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	defer sim.Heal()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		sim.Heal()
		next := troubles[n%len(troubles)]
		r.fault(next.name, next.make(ctx, sim))
	}
}

// measure samples memory, goroutines and file descriptors until ctx ends.
func measure(ctx context.Context, every time.Duration, r *report) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			r.sample()
		}
	}
}
