package genesis

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"sync"
	"time"

	"github.com/genesis-esl/genesis/call"
	"github.com/genesis-esl/genesis/consumer"
	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/observability"
	"github.com/genesis-esl/genesis/outbound"
	"github.com/genesis-esl/genesis/program"
)

func serveConsumer(app *consumer.App) serveFunc {
	return func(ctx context.Context, r *run) error {
		hooks := app.Hooks
		defer func() { app.Hooks = hooks }()
		app.Hooks = r.consumerHooks(hooks)
		r.obs.SetAppRunning(true)
		defer r.obs.SetAppRunning(false)
		return r.connect(ctx, app)
	}
}

// serveProgram serves a program that reads events. /ready says whether its process runs.
func serveProgram(p *program.Consumer) serveFunc {
	return func(ctx context.Context, r *run) error {
		app := consumer.New()
		app.Hooks = r.consumerHooks(nil) // the program tells what it has not read once the app has been served
		told, logger := p.OnRunning, p.Logger
		defer func() { p.OnRunning, p.Logger = told, logger }()
		p.OnRunning = func(running bool) {
			r.obs.SetAppRunning(running)
			if told != nil {
				told(running)
			}
		}
		if logger == nil {
			p.Logger = r.log
		}
		if err := p.Register(app); err != nil {
			return &ConfigError{Name: p.Path, Err: err}
		}
		return p.Run(ctx, func(ctx context.Context) error { return r.connect(ctx, app) })
	}
}

// connect serves a consumer until ctx ends.
func (r *run) connect(ctx context.Context, app *consumer.App) error {
	if err := app.Err(); err != nil {
		return &ConfigError{Name: "app", Err: err}
	}
	logger, drain := app.Logger, app.DrainTimeout
	defer func() { app.Logger, app.DrainTimeout = logger, drain }()
	if logger == nil {
		app.Logger = r.log
	}
	if drain == 0 {
		if app.DrainTimeout = r.stopTimeout; r.stopTimeout == 0 {
			app.DrainTimeout = -1 // at once; zero would be its default
		}
	}
	r.obs.ObserveBacklog(app.Backlog)
	r.obs.AddInfo("subscribed", func() any { return app.Events() })
	r.obs.AddInfo("handlers", func() any { return app.Handlers() })
	r.obs.AddInfo("limits", func() any {
		limits := map[string]any{
			"workers": app.Workers, "queue_events": app.QueueEvents, "queue_bytes": app.QueueBytes,
			"shutdown_timeout_seconds": r.stopTimeout.Seconds(), "drain_delay_seconds": r.drainDelay.Seconds(),
		}
		maps.DeleteFunc(limits, func(_ string, value any) bool { return value == 0 || value == int64(0) }) // consumer's defaults
		return limits
	})

	cfg := esl.ClientConfig{Addr: r.addr, User: r.user, Password: r.password, Hooks: r.obs.Hooks()}
	// Where heartbeats are rare, a connection is silent for longer before it is dead.
	if r.heartbeat > observability.DefaultHeartbeatTimeout {
		cfg.IdleTimeout = 2 * r.heartbeat
	}
	for _, f := range r.client {
		f(&cfg)
	}
	r.obs.ObserveSubscriptions(func() []string {
		if len(cfg.Filters) > 0 {
			return nil // calls can begin or end without an event that passes
		}
		return app.Events()
	})
	r.log.Info("connecting to FreeSWITCH", "address", cfg.Addr)
	err := app.Serve(ctx, cfg)
	switch {
	case errors.Is(err, esl.ErrAuthentication):
		return fmt.Errorf("FreeSWITCH at %s refuses the password (%s, %s): %w", cfg.Addr, EnvPassword, EnvPasswordFile, err)
	case errors.Is(err, esl.ErrAccessDenied):
		return fmt.Errorf("FreeSWITCH at %s refuses this host (apply-inbound-acl in event_socket.conf.xml): %w", cfg.Addr, err)
	}
	return err
}

