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

func TestBadSettingIsAnError(t *testing.T) {
	const pigeon = "carrier-pigeon"
	for _, signal := range []string{"TRACES", "METRICS", "LOGS"} {
		own := "OTEL_EXPORTER_OTLP_" + signal
		for _, tt := range []struct{ name, value, says string }{
			{"OTEL_" + signal + "_EXPORTER", pigeon, "not an exporter: otlp, console"},
			{own + "_PROTOCOL", pigeon, "not a protocol: http/protobuf and grpc are allowed"},
			{"OTEL_EXPORTER_OTLP_PROTOCOL", pigeon, "not a protocol"},
			{own + "_ENDPOINT", "localhost:4318", "not a URL to send to"},
			{own + "_ENDPOINT", "127.0.0.1:4318", "such as http://127.0.0.1:4318"},
			{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://", "not a URL to send to"},
		} {
			t.Run(tt.name+"="+tt.value, func(t *testing.T) {
				t.Setenv(own+"_ENDPOINT", "http://127.0.0.1:4318")
				if tt.name == "OTEL_EXPORTER_OTLP_ENDPOINT" {
					t.Setenv(own+"_ENDPOINT", "")
				}
				t.Setenv(tt.name, tt.value)
				_, err := observability.New(observability.Config{Mode: observability.Consumer})
				var wrong *observability.SettingError
				if !errors.As(err, &wrong) || wrong.Name != tt.name || wrong.Value != tt.value || !strings.Contains(err.Error(), tt.says) {
					t.Errorf("New says %v", err)
				}
			})
		}
	}
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://user:hunter2@host")
	if _, err := observability.New(observability.Config{Mode: observability.Consumer}); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("New says %v, want an error without the password", err)
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
