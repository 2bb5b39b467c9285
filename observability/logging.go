package observability

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/trace"
)

// LevelTrace is below slog.LevelDebug: every command and event.
const LevelTrace = slog.Level(-8)

// ParseLevel returns the level called name: trace, debug, info, warn (or warning),
// error (or critical), in any case.
func ParseLevel(name string) (slog.Level, error) {
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "trace":
		return LevelTrace, nil
	case "debug":
		return slog.LevelDebug, nil
	case "info", "":
		return slog.LevelInfo, nil
	case "warn", "warning":
		return slog.LevelWarn, nil
	case "error", "critical":
		return slog.LevelError, nil
	}
	return 0, fmt.Errorf("unknown log level %q: trace, debug, info, warn and error are allowed", name)
}

func levelName(l slog.Level) string {
	switch {
	case l < slog.LevelDebug:
		return "TRACE"
	case l < slog.LevelInfo:
		return "DEBUG"
	case l < slog.LevelWarn:
		return "INFO"
	case l < slog.LevelError:
		return "WARN"
	}
	return "ERROR"
}

// LogConfig configures NewLogHandler. The zero value writes text from level info on.
type LogConfig struct {
	// Level is the lowest level that is written; nil means info. A *slog.LevelVar
	// may change it later.
	Level slog.Leveler
	// JSON writes one object per line with the fields timestamp, level, message, logger and,
	// inside a span, trace_id and span_id. False writes text for people.
	JSON bool
	// Name is the value of the field logger in records that set none with With("logger",
	// …). Empty means genesis.
	Name string
}

// NewLogHandler returns a handler that writes to w. It adds the trace and the span
// of the context. It hides values that are named like a password, secret or token,
// and the user info of URLs.
func NewLogHandler(w io.Writer, cfg LogConfig) slog.Handler {
	opts := &slog.HandlerOptions{Level: cfg.Level, ReplaceAttr: replaceText}
	if cfg.Name == "" {
		cfg.Name = "genesis"
	}
	h := &logHandler{name: cfg.Name, root: slog.NewTextHandler(w, opts)}
	if cfg.JSON {
		opts.ReplaceAttr = replaceJSON
		h.root = slog.NewJSONHandler(w, opts)
	}
	h.built = h.build()
	return h
}

func replaceJSON(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 {
		switch a.Key {
		case slog.TimeKey:
			a.Key = "timestamp"
		case slog.MessageKey:
			a.Key = "message"
		}
	}
	if a.Value.Kind() == slog.KindDuration { // 1.5s says more than 1500000000
		a.Value = slog.StringValue(a.Value.Duration().String())
	}
	return replaceSecrets(groups, a, false)
}

func replaceText(groups []string, a slog.Attr) slog.Attr { return replaceSecrets(groups, a, true) }

// replaceSecrets hides secrets and names levels. With text values are shown as fmt does,
// else as JSON. A value that cannot be asked for its text, such as a nil *url.URL, is left
// to slog, which knows how to say so.
func replaceSecrets(groups []string, a slog.Attr, text bool) (clean slog.Attr) {
	clean = a
	defer func() { _ = recover() }()
	if slices.ContainsFunc(groups, secretName.MatchString) {
		return slog.String(a.Key, hidden)
	}
	switch a.Value.Kind() {
	case slog.KindString:
		a.Value = slog.StringValue(scrubField(a.Key, a.Value.String()))
	case slog.KindInt64, slog.KindUint64, slog.KindFloat64: // a PIN
		if secretName.MatchString(a.Key) {
			a.Value = slog.StringValue(hidden)
		}
	case slog.KindAny:
		switch value := a.Value.Any().(type) {
		case slog.Level:
			if len(groups) == 0 && a.Key == slog.LevelKey {
				a.Value = slog.StringValue(levelName(value))
			}
		case error:
			a.Value = slog.StringValue(scrubField(a.Key, value.Error()))
		case fmt.Stringer:
			a.Value = slog.StringValue(scrubField(a.Key, value.String()))
		case url.URL: // its pointer is the Stringer
			a.Value = slog.StringValue(scrubField(a.Key, value.String()))
		default:
			if a.Value = scrubAny(value, text); secretName.MatchString(a.Key) {
				a.Value = slog.StringValue(hidden)
			}
		}
	}
	return a
}

