package genesis_test

import (
	"log/slog"
	"strings"
	"testing"

	"go.opentelemetry.io/otel"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/genesis-esl/genesis"
	"github.com/genesis-esl/genesis/consumer"
	"github.com/genesis-esl/genesis/esl/esltest"
	"github.com/genesis-esl/genesis/internal/testbed"
	"github.com/genesis-esl/genesis/observability"
)

// What OpenTelemetry says of the environment, as the app starts, goes to the app's log.
func TestGlobalsLogTelemetryFromTheStart(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
	t.Setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "soon")
	before := slog.Default()
	t.Cleanup(func() {
		slog.SetDefault(before)
		observability.LogTelemetry(before)
		otel.SetMeterProvider(metricnoop.NewMeterProvider())
		otel.SetTracerProvider(tracenoop.NewTracerProvider())
	})
	sim := simulator(t, esltest.Config{})
	logs := new(testbed.Log)
	_, stop := start(t, consumer.New(), genesis.FreeSWITCH(sim.Addr(), sim.Password()), genesis.Globals(),
		genesis.Logger(slog.New(slog.NewTextHandler(logs, nil))))
	if err := stop(); err != nil {
		t.Error(err)
	}
	if text := logs.String(); !strings.Contains(text, "input=soon") {
		t.Errorf("nothing is said of the timeout in:\n%s", text)
	}
}
