package observability

import (
	"context"
	"fmt"
	"os"
	"strings"

	"go.opentelemetry.io/contrib/bridges/otelslog"
	"go.opentelemetry.io/contrib/exporters/autoexport"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/embedded"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// exported tells whether the environment asks for a signal (TRACES, METRICS, LOGS)
// to be sent somewhere: an endpoint is named, or the exporter itself. The standard
// has OTLP to localhost as the default; that would have every process without a
// collector complain, so it must be asked for here.
func exported(signal string) bool {
	switch exporter := strings.ToLower(os.Getenv("OTEL_" + signal + "_EXPORTER")); exporter {
	case "none":
		return false
	case "prometheus": // is served at /metrics anyway
		return signal != "METRICS"
	case "":
		return os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" ||
			os.Getenv("OTEL_EXPORTER_OTLP_"+signal+"_ENDPOINT") != ""
	default:
		return true
	}
}

// metricReaders returns what sends metrics away, beside /metrics.
func metricReaders(ctx context.Context) ([]sdkmetric.Option, error) {
	if !exported("METRICS") {
		return nil, nil
	}
	reader, err := autoexport.NewMetricReader(ctx)
	if err != nil {
		return nil, fmt.Errorf("observability: metrics exporter: %w", err)
	}
	return []sdkmetric.Option{sdkmetric.WithReader(reader)}, nil
}

func (t *telemetry) startTraces(ctx context.Context) error {
	if !exported("TRACES") {
		return nil
	}
	exporter, err := autoexport.NewSpanExporter(ctx)
	if err != nil {
		return fmt.Errorf("observability: traces exporter: %w", err)
	}
	// The sampler is OTEL_TRACES_SAMPLER's, which the SDK reads itself.
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(exporter),
		sdktrace.WithResource(t.resource),
		sdktrace.WithIDGenerator(callIDs{}),
	)
	t.tracers, t.tracing = provider, true
	t.stop = append(t.stop, provider.Shutdown)
	return nil
}

func (t *telemetry) startLogs(ctx context.Context) error {
	if !exported("LOGS") {
		return nil
	}
	exporter, err := autoexport.NewLogExporter(ctx)
	if err != nil {
		return fmt.Errorf("observability: logs exporter: %w", err)
	}
	provider := sdklog.NewLoggerProvider(
		sdklog.WithProcessor(sdklog.NewBatchProcessor(exporter)),
		sdklog.WithResource(t.resource),
	)
	t.logs = scrubbed{otelslog.NewHandler("genesis", otelslog.WithLoggerProvider(provider))}
	t.stop = append(t.stop, provider.Shutdown)
	return nil
}

// oneMeter hands the same meter to everybody, so that instruments of one name made
// by several packages are one time series. The Prometheus exposition has no place
// for the scope that would tell them apart, and refuses two of the same labels.
type oneMeter struct {
	embedded.MeterProvider
	meter metric.Meter
}

// Meter implements metric.MeterProvider.
func (o oneMeter) Meter(string, ...metric.MeterOption) metric.Meter { return o.meter }
