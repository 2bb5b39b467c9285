package observability

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/otlptranslator"
	"go.opentelemetry.io/otel/attribute"
	promexporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	noopmetric "go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/exemplar"
	"go.opentelemetry.io/otel/sdk/resource"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/trace"
	nooptrace "go.opentelemetry.io/otel/trace/noop"
)

// scope names the instruments and spans of this package.
const scope = "github.com/genesis-esl/genesis/observability"

// telemetry is the OpenTelemetry SDK as the environment asks for it.
type telemetry struct {
	registry *prometheus.Registry
	resource *resource.Resource
	meters   metric.MeterProvider
	tracers  trace.TracerProvider
	tracing  bool         // spans go somewhere
	logs     slog.Handler // exports logs; nil when they are not exported
	handlers *durations   // how long handlers ran; nil when an instrument records that

	// stop flushes and ends what was started.
	stop []func(context.Context) error
}

func newTelemetry(ctx context.Context, c Config) (*telemetry, error) {
	t := &telemetry{
		registry: prometheus.NewRegistry(),
		meters:   noopmetric.NewMeterProvider(),
		tracers:  nooptrace.NewTracerProvider(),
	}
	t.registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	res, err := newResource(ctx, c)
	if err != nil {
		// A malformed OTEL_RESOURCE_ATTRIBUTES must not keep the app from running.
		c.Logger.WarnContext(ctx, "some resource attributes are left out", "error", err)
	}
	t.resource = res
	if strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") {
		return t, nil
	}
	for _, start := range []func(context.Context) error{
		func(ctx context.Context) error { return t.startMetrics(ctx, c) }, t.startTraces, t.startLogs,
	} {
		if err := start(ctx); err != nil {
			return nil, errors.Join(err, t.shutdown(ctx))
		}
	}
	return t, nil
}

// newResource describes this process to telemetry. The environment goes before the
// configuration. The command line is left out, as it may hold a password.
func newResource(ctx context.Context, c Config) (*resource.Resource, error) {
	own := []resource.Option{
		resource.WithTelemetrySDK(),
		resource.WithHost(),
		resource.WithAttributes(semconv.ServiceName(c.ServiceName)),
	}
	if c.Version != "" {
		own = append(own, resource.WithAttributes(semconv.ServiceVersion(c.Version)))
	}
	res, err := resource.New(ctx, append(own, resource.WithFromEnv())...)
	return withoutSecrets(res), err
}

// withoutSecrets hides the values of attributes that are called like a secret, as everything
// shows the resource, and makes UTF-8 of all others.
func withoutSecrets(res *resource.Resource) *resource.Resource {
	attrs := validAttributes(res.Attributes())
	for i, kv := range attrs {
		if kv.Value.Type() == attribute.STRING {
			attrs[i].Value = attribute.StringValue(scrubField(string(kv.Key), kv.Value.AsString()))
		}
	}
	return resource.NewWithAttributes(res.SchemaURL(), attrs...)
}

func (t *telemetry) startMetrics(ctx context.Context, c Config) error {
	settings := []promexporter.Option{
		promexporter.WithRegisterer(t.registry),
		promexporter.WithTranslationStrategy(otlptranslator.UnderscoreEscapingWithSuffixes),
		promexporter.WithoutScopeInfo(),
	}
	// Exemplars name traces: where there are none, to look for one would be in vain.
	exemplars := exported("TRACES") || os.Getenv("OTEL_METRICS_EXEMPLAR_FILTER") != ""
	if !exemplars && !exported("METRICS") && !c.NativeHistograms {
		t.handlers = newDurations(handlerDuration, handlerDurationHelp, c.Version, "event_name", maxHandlerNames+1)
		settings = append(settings, promexporter.WithProducer(t.handlers))
	}
	exporter, err := promexporter.New(settings...)
	if err != nil {
		return fmt.Errorf("observability: Prometheus exporter: %w", err)
	}
	opts := []sdkmetric.Option{
		sdkmetric.WithResource(t.resource),
		sdkmetric.WithReader(exporter),
	}
	readers, err := metricReaders(ctx)
	if err != nil {
		return err
	}
	opts = append(opts, readers...)
	if !exemplars {
		opts = append(opts, sdkmetric.WithExemplarFilter(exemplar.AlwaysOffFilter))
	}
	for _, view := range views(c.NativeHistograms) {
		opts = append(opts, sdkmetric.WithView(view))
	}
	provider := sdkmetric.NewMeterProvider(opts...)
	t.meters = oneMeter{meter: provider.Meter(scope, metric.WithInstrumentationVersion(c.Version))}
	t.stop = append(t.stop, provider.Shutdown)
	return nil
}

// service returns the service.name in force.
func (t *telemetry) service() string {
	if t.resource != nil {
		if name, ok := t.resource.Set().Value(semconv.ServiceNameKey); ok {
			return name.AsString()
		}
	}
	return ""
}

// shutdown ends everything side by side, so that a receiver of one signal that hangs
// does not take the time of the others.
func (t *telemetry) shutdown(ctx context.Context) error {
	errs := make([]error, len(t.stop))
	var wait sync.WaitGroup
	for i, stop := range t.stop {
		wait.Go(func() { errs[i] = stop(ctx) })
	}
	wait.Wait()
	t.stop = nil
	return errors.Join(errs...)
}
