package observability

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"strings"
	"unicode"

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

// SettingError is the error of New for an environment variable whose value is invalid.
type SettingError struct {
	// Name is the variable and Value what it holds, without secrets.
	Name, Value string
	// Err says what is allowed.
	Err error
}

func (e *SettingError) Error() string {
	return fmt.Sprintf("observability: %s=%q: %v", e.Name, e.Value, e.Err)
}

// Unwrap returns what is allowed, as an error.
func (e *SettingError) Unwrap() error { return e.Err }

func wrongSetting(name, allowed string) error {
	return &SettingError{Name: name, Value: scrub(os.Getenv(name)), Err: errors.New(allowed)}
}

// checkEndpoint looks at where a signal is to be sent: the exporters take what is no URL for nothing said, or for a URL
// without a host, and say so to nobody.
func checkEndpoint(signal string) error {
	if exporter := os.Getenv("OTEL_" + signal + "_EXPORTER"); exporter != "" && exporter != "otlp" {
		return nil
	}
	name := "OTEL_EXPORTER_OTLP_" + signal + "_ENDPOINT"
	if os.Getenv(name) == "" {
		name = "OTEL_EXPORTER_OTLP_ENDPOINT"
	}
	value := strings.TrimSpace(os.Getenv(name))
	if value == "" {
		return nil // the standard's default
	}
	if u, err := url.Parse(value); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return wrongSetting(name, "not a URL to send to: such as http://127.0.0.1:4318 is allowed")
	}
	return nil
}

// checkHeaders looks at what is sent along with a signal, which usually holds a token: the exporters leave out what they
// cannot read, and write it to the log.
func checkHeaders(signal string) error {
	if exporter := os.Getenv("OTEL_" + signal + "_EXPORTER"); exporter != "" && exporter != "otlp" {
		return nil
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_" + signal + "_HEADERS"} {
		if value := strings.TrimSpace(os.Getenv(name)); value != "" && !isHeaders(value) {
			return &SettingError{Name: name, Value: hidden, Err: errors.New("not headers: such as name=value,other=value is allowed, percent-encoded")}
		}
	}
	return nil
}

// isHeaders tells whether every exporter can read list.
func isHeaders(list string) bool {
	for header := range strings.SplitSeq(list, ",") {
		name, value, found := strings.Cut(header, "=")
		value, err := url.PathUnescape(value)
		if !found || err != nil || !headerName.MatchString(strings.TrimSpace(name)) || strings.ContainsFunc(value, unicode.IsControl) {
			return false
		}
	}
	return true
}

// headerName is what HTTP takes for the name of a header.
var headerName = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")

// checkSettings looks at what the exporter of a signal would not complain of, or in public.
func checkSettings(signal string) error {
	if err := checkEndpoint(signal); err != nil {
		return err
	}
	return checkHeaders(signal)
}

// blame finds the variable because of which a signal's exporter could not be made.
func blame(signal string, err error) error {
	exporter := "OTEL_" + signal + "_EXPORTER"
	if value := os.Getenv(exporter); value == "" || value == "otlp" {
		for _, name := range []string{"OTEL_EXPORTER_OTLP_" + signal + "_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"} {
			switch os.Getenv(name) {
			case "": // the other one counts
				continue
			case "grpc", "http/protobuf":
			default:
				return wrongSetting(name, "not a protocol: http/protobuf and grpc are allowed")
			}
			break
		}
	} else if value != "console" {
		allowed := "not an exporter: otlp, console and none are allowed"
		if signal == "METRICS" {
			allowed = "not an exporter: otlp, console, prometheus and none are allowed"
		}
		return wrongSetting(exporter, allowed)
	}
	return fmt.Errorf("observability: %s exporter: %w", strings.ToLower(signal), err)
}

// metricReaders returns what sends metrics away, beside /metrics.
func metricReaders(ctx context.Context) ([]sdkmetric.Option, error) {
	if !exported("METRICS") {
		return nil, nil
	}
	if err := checkSettings("METRICS"); err != nil {
		return nil, err
	}
	reader, err := autoexport.NewMetricReader(ctx)
	if err != nil {
		return nil, blame("METRICS", err)
	}
	return []sdkmetric.Option{sdkmetric.WithReader(reader)}, nil
}

func (t *telemetry) startTraces(ctx context.Context) error {
	if !exported("TRACES") {
		return nil
	}
	if err := checkSettings("TRACES"); err != nil {
		return err
	}
	exporter, err := autoexport.NewSpanExporter(ctx)
	if err != nil {
		return blame("TRACES", err)
	}
	// The sampler is OTEL_TRACES_SAMPLER's, which the SDK reads itself.
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(validSpans{exporter}),
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
	if err := checkSettings("LOGS"); err != nil {
		return err
	}
	exporter, err := autoexport.NewLogExporter(ctx)
	if err != nil {
		return blame("LOGS", err)
	}
	provider := sdklog.NewLoggerProvider(
		sdklog.WithProcessor(sdklog.NewBatchProcessor(validLogs{exporter})),
		sdklog.WithResource(t.resource),
	)
	t.logs = scrubbed{Handler: otelslog.NewHandler("genesis", otelslog.WithLoggerProvider(provider))}
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
