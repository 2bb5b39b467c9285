package observability

import (
	"log/slog"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
)

// LogTelemetry has log take the messages of OpenTelemetry itself, with secrets
// removed: that it cannot read a setting, say, or cannot reach a receiver.
// OpenTelemetry has one logger for the whole process, and writes plain lines to stderr
// until it is given one. So main should call this, before New reads the settings.
func LogTelemetry(log *slog.Logger) {
	h := scrubbed{Handler: log.Handler()}
	otel.SetLogger(logr.FromSlogHandler(h))
	otel.SetErrorHandler(errorHandler(slog.New(h)))
}

func errorHandler(log *slog.Logger) otel.ErrorHandler {
	return otel.ErrorHandlerFunc(func(err error) { log.Warn("telemetry", "error", err) })
}