// consumerHooks records what happens to events, and tells the app's own hooks.
func (r *run) consumerHooks(own *consumer.Hooks) *consumer.Hooks {
	if own == nil {
		own = &consumer.Hooks{}
	}
	return &consumer.Hooks{
		Routed: func(name string, hit bool, n int) {
			r.obs.EventsRouted(name, hit, n)
			if own.Routed != nil {
				own.Routed(name, hit, n)
			}
		},
		HandlerStart: func(ctx context.Context, ev *esl.Event) context.Context {
			ctx = r.obs.HandlerStart(ctx, ev)
			if own.HandlerStart != nil {
				ctx = own.HandlerStart(ctx, ev)
			}
			return ctx
		},
		HandlerEnd: func(ctx context.Context, h *consumer.Handled) {
			r.obs.HandlerEnd(ctx, h.Name, h.Duration, string(h.Failure), h.Err)
			if own.HandlerEnd != nil {
				own.HandlerEnd(ctx, h)
			}
		},
		Dropped: func(reason string, n int) {
			r.obs.EventsDropped(reason, n)
			if own.Dropped != nil {
				own.Dropped(reason, n)
			}
		},
	}
}

// serveOutbound serves calls, at most maxSessions at a time unless a setting says otherwise.
func serveOutbound(h outbound.Handler, maxSessions int) serveFunc {
	return func(ctx context.Context, r *run) error {
		if r.maxSessions != 0 {
			maxSessions = r.maxSessions
		}
		instruments, err := call.NewInstruments(r.obs.MeterProvider(), r.obs.TracerProvider())
		if err != nil {
			return err
		}
		srv := &outbound.Server{
			Handler: outbound.HandlerFunc(func(ctx context.Context, s *outbound.Session) error {
				return r.obs.Session(ctx, s.ConnectEvent(), s.RemoteAddr().String(), func(ctx context.Context) error {
					return failure(s, h.HandleSession(ctx, s))
				})
			}),
			Allow: r.allow, MaxSessions: maxSessions, MaxRate: r.maxRate,
			Hooks: r.obs.Hooks(), Instruments: instruments, Logger: r.log,
			SessionHooks: &outbound.Hooks{
				Rejected: r.turnedAway(),
			},
		}
		for _, f := range r.server {
			f(srv)
		}
		r.obs.AddInfo("listening", func() any { return r.l.Addr().String() })
		r.obs.AddInfo("sessions", func() any { return srv.Sessions() })
		r.obs.AddInfo("limits", func() any {
			return map[string]any{
				"max_sessions": srv.MaxSessions, "max_rate": srv.MaxRate, "allow": fmt.Sprint(srv.Allow),
				"shutdown_timeout_seconds": r.stopTimeout.Seconds(), "drain_delay_seconds": r.drainDelay.Seconds(),
			}
		})
		return r.accept(ctx, srv)
	}
}

// turnedAway counts the connections that are turned away, and says so in the log once a minute at most: the next ones
// cost as little as they can.
func (r *run) turnedAway() func(net.Addr, outbound.Reason) {
	var mu sync.Mutex
	said := map[outbound.Reason]time.Time{}
	return func(remote net.Addr, reason outbound.Reason) {
		r.obs.Rejected(string(reason))
		if reason == outbound.Handshake {
			return // the server tells itself
		}
		mu.Lock()
		defer mu.Unlock()
		if last, ok := said[reason]; !ok || time.Since(last) > time.Minute {
			said[reason] = time.Now()
			r.log.Warn("FreeSWITCH's connection is turned away, further ones are counted", "remote", remote.String(), "reason", string(reason))
		}
	}
}

// failure leaves out of a handler's error what only says that the call is over: that is no failure to count.
func failure(s *outbound.Session, err error) error {
	var hangup *call.HangupError
	if errors.As(err, &hangup) && hangup.UUID == s.UUID() || s.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// accept serves calls until ctx ends, then lets those in progress finish.
func (r *run) accept(ctx context.Context, srv *outbound.Server) error {
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(r.l) }()
	r.obs.SetListening(true)
	defer r.obs.SetListening(false)
	r.log.Info("awaiting FreeSWITCH", "address", r.l.Addr().String())
	select {
	case err := <-ended:
		_ = srv.Close()
		return err
	case <-ctx.Done():
	}
	stopping, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), r.stopTimeout, errStopTimeout)
	defer cancel()
	before := time.Now()
	if err := srv.Shutdown(stopping); err != nil {
		r.log.Warn("calls were still in progress and have been ended", "waited", time.Since(before))
	}
	if err := <-ended; !errors.Is(err, outbound.ErrServerClosed) {
		return err
	}
	return nil
}

// errStopTimeout is the cause of a handler's end when calls go on for longer than ShutdownTimeout.
var errStopTimeout = errors.New("genesis: the time to finish calls is over")
