package queue

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
)

const scope = "github.com/genesis-esl/genesis/call/queue"

// telemetry records what happens to callers. Safe for concurrent use.
type telemetry struct {
	tracer     trace.Tracer
	operations metric.Int64Counter
	waits      metric.Float64Histogram
	timeouts   metric.Int64Counter

	mu     sync.Mutex
	labels map[string]struct{}
	most   int
}

func newTelemetry(mp metric.MeterProvider, tp trace.TracerProvider, labels int) (*telemetry, error) {
	if mp == nil {
		mp = metricnoop.NewMeterProvider()
	}
	if tp == nil {
		tp = tracenoop.NewTracerProvider()
	}
	t := &telemetry{tracer: tp.Tracer(scope), labels: make(map[string]struct{}), most: labels}
	meter := mp.Meter(scope)
	var errs [3]error
	t.operations, errs[0] = meter.Int64Counter("genesis.queue.operations",
		metric.WithDescription("Queue operations by outcome"))
	t.waits, errs[1] = meter.Float64Histogram("genesis.queue.wait.duration", metric.WithUnit("s"),
		metric.WithDescription("Time from joining a queue to getting a slot"),
		metric.WithExplicitBucketBoundaries(.005, .05, .1, .5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600))
	t.timeouts, errs[2] = meter.Int64Counter("genesis.timeouts",
		metric.WithDescription("Operations that ran out of time"))
	return t, errors.Join(errs[:]...)
}

// label is the queue's name as long as there are few of them. What is not UTF-8 in it is
// replaced: no metrics can be exposed or exported with that.
func (t *telemetry) label(queue string) attribute.KeyValue {
	queue = strings.ToValidUTF8(queue, "?")
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, known := t.labels[queue]; !known {
		if len(t.labels) >= t.most {
			queue = "other"
		} else {
			t.labels[queue] = struct{}{}
		}
	}
	return attribute.String("queue_id", queue)
}

func (t *telemetry) count(e *entry, op string) {
	t.operations.Add(context.Background(), 1, metric.WithAttributes(t.label(e.queue), attribute.String("op", op)))
}

func (t *telemetry) start(ctx context.Context, queue, id string) (context.Context, trace.Span) {
	return t.tracer.Start(ctx, "queue.wait_and_acquire", trace.WithAttributes(
		attribute.String("queue.id", queue), attribute.String("queue.item_id", id)))
}

// acquired ends a wait with a slot.
func (t *telemetry) acquired(e *entry) {
	t.count(e, "acquire")
	wait := e.granted.Sub(e.joined).Seconds()
	t.waits.Record(context.Background(), wait, metric.WithAttributes(t.label(e.queue)))
	e.span.End(trace.WithTimestamp(e.granted))
}

func (t *telemetry) released(e *entry) { t.count(e, "release") }

// failed ends a wait without a slot: the caller ran out of time, or went away (or was sent away).
func (t *telemetry) failed(e *entry, err error) {
	if errors.Is(err, ErrTimeout) || errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, ErrUnavailable) {
		t.count(e, "timeout")
		t.timeouts.Add(context.Background(), 1, metric.WithAttributes(
			attribute.String("timeout_type", "wait"), attribute.String("timeout_operation", "queue")))
	} else {
		t.count(e, "abandon")
	}
	e.span.RecordError(err)
	e.span.SetStatus(codes.Error, err.Error())
	e.span.End(trace.WithTimestamp(time.Now()))
}
