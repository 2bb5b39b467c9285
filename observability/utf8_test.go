package observability_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/genesis-esl/genesis/observability"
)

// A caller who sends bytes that are not UTF-8 costs no other call its spans and logs,
// nor its own.
func TestBytesThatAreNotUTF8AreExported(t *testing.T) {
	r := receive(t)
	obs, err := observability.New(observability.Config{
		Mode: observability.Consumer, TraceEventHeaders: true, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	const bad = "J\xfcrgen"
	handle := func(number string) {
		ev := event(t, "CHANNEL_ANSWER", "Unique-ID", number, "Caller-Caller-ID-Name", number, number, "x")
		ctx := obs.HandlerStart(t.Context(), ev)
		_, own := obs.TracerProvider().Tracer("app").Start(ctx, "greet "+number,
			trace.WithLinks(trace.Link{Attributes: []attribute.KeyValue{attribute.String("who", number)}}))
		own.SetAttributes(attribute.StringSlice("all", []string{number}), attribute.String(number, number))
		own.AddEvent(number, trace.WithAttributes(attribute.String("who", number)))
		own.SetStatus(codes.Error, number)
		own.End()
		obs.HandlerEnd(ctx, "CHANNEL_ANSWER", 0, "error", errors.New(number))
	}
	handle("before")
	handle(bad)
	handle("after")
	finish(t, obs)
	for _, name := range []string{"greet before", "greet J?rgen", "greet after"} {
		r.find(t, name)
	}
	seen := map[string]bool{}
	for _, s := range r.spans {
		seen[s.attrs["event.header.caller-caller-id-name"]] = true
	}
	if !seen["before"] || !seen["J?rgen"] || !seen["after"] {
		t.Errorf("spans of %v arrived, want of all three calls", seen)
	}
}

func TestLogsThatAreNotUTF8AreExported(t *testing.T) {
	r := receive(t)
	obs, err := observability.New(observability.Config{Mode: observability.Consumer, Logger: slog.New(enabled{slog.DiscardHandler})})
	if err != nil {
		t.Fatal(err)
	}
	for _, who := range []string{"before", "J\xfcrgen", "after"} {
		obs.Logger().With("with "+who, who).Info("hello "+who, "who", who, "error", errors.New(who), who, "x",
			slog.Group("in", "who", who), "all", []string{who}, "map", map[string]string{who: who})
	}
	finish(t, obs)
	text := strings.Join(r.logs, "\n")
	for _, want := range []string{"hello before", "hello J?rgen", "hello after"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
	if !utf8.ValidString(text) {
		t.Errorf("not UTF-8: %q", text)
	}
}

// enabled is a handler that takes everything and does nothing.
type enabled struct{ slog.Handler }

func (enabled) Enabled(context.Context, slog.Level) bool { return true }

func (e enabled) WithAttrs([]slog.Attr) slog.Handler { return e }

func (e enabled) WithGroup(string) slog.Handler { return e }
