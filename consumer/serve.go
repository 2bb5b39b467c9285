package consumer

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/genesis-esl/genesis/esl"
)

// ErrStopped is the context.Cause of a handler's context when the app stops before the
// handler is done.
var ErrStopped = errors.New("consumer: the app stopped")

type upFunc = func(context.Context, esl.Up)

// OnUp has f called each time the connection is up and subscribed: the first time and
// after each loss, before events of that connection are handled. The context ends when
// the connection does.
//
// Events of the previous connection may still be queued for their handlers then. To
// tell which calls an outage has left a gap in, follow them in the Hooks.Events of the
// esl.ClientConfig: it sees events before they are queued, and so sees all of the
// previous connection's before f runs.
func (a *App) OnUp(f func(ctx context.Context, up esl.Up)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.serving {
		a.errs = append(a.errs, fmt.Errorf("consumer: OnUp: %w", ErrServing))
		return
	}
	a.up = append(a.up, f)
}

// Client returns the connection that serves the app, for commands; nil when Serve is
// not running.
func (a *App) Client() *esl.Client { return a.client.Load() }

type clientKey struct{}

// ClientFrom returns the connection, for commands, from the context of a handler, of
// middleware or of OnUp; nil under Run.
func ClientFrom(ctx context.Context) *esl.Client {
	client, _ := ctx.Value(clientKey{}).(*esl.Client)
	return client
}

// Serve connects to FreeSWITCH and hands its events to the handlers until ctx ends.
// Then intake stops, handlers finish within DrainTimeout, and Serve returns nil. It
// returns an error at once for a bad registration or configuration, and the error of
// esl.Client.Serve, such as esl.ErrAuthentication or esl.ErrAccessDenied, when
// FreeSWITCH refuses for good. After a lost connection it reconnects.
//
// The app adds its subscriptions to cfg.Events, and calls its OnUp functions after
// cfg.OnUp.
func (a *App) Serve(ctx context.Context, cfg esl.ClientConfig) error {
	if err := a.Err(); err != nil {
		return err
	}
	for _, name := range a.Events() {
		if !slices.Contains(cfg.Events, name) {
			cfg.Events = append(slices.Clip(cfg.Events), name)
		}
	}
	var client *esl.Client
	var tracker *tracker
	first := cfg.OnUp
	cfg.OnUp = func(ctx context.Context, up esl.Up) {
		ctx = context.WithValue(ctx, clientKey{}, client)
		if first != nil {
			first(ctx, up)
		}
		for _, f := range a.up {
			f(ctx, up)
		}
		tracker.up(client)
	}
	client, err := esl.NewClient(cfg)
	if err != nil {
		return err
	}
	defer client.Close()
	tracker = newTracker(a)
	defer tracker.wait()
	return a.serve(ctx, client, func(ctx context.Context, h esl.Handler) error {
		return client.Serve(ctx, tracker.watch(h))
	})
}

// Run is Serve with events from elsewhere: a recording, a test, several connections.
// It calls source with ctx. The source hands events to h, which is an esl.BatchHandler
// too and safe for concurrent use; events handed over by one goroutine keep their
// order. When source returns, handlers finish within DrainTimeout, and Run returns the
// error of source.
func (a *App) Run(ctx context.Context, source func(ctx context.Context, h esl.Handler) error) error {
	return a.serve(ctx, nil, source)
}

func (a *App) serve(ctx context.Context, client *esl.Client, source func(context.Context, esl.Handler) error) error {
	router, err := a.begin()
	if err != nil {
		return err
	}
	defer a.end()
	handlerContext, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(ErrStopped)
	if client != nil {
		handlerContext = context.WithValue(handlerContext, clientKey{}, client)
		a.client.Store(client)
		defer a.client.Store(nil)
	}
	d := newDispatcher(handlerContext, a, router)
	a.current.Store(d)
	defer a.current.Store(nil)
	err = source(ctx, d)

	drain := a.DrainTimeout
	if drain == 0 {
		drain = defaultDrainTimeout
	}
	dropped, ended := d.stop(drain, cancel)
	if dropped > 0 {
		d.log.WarnContext(ctx, "stopped with events unhandled", "events", dropped, "drain_timeout", drain)
		if d.hooks.Dropped != nil {
			d.hooks.Dropped("shutdown", dropped)
		}
	}
	if !ended {
		d.log.ErrorContext(ctx, "stopped while handlers went on in spite of their contexts' end")
	}
	return err
}

// begin closes registration and works out the routes.
func (a *App) begin() (*router, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := errors.Join(a.errs...); err != nil {
		return nil, err
	}
	if a.serving {
		return nil, ErrServing
	}
	a.serving = true
	wrapped := make([]*registration, len(a.registrations))
	for i, r := range a.registrations {
		w := *r
		for _, mw := range slices.Backward(a.middleware) {
			w.handler = mw(w.handler)
		}
		wrapped[i] = &w
	}
	return newRouter(wrapped), nil
}

func (a *App) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.serving = false
}
