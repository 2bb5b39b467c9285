package observability_test

import (
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/genesis-esl/genesis/internal/testbed"
	"github.com/genesis-esl/genesis/observability"
)

// What OpenTelemetry says of settings that it cannot read is in the log, as lines like
// all others, without secrets.
func TestWhatTelemetrySaysIsLogged(t *testing.T) {
	receive(t)
	for name, value := range map[string]string{
		"OTEL_EXPORTER_OTLP_TIMEOUT":     "soon",
		"OTEL_EXPORTER_OTLP_CERTIFICATE": "/nowhere?token=" + planted,
		"OTEL_TRACES_SAMPLER":            "sometimes",
		"OTEL_METRIC_EXPORT_INTERVAL":    "often",
		"OTEL_RESOURCE_ATTRIBUTES":       "a=%zz",
	} {
		t.Setenv(name, value)
	}
	logs := new(testbed.Log)
	log := slog.New(observability.NewLogHandler(logs, observability.LogConfig{JSON: true}))
	observability.LogTelemetry(log)
	t.Cleanup(func() { observability.LogTelemetry(slog.Default()) })
	obs, err := observability.New(observability.Config{Mode: observability.Consumer, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	finish(t, obs)
	text := logs.String()
	for line := range strings.Lines(text) {
		var fields struct{ Level, Message string }
		if err := json.Unmarshal([]byte(line), &fields); err != nil || fields.Level == "" || fields.Message == "" {
			t.Errorf("%v in the line %s", err, line)
		}
	}
	for _, want := range []string{"soon", "/nowhere", "sometimes", "often", "%zz"} {
		if !strings.Contains(text, want) {
			t.Errorf("nothing is said of %s in:\n%s", want, text)
		}
	}
	if strings.Contains(text, planted) {
		t.Errorf("the secret is in:\n%s", text)
	}
}

// Headers that the exporters cannot read are refused before one of them says which.
func TestBadHeadersAreAnError(t *testing.T) {
	receive(t)
	for _, signal := range []string{"", "TRACES_", "METRICS_", "LOGS_"} {
		name := "OTEL_EXPORTER_OTLP_" + signal + "HEADERS"
		for value, ok := range map[string]bool{
			"authorization Bearer " + planted:           false,
			"authorization=Bearer " + planted + "%":     false,
			"x-team=" + planted + ",":                   false,
			"x team=" + planted:                         false,
			"=" + planted:                               false,
			"x-team=" + planted + "%0d%0ahost: x":       false,
			"authorization=Bearer%20" + planted:         true,
			"Authorization = Bearer " + planted + ",b=": true,
			" ": true,
		} {
			t.Run(name+"="+value, func(t *testing.T) {
				t.Setenv(name, value)
				obs, err := observability.New(observability.Config{Mode: observability.Consumer, Logger: slog.New(slog.DiscardHandler)})
				var wrong *observability.SettingError
				switch {
				case ok && err != nil:
					t.Errorf("New says %v", err)
				case ok:
					finish(t, obs)
				case !errors.As(err, &wrong) || wrong.Name != name || strings.Contains(err.Error()+wrong.Value, planted):
					t.Errorf("New says %v, want an error about %s without its value", err, name)
				}
			})
		}
	}
}
