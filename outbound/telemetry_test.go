package outbound_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/genesis-esl/genesis/call"
	"github.com/genesis-esl/genesis/internal/testbed"
	"github.com/genesis-esl/genesis/outbound"
)

// TestInstruments reads what a call leaves in metrics and spans.
func TestInstruments(t *testing.T) {
	reader, spans := sdkmetric.NewManualReader(), tracetest.NewSpanRecorder()
	tracers := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	instruments, err := call.NewInstruments(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)), tracers)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{}, 1)
	w := newWorld(t, &outbound.Server{
		Instruments: instruments, TracerProvider: tracers,
		SessionHooks: &outbound.Hooks{SessionEnd: func(*outbound.Session, time.Duration, error) { ended <- struct{}{} }},
		Handler: outbound.HandlerFunc(func(ctx context.Context, s *outbound.Session) error {
			err := errors.Join(s.Answer(ctx), s.Sleep(ctx, time.Millisecond))
			_, _ = s.BridgeTo(ctx, call.To(call.User("busy", "")).With(call.Vars{"sip_auth_password": "S3CRET"}))
			short, cancel := context.WithTimeout(ctx, time.Millisecond)
			defer cancel()
			_, _ = s.Wait(short, "NO_SUCH_EVENT")
			_, _ = s.Playback(ctx, "")
			_, _ = s.Playback(short, "https://user:S3CRET@example.com/a.wav?token=S3CRET")
			return errors.Join(err, s.Hangup(ctx, call.UserBusy))
		}),
	}, scenarioConfig())
	w.place(asyncFull)
	result(t, w, ended)
	// The connection's span ends behind the hook.
	if err := w.srv.Shutdown(w.ctx); err != nil {
		t.Fatal(err)
	}

	got := testbed.Recorded(t, reader)
	for key, want := range map[string]float64{
		"genesis.channel.operations{error=,operation=answer,success=true}":           1,
		"genesis.channel.operations{error=,operation=sleep,success=true}":            1,
		"genesis.channel.operations{error=,operation=hangup,success=true}":           1,
		"genesis.channel.operations{error=hangup,operation=bridge,success=false}":    1,
		"genesis.channel.operations{error=timeout,operation=wait,success=false}":     1,
		"genesis.channel.operations{error=refused,operation=playback,success=false}": 1,
		"genesis.channel.bridge.operations{error=hangup,success=false}":              1,
		"genesis.timeouts{timeout_operation=wait,timeout_type=wait}":                 1,
		"genesis.channel.hangup.causes{hangup_cause=USER_BUSY}":                      1,
		"genesis.channel.operation.duration{operation=answer}":                       1,
		"genesis.call.duration{}": 1,
	} {
		if got[key] != want {
			t.Errorf("%s: %v, want %v; there are %v", key, got[key], want, got)
		}
	}
	checkSpans(t, spans.Ended())
}

// checkSpans looks that the call's operations are below the call.
func checkSpans(t *testing.T, spans []sdktrace.ReadOnlySpan) {
	t.Helper()
	i := slices.IndexFunc(spans, func(s sdktrace.ReadOnlySpan) bool { return s.Name() == "outbound_handle_connection" })
	if i < 0 {
		t.Fatal("no span for the connection")
	}
	for _, span := range spans {
		if shown := fmt.Sprint(span.Attributes(), span.Status(), span.Events()); strings.Contains(shown, "S3CRET") {
			t.Errorf("span %s shows a secret: %s", span.Name(), shown)
		}
	}
	for _, name := range []string{"channel.answer", "channel.bridge", "channel.wait", "channel.hangup"} {
		j := slices.IndexFunc(spans, func(s sdktrace.ReadOnlySpan) bool { return s.Name() == name })
		if j < 0 {
			t.Errorf("no span %s", name)
			continue
		}
		if spans[j].Parent().SpanID() != spans[i].SpanContext().SpanID() {
			t.Errorf("span %s is not below the connection", name)
		}
		if !slices.ContainsFunc(spans[j].Attributes(), func(a attribute.KeyValue) bool { return a.Key == "channel.uuid" }) {
			t.Errorf("span %s has no channel.uuid", name)
		}
	}
}
