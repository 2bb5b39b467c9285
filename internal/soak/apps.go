package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/genesis-esl/genesis"
	"github.com/genesis-esl/genesis/call"
	"github.com/genesis-esl/genesis/call/queue"
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
	queues   *queue.Queues
}

func startApps(ctx context.Context, sim *esltest.Server, log *slog.Logger, r *report) (*apps, error) {
	queues, err := queue.New(queue.Config{Limit: 5})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	a := &apps{cancel: cancel, ended: make(chan error, 2), queues: queues}
	common := []genesis.Option{genesis.Logger(log), genesis.Observability("127.0.0.1:0")}
	started := make(chan genesis.Started, 1)
	go func() {
		a.ended <- genesis.RunContext(ctx, attendant(queues, r), append(common, genesis.Listen("127.0.0.1:0"),
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
		a.ended <- genesis.RunContext(ctx, watcher(r), append(common, genesis.FreeSWITCH(sim.Addr(), sim.Password()))...)
	}()
	return a, nil
}

// stop ends both as a supervisor does.
func (a *apps) stop() error {
	a.cancel()
	return errors.Join(<-a.ended, <-a.ended, a.queues.Close(context.Background()))
}

// watcher takes every event, and checks that none comes twice.
func watcher(r *report) *consumer.App {
	app := consumer.New()
	app.OnUp(func(_ context.Context, up esl.Up) { r.up(up) })
	app.HandleFunc("*", func(_ context.Context, ev *esl.Event) error {
		r.event(ev)
		return nil
	})
	return app
}

// attendant answers, waits for one of five slots, holds it for a moment, and hangs up.
func attendant(queues *queue.Queues, r *report) outbound.Handler {
	return outbound.HandlerFunc(func(ctx context.Context, s *outbound.Session) (err error) {
		defer func() { r.session(err) }()
		if err := s.Answer(ctx); err != nil {
			return err
		}
		slot, err := queues.Acquire(ctx, "soak", queue.Timeout(time.Minute))
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, slot.Release(context.WithoutCancel(ctx))) }()
		if _, err := s.Execute(ctx, "sleep", "200"); err != nil {
			return err
		}
		return s.Hangup(ctx, call.NormalClearing)
	})
}
