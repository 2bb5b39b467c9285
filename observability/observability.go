package observability

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
)

// Observability holds the health, the metrics and the telemetry of one process. Make
// one with New. All its methods are safe for concurrent use.
type Observability struct {
	config Config
	log    *slog.Logger

	health    *health
	telemetry *telemetry
	tracer    trace.Tracer

	connections *connections
	commands    *commandMetrics
	events      *eventMetrics
	heartbeats  *heartbeats
	handlers    *handlerMetrics
	lifecycle   *lifecycle
	checks      *checks
	facts       facts
	live        *live
	requests    *requestMetrics

	mux    *http.ServeMux
	server *http.Server
	paths  sync.Map // known paths, for the label of request metrics

	stopOnce sync.Once
	stopErr  error
}

// New sets up telemetry as cfg and the OTEL_* environment variables say. A variable
// that makes no sense is a *SettingError. New opens no port: see
// [Observability.Serve]. [Observability.Shutdown] ends what New starts.
func New(cfg Config) (*Observability, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	o := &Observability{config: cfg, log: cfg.Logger, health: newHealth(cfg)}
	ctx := context.Background()
	if o.telemetry, err = newTelemetry(ctx, cfg); err != nil {
		return nil, err
	}
	if o.telemetry.logs != nil {
		o.log = slog.New(tee{cfg.Logger.Handler(), o.telemetry.logs})
	}
	o.lifecycle = newLifecycle(o.log, cfg.Now)
	o.tracer = o.telemetry.tracers.Tracer(scope, trace.WithInstrumentationVersion(cfg.Version))
	meter := o.telemetry.meters.Meter(scope)
	if err := o.instrument(meter); err != nil {
		return nil, errors.Join(err, o.telemetry.shutdown(ctx))
	}
	o.live = newLive(o)
	o.mux = http.NewServeMux()
	o.routes()
	o.server = o.newServer()
	return o, nil
}

func (o *Observability) instrument(meter metric.Meter) error {
	timeouts, err := meter.Int64Counter("genesis.timeouts",
		metric.WithDescription("Operations that ran out of time."))
	if err != nil {
		return err
	}
	var errs [7]error
	o.connections, errs[0] = newConnections(meter, o.health, timeouts)
	o.commands, errs[1] = newCommandMetrics(meter, timeouts)
	o.events, errs[2] = newEventMetrics(meter)
	o.heartbeats, errs[3] = newHeartbeats(meter, o.health)
	o.handlers, errs[4] = newHandlerMetrics(meter, o.telemetry.handlers)
	o.requests, errs[5] = newRequestMetrics(meter, o.config.Now)
	o.checks, errs[6] = newChecks(meter, o.log, o.config.Now)
	o.health.critical = o.checks.critical
	return errors.Join(errs[:]...)
}

// MeterProvider returns the provider whose instruments appear at /metrics. It does
// nothing when OTEL_SDK_DISABLED is true.
func (o *Observability) MeterProvider() metric.MeterProvider { return o.telemetry.meters }

// TracerProvider returns the provider of spans. It does nothing unless the environment
// configures a trace exporter.
func (o *Observability) TracerProvider() trace.TracerProvider { return o.telemetry.tracers }

// Logger returns a logger for the rest of the app: Config.Logger, which also exports
// its logs when the environment names a log exporter.
func (o *Observability) Logger() *slog.Logger { return o.log }

// ErrorHandler returns a handler that logs errors of the OpenTelemetry SDK, such as a
// receiver that cannot be reached, for a main that sets its own error handler.
// LogTelemetry also catches errors while New runs.
func (o *Observability) ErrorHandler() otel.ErrorHandler { return errorHandler(o.config.Logger) }

// Drain begins the shutdown. /ready answers 503 at once. Drain returns nil after
// Config.DrainDelay, when load balancers have had time to notice and listeners may
// close; or when ctx ends, with its error.
func (o *Observability) Drain(ctx context.Context) error {
	o.SetShuttingDown()
	if o.config.DrainDelay <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(o.config.DrainDelay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Shutdown ends the HTTP server, then flushes telemetry and ends it. Requests in flight
// may finish, but are cut off after half of ctx's time; that is no error. Shutdown
// returns the errors of telemetry, ctx's error included when ctx ends first. A second
// call returns the same error.
func (o *Observability) Shutdown(ctx context.Context) error {
	o.stopOnce.Do(func() {
		o.SetShuttingDown()
		o.checks.shutdown()
		o.live.shutdown() // ends the streams, which the HTTP server would wait for
		o.stopServer(ctx)
		o.stopErr = o.telemetry.shutdown(ctx)
	})
	return o.stopErr
}

// stopServer lets requests in flight finish for at most half of the time left, and
// then cuts them, so that telemetry can be flushed in the other half.
func (o *Observability) stopServer(ctx context.Context) {
	half := ctx
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		half, cancel = context.WithTimeout(ctx, time.Until(deadline)/2)
		defer cancel()
	}
	if err := o.server.Shutdown(half); err != nil {
		o.log.Debug("requests that did not end have been cut off", "error", errors.Join(err, o.server.Close()))
	}
}
