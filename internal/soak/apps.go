package main

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/genesis-esl/genesis"
	"github.com/genesis-esl/genesis/call"
	"github.com/genesis-esl/genesis/consumer"
	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/esl/esltest"
	"github.com/genesis-esl/genesis/outbound"
)

// apps are a consumer and an outbound app, run as anybody's are.
type apps struct {
	outbound string // where calls are awaited
	cancel   context.CancelFunc
	ended    chan error
	counters []*counter
}

func startApps(ctx context.Context, sim *esltest.Server, log *slog.Logger, r *report) (*apps, error) {
	counters, err := newCounters()
	if err != nil {
		return nil, err
	}
	r.counters = counters
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	a := &apps{cancel: cancel, ended: make(chan error, 2), counters: counters}
	common := []genesis.Option{genesis.Logger(log), genesis.Observability("127.0.0.1:0")}
	started := make(chan genesis.Started, 1)
	go func() {
		a.ended <- genesis.RunContext(ctx, attendant(counters, r), append(common[:2:2], genesis.Listen("127.0.0.1:0"),
			genesis.OnStart(func(s genesis.Started) { started <- s }))...)
	}()
	select {
	case s := <-started:
		a.outbound = s.Outbound.String()
	case err := <-a.ended:
		cancel()
		return nil, err
	}
	go func() {
		a.ended <- genesis.RunContext(ctx, watcher(r), append(common[:2:2],
			genesis.FreeSWITCH(sim.Addr(), sim.Password()),
			genesis.OnStart(func(s genesis.Started) { r.health.serving(s.Observability.String()) }),
			genesis.Client(func(cfg *esl.ClientConfig) { cfg.OnDown = func(error) { r.health.changed(false) } }))...)
	}()
	return a, nil
}

// stop ends both as a supervisor does.
func (a *apps) stop() error {
	a.cancel()
	err := errors.Join(<-a.ended, <-a.ended)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for _, c := range a.counters {
		err = errors.Join(err, c.stop(ctx))
	}
	return err
}

// errDeliberate is what a handler returns now and then.
var errDeliberate = errors.New("failed on purpose")

// watcher takes every event and checks it; some handlers are slow, fail, or panic.
func watcher(r *report) *consumer.App {
	app := consumer.New()
	app.OnUp(func(_ context.Context, up esl.Up) {
		r.health.changed(true)
		r.up(up)
		r.marks.up(up)
	})
	app.HandleFunc("CHANNEL_CREATE", func(_ context.Context, ev *esl.Event) error {
		r.known.begin(ev.UUID(), 0)
		return nil
	})
	var turn atomic.Uint64
	app.HandleFunc("*", func(ctx context.Context, ev *esl.Event) error {
		if ev.Name() == "CUSTOM" && ev.Subclass() == consumer.ResyncEvent {
			return nil // the app's own
		}
		r.event()
		r.known.event(ev)
		switch n := turn.Add(1); {
		case n%1000 == 0:
			r.failed.Add(1)
			panic(errDeliberate)
		case n%500 == 0:
			r.failed.Add(1)
			return errDeliberate
		case n%200 == 0:
			pause(ctx, 250*time.Millisecond)
		}
		return nil
	})
	app.HandleFunc("CHANNEL_HANGUP_COMPLETE", func(_ context.Context, ev *esl.Event) error {
		r.known.end(ev.UUID())
		return nil
	})
	app.HandleFunc("NOTIFY", func(_ context.Context, ev *esl.Event) error {
		r.marks.came(ev)
		return nil
	})
	app.HandleFunc(consumer.ResyncEvent, func(_ context.Context, ev *esl.Event) error {
		r.known.compared(ev)
		return nil
	})
	return app
}

// sessionTimeout ends a session whose connection has died without a word.
const sessionTimeout = 90 * time.Second

// attendant answers, waits for one of the slots, holds it for a moment, and hangs up.
func attendant(counters []*counter, r *report) outbound.Handler {
	var turn atomic.Uint64
	return outbound.HandlerFunc(func(ctx context.Context, s *outbound.Session) (err error) {
		defer func() { r.session(err) }()
		ctx, cancel := context.WithTimeout(ctx, sessionTimeout)
		defer cancel()
		if err := s.Answer(ctx); err != nil {
			return err
		}
		release, err := counters[turn.Add(1)%uint64(len(counters))].acquire(ctx)
		if err != nil {
			return err
		}
		defer func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
			defer cancel()
			err = errors.Join(err, release(ctx))
		}()
		if _, err := s.Execute(ctx, "sleep", "200"); err != nil {
			return err
		}
		return s.Hangup(ctx, call.NormalClearing)
	})
}
