package queue_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/genesis-esl/genesis/call/queue"
)

func TestTelemetry(t *testing.T) {
	reader := metric.NewManualReader()
	spans := tracetest.NewSpanRecorder()
	q := newQueues(t, queue.Config{
		QueueLabels:    1,
		MeterProvider:  metric.NewMeterProvider(metric.WithReader(reader)),
		TracerProvider: trace.NewTracerProvider(trace.WithSpanProcessor(spans)),
	})
	slot := acquire(t, q, "sales")
	if _, err := q.Acquire(t.Context(), "sales", queue.Timeout(time.Millisecond)); !errors.Is(err, queue.ErrTimeout) {
		t.Fatal(err)
	}
	if _, err := q.Acquire(expired(t), "sales"); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	release(t, slot)
	release(t, acquire(t, q, "support"))
	release(t, acquire(t, q, "billing"))

	got := collect(t, reader)
	for line, want := range map[string]float64{
		"genesis.queue.operations op=acquire queue_id=sales":         1,
		"genesis.queue.operations op=release queue_id=sales":         1,
		"genesis.queue.operations op=timeout queue_id=sales":         1,
		"genesis.queue.operations op=abandon queue_id=sales":         1,
		"genesis.queue.operations op=acquire queue_id=other":         2,
		"genesis.queue.wait.duration queue_id=sales":                 1,
		"genesis.queue.wait.duration queue_id=other":                 2,
		"genesis.timeouts timeout_operation=queue timeout_type=wait": 1,
	} {
		if got[line] != want {
			t.Errorf("%s: %v, want %v", line, got[line], want)
		}
	}
	ended := spans.Ended()
	if len(ended) != 5 {
		t.Fatalf("%d spans", len(ended))
	}
	attributes := fmt.Sprint(ended[0].Attributes())
	if ended[0].Name() != "queue.wait_and_acquire" || len(ended[0].Attributes()) != 2 {
		t.Errorf("span %q with %s", ended[0].Name(), attributes)
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
