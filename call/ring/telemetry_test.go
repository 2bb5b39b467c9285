package ring_test

import (
	"context"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/genesis-esl/genesis/call/ring"
	"github.com/genesis-esl/genesis/internal/testbed"
)

func TestTelemetry(t *testing.T) {
	w := newWorld(t)
	reader := metric.NewManualReader()
	spans := tracetest.NewSpanRecorder()
	r := newRinger(t, ring.Config{
		Balancer:       ring.NewMemory(),
		MeterProvider:  metric.NewMeterProvider(metric.WithReader(reader)),
		TracerProvider: trace.NewTracerProvider(trace.WithSpanProcessor(spans)),
	})
	answer := w.first(r, users("a"), ring.Balancing)
	w.hangUp(answer)
	for _, opts := range [][]ring.Option{{ring.RingTime(time.Second)}, {ring.Timeout(50 * time.Millisecond)}} {
		list := users("busy")
		if len(spans.Ended()) == 2 {
			list = users("noanswer")
		}
		if _, err := r.Ring(w.ctx, w.calls, list, ring.Parallel, opts...); err == nil {
			t.Fatal("somebody answered")
		}
	}
	ctx, cancel := context.WithCancel(w.ctx)
	cancel()
	if _, err := r.Ring(ctx, w.calls, users("a"), ring.Sequential); err == nil {
		t.Fatal("somebody answered")
	}

	got := testbed.Recorded(t, reader)
	for line, want := range map[string]float64{
		"genesis.ring.group.operations{has_balancer=true,mode=balancing}":                            1,
		"genesis.ring.group.operations{has_balancer=true,mode=parallel}":                             2,
		"genesis.ring.group.operation.duration{has_balancer=true,mode=parallel}":                     2,
		"genesis.ring.group.results{error=,has_balancer=true,mode=balancing,result=answered}":        1,
		"genesis.ring.group.results{error=,has_balancer=true,mode=parallel,result=no_answer}":        1,
		"genesis.ring.group.results{error=timeout,has_balancer=true,mode=parallel,result=no_answer}": 1,
		"genesis.ring.group.results{error=canceled,has_balancer=true,mode=sequential,result=error}":  1,
		"genesis.timeouts{timeout_operation=ring_group,timeout_type=wait}":                           1,
	} {
		if got[line] != want {
			t.Errorf("%s: %v, want %v", line, got[line], want)
		}
	}
	ended := spans.Ended()
	if len(ended) != 4 || ended[0].Name() != "ring_group.ring" {
		t.Fatalf("%d spans", len(ended))
	}
	attributes := attribute.NewSet(ended[0].Attributes()...)
	for _, name := range []string{"mode", "size", "timeout", "result", "duration", "answered_uuid", "answered_dial_path"} {
		if _, ok := attributes.Value(attribute.Key("ring_group." + name)); !ok {
			t.Errorf("the span has no ring_group.%s", name)
		}
	}
}