// logHandler puts logger, trace_id and span_id at the top level of every record,
// whatever groups were opened.
type logHandler struct {
	root  slog.Handler
	name  string
	steps []func(slog.Handler) slog.Handler // WithAttrs and WithGroup, in order
	group bool                              // one of steps opened a group
	built slog.Handler
}

func (h *logHandler) build(first ...slog.Attr) slog.Handler {
	built := h.root.WithAttrs(append([]slog.Attr{slog.String("logger", h.name)}, first...))
	for _, step := range h.steps {
		built = step(built)
	}
	return built
}

// Enabled implements slog.Handler.
func (h *logHandler) Enabled(ctx context.Context, l slog.Level) bool { return h.root.Enabled(ctx, l) }

// Handle implements slog.Handler.
func (h *logHandler) Handle(ctx context.Context, r slog.Record) error {
	span := trace.SpanContextFromContext(ctx)
	if !span.IsValid() {
		return h.built.Handle(ctx, r)
	}
	ids := []slog.Attr{slog.String("trace_id", span.TraceID().String()), slog.String("span_id", span.SpanID().String())}
	if h.group {
		return h.build(ids...).Handle(ctx, r)
	}
	r = r.Clone()
	r.AddAttrs(ids...)
	return h.built.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	next := *h
	if !h.group {
		attrs = slices.DeleteFunc(slices.Clone(attrs), func(a slog.Attr) bool {
			if a.Key == "logger" {
				next.name = a.Value.String()
			}
			return a.Key == "logger"
		})
	}
	return next.with(func(b slog.Handler) slog.Handler { return b.WithAttrs(attrs) })
}

// WithGroup implements slog.Handler.
func (h *logHandler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	next := *h
	next.group = true
	return next.with(func(b slog.Handler) slog.Handler { return b.WithGroup(name) })
}

func (h *logHandler) with(step func(slog.Handler) slog.Handler) slog.Handler {
	h.steps = append(slices.Clip(h.steps), step)
	h.built = h.build()
	return h
}

// tee hands records to a second handler too, which gets what the first one takes.
type tee struct{ first, second slog.Handler }

func (t tee) Enabled(ctx context.Context, l slog.Level) bool { return t.first.Enabled(ctx, l) }

func (t tee) Handle(ctx context.Context, r slog.Record) error {
	err := t.first.Handle(ctx, r.Clone())
	if other := t.second.Handle(ctx, r); err == nil {
		err = other
	}
	return err
}

func (t tee) WithAttrs(attrs []slog.Attr) slog.Handler {
	return tee{t.first.WithAttrs(attrs), t.second.WithAttrs(attrs)}
}

func (t tee) WithGroup(name string) slog.Handler {
	return tee{t.first.WithGroup(name), t.second.WithGroup(name)}
}

// scrubbed hides secrets from a handler that does not do so itself.
type scrubbed struct {
	slog.Handler
	groups []string // opened by WithGroup
}

func (s scrubbed) Handle(ctx context.Context, r slog.Record) error {
	clean := slog.NewRecord(r.Time, r.Level, scrub(r.Message), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		clean.AddAttrs(scrubAttr(s.groups, a))
		return true
	})
	return s.Handler.Handle(ctx, clean)
}

func (s scrubbed) WithAttrs(attrs []slog.Attr) slog.Handler {
	clean := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		clean[i] = scrubAttr(s.groups, a)
	}
	return scrubbed{s.Handler.WithAttrs(clean), s.groups}
}

func (s scrubbed) WithGroup(name string) slog.Handler {
	return scrubbed{s.Handler.WithGroup(name), append(slices.Clip(s.groups), name)}
}

// scrubAttr is replaceText for attributes that may be groups.
func scrubAttr(groups []string, a slog.Attr) slog.Attr {
	a.Value = a.Value.Resolve()
	if a.Value.Kind() != slog.KindGroup {
		return replaceText(groups, a)
	}
	members := slices.Clone(a.Value.Group())
	for i, m := range members {
		members[i] = scrubAttr(append(slices.Clip(groups), a.Key), m)
	}
	return slog.Attr{Key: a.Key, Value: slog.GroupValue(members...)}
}
