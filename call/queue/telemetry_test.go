package queue_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/genesis-esl/genesis/call/queue"
	"github.com/genesis-esl/genesis/internal/testbed"
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

	got := testbed.Recorded(t, reader)
	for line, want := range map[string]float64{
		"genesis.queue.operations{op=acquire,queue_id=sales}":         1,
		"genesis.queue.operations{op=release,queue_id=sales}":         1,
		"genesis.queue.operations{op=timeout,queue_id=sales}":         1,
		"genesis.queue.operations{op=abandon,queue_id=sales}":         1,
		"genesis.queue.operations{op=acquire,queue_id=other}":         2,
		"genesis.queue.wait.duration{queue_id=sales}":                 1,
		"genesis.queue.wait.duration{queue_id=other}":                 2,
		"genesis.timeouts{timeout_operation=queue,timeout_type=wait}": 1,
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

// A name that is not UTF-8 has a series like any other, for it could be neither exposed nor exported.
func TestLabelIsUTF8(t *testing.T) {
	reader := metric.NewManualReader()
	q := newQueues(t, queue.Config{MeterProvider: metric.NewMeterProvider(metric.WithReader(reader))})
	release(t, acquire(t, q, "J\xfcrgen"))
	if got := testbed.Recorded(t, reader); got["genesis.queue.operations{op=acquire,queue_id=J?rgen}"] != 1 {
		t.Errorf("recorded are %v", got)
	}
}
