package genesis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"go.opentelemetry.io/otel"

	"github.com/genesis-esl/genesis/consumer"
	"github.com/genesis-esl/genesis/internal/headroom"
	"github.com/genesis-esl/genesis/internal/ports"
	"github.com/genesis-esl/genesis/observability"
	"github.com/genesis-esl/genesis/outbound"
	"github.com/genesis-esl/genesis/program"
)

// Run runs an app as this process and never returns. It exits with the ExitCode of RunContext's error, which it first
// writes to stderr as one line. The app stops on SIGINT, SIGTERM and SIGHUP, as Signals describes; a second signal ends
// the process at once.
//
// Run implies Globals.
func Run(app any, opts ...Option) {
	ctx, _ := Signals(context.Background())
	err := RunContext(ctx, app, append([]Option{Globals()}, opts...)...)
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", filepath.Base(os.Args[0]), err)
	}
	os.Exit(ExitCode(err))
}

// RunContext runs an app until ctx ends. Then it ends the app gracefully, within ShutdownTimeout, and returns nil. It
// returns an error when the app cannot go on: a *ConfigError for a wrong setting, the error of esl.Client.Serve when
// FreeSWITCH refuses for good, or the error of a port.
//
// While it runs, a *consumer.App gets hooks and a logger; its own hooks are called too.
func RunContext(ctx context.Context, app any, opts ...Option) error {
	var c config
	for _, opt := range opts {
		opt(&c)
	}
	mode, serve, err := serverOf(app)
	if err != nil {
		return err
	}
	if err := c.resolve(mode); err != nil {
		return err
	}
	if c.version == "" {
		c.version = mainVersion()
	}
	if c.globals {
		observability.LogTelemetry(c.logger)
	}
	obs, err := observability.New(observability.Config{
		Mode: mode, ServiceName: c.name, Version: c.version, Logger: c.logger, DrainDelay: c.drainDelay,
		Token: c.token, HeartbeatTimeout: c.heartbeat, TraceEventHeaders: c.traceHeaders,
	})
	if err != nil {
		return wrongSetting(err)
	}
	r := &run{config: c, obs: obs, log: obs.Logger()}
	if c.globals {
		headroom.Take(headroom.Calm)
		slog.SetDefault(r.log)
		otel.SetMeterProvider(obs.MeterProvider())
		otel.SetTracerProvider(obs.TracerProvider())
	}
	return r.run(ctx, mode, serve)
}

// wrongSetting makes a ConfigError of what observability.New says.
func wrongSetting(err error) error {
	var setting *observability.SettingError
	if errors.As(err, &setting) {
		return &ConfigError{Name: setting.Name, Value: setting.Value, Err: setting.Err}
	}
	return &ConfigError{Name: "telemetry", Err: err}
}

// serveFunc serves an app until ctx ends, then ends it gracefully.
type serveFunc func(ctx context.Context, r *run) error

// serverOf tells what kind of app it is and how it is served.
func serverOf(app any) (observability.Mode, serveFunc, error) {
	switch app := app.(type) {
	case *consumer.App:
		return observability.Consumer, serveConsumer(app), nil
	case *program.Consumer:
		return observability.Consumer, serveProgram(app), nil
	case *program.Outbound:
		return observability.Outbound, serveOutbound(app, program.DefaultMaxSessions), nil
	case outbound.Handler:
		return observability.Outbound, serveOutbound(app, outbound.DefaultMaxSessions), nil
	case func(context.Context, *outbound.Session) error:
		return observability.Outbound, serveOutbound(outbound.HandlerFunc(app), outbound.DefaultMaxSessions), nil
	}
	return "", nil, fmt.Errorf("genesis: Run takes a *consumer.App, an outbound.Handler, a *program.Consumer or a *program.Outbound, not %T", app)
}

// run is one app being run.
type run struct {
	config
	obs *observability.Observability
	log *slog.Logger
	// l is where FreeSWITCH is awaited; nil for a consumer.
	l net.Listener
}

// flushTimeout bounds ending the HTTP server and flushing telemetry.
const flushTimeout = 5 * time.Second

func (r *run) run(ctx context.Context, mode observability.Mode, serve serveFunc) (err error) {
	defer func() {
		flush, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
		defer cancel()
		if shutdownErr := r.obs.Shutdown(flush); shutdownErr != nil {
			r.log.Warn("telemetry could not be flushed", "error", shutdownErr)
		}
	}()
	for _, check := range r.checks {
		if err := r.obs.AddCheck(check); err != nil {
			return &ConfigError{Name: "check " + check.Name, Err: err}
		}
	}
	started, observed, err := r.open(mode)
	if err != nil {
		return err
	}
	serving, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	go func() { // ends the app when it is told to, or when its probes cannot be answered any more
		select {
		case <-ctx.Done():
			r.log.Info("stopping", "timeout", r.stopTimeout, "drain_delay", r.drainDelay)
			_ = r.obs.Drain(serving) // the app having ended by itself is no reason to wait
			cancel(nil)
		case err := <-observed:
			cancel(err)
		case <-serving.Done():
		}
	}()
	for _, f := range r.onStart {
		f(started)
	}
	err = serve(serving, r)
	if cause := context.Cause(serving); err == nil && !errors.Is(cause, context.Canceled) {
		err = cause
	}
	if err == nil {
		r.log.Info("stopped")
	}
	return err
}

// open opens the ports, so that a busy one is an error at the start, and serves the probes. The channel tells when that
// has ended with an error.
func (r *run) open(mode observability.Mode) (started Started, observed chan error, err error) {
	observed = make(chan error, 1)
	if mode == observability.Outbound {
		if r.l = r.listener; r.l == nil {
			if r.l, err = listen(r.listen, "FreeSWITCH", EnvAppHost, EnvAppPort); err != nil {
				return started, nil, err
			}
		}
		started.Outbound = r.l.Addr()
	}
	if r.noObserve {
		return started, observed, nil
	}
	l := r.observeListener
	if l == nil {
		if l, err = listen(r.observe, "probes", EnvObservabilityHost, EnvObservabilityPort); err != nil {
			if r.l != nil {
				_ = r.l.Close()
			}
			return started, nil, err
		}
	}
	started.Observability = l.Addr()
	go func() {
		if err := r.obs.Serve(l); err != nil {
			observed <- fmt.Errorf("serving /health, /ready and /metrics: %w", err)
		}
	}()
	r.log.Info("observability", "address", l.Addr().String(), "paths", "/health /ready /metrics")
	return started, observed, nil
}

// listen opens a port; a wrong host is a wrong setting.
func listen(addr, whom, hostVariable, portVariable string) (net.Listener, error) {
	l, err := ports.Listen(addr, whom, hostVariable, portVariable)
	if errors.Is(err, ports.ErrAddress) {
		err = &ConfigError{Name: hostVariable, Value: addr, Err: err}
	}
	return l, err
}

// mainVersion is the version that the go tool wrote into the executable.
func mainVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Version
	}
	return ""
}
