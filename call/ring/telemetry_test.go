package ring_test

import (
	"context"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/genesis-esl/genesis/call/ring"
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

	got := collect(t, reader)
	for line, want := range map[string]float64{
		"genesis.ring.group.operations has_balancer=true mode=balancing":                            1,
		"genesis.ring.group.operations has_balancer=true mode=parallel":                             2,
		"genesis.ring.group.operation.duration has_balancer=true mode=parallel":                     2,
		"genesis.ring.group.results error= has_balancer=true mode=balancing result=answered":        1,
		"genesis.ring.group.results error= has_balancer=true mode=parallel result=no_answer":        1,
		"genesis.ring.group.results error=timeout has_balancer=true mode=parallel result=no_answer": 1,
		"genesis.ring.group.results error=canceled has_balancer=true mode=sequential result=error":  1,
		"genesis.timeouts timeout_operation=ring_group timeout_type=wait":                           1,
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

// collect is what was recorded: the value of counters, the count of histograms.
func collect(t *testing.T, reader metric.Reader) map[string]float64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	got := make(map[string]float64)
	for _, sm := range all.ScopeMetrics {
		for _, m := range sm.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					got[line(m.Name, p.Attributes.ToSlice())] += float64(p.Value)
				}
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					got[line(m.Name, p.Attributes.ToSlice())] += float64(p.Count)
				}
			}
		}
	}
	return got
}

func line(name string, attributes []attribute.KeyValue) string {
	for _, kv := range attributes { // sorted by name
		name += " " + string(kv.Key) + "=" + kv.Value.String()
	}
	return name
}
