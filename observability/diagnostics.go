package observability

import (
	"log/slog"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
)

// LogTelemetry has log take what OpenTelemetry itself has to say, such as of a setting
// that it cannot read or a receiver that cannot be reached, without the secrets in it.
// OpenTelemetry knows only one logger a process and writes plain lines to stderr until
// it is given one, so this is for main to call, before New reads the settings.
func LogTelemetry(log *slog.Logger) {
	h := scrubbed{Handler: log.Handler()}
	otel.SetLogger(logr.FromSlogHandler(h))
	otel.SetErrorHandler(errorHandler(slog.New(h)))
}

func errorHandler(log *slog.Logger) otel.ErrorHandler {
	return otel.ErrorHandlerFunc(func(err error) { log.Warn("telemetry", "error", err) })
}
