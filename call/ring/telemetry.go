package ring

import (
	"context"
	"errors"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/genesis-esl/genesis/call"
	"github.com/genesis-esl/genesis/esl"
)

const scope = "github.com/genesis-esl/genesis/call/ring"

// telemetry records what becomes of a Ring.
type telemetry struct {
	tracer     trace.Tracer
	balanced   attribute.KeyValue
	operations metric.Int64Counter
	durations  metric.Float64Histogram
	results    metric.Int64Counter
	timeouts   metric.Int64Counter
}

func newTelemetry(mp metric.MeterProvider, tp trace.TracerProvider, balanced bool) (*telemetry, error) {
	if mp == nil {
		mp = metricnoop.NewMeterProvider()
	}
	if tp == nil {
		tp = tracenoop.NewTracerProvider()
	}
	t := &telemetry{tracer: tp.Tracer(scope), balanced: attribute.String("has_balancer", strconv.FormatBool(balanced))}
	meter := mp.Meter(scope)
	var errs [4]error
	t.operations, errs[0] = meter.Int64Counter("genesis.ring.group.operations",
		metric.WithDescription("Ring groups called"))
	t.durations, errs[1] = meter.Float64Histogram("genesis.ring.group.operation.duration", metric.WithUnit("s"),
		metric.WithDescription("Time from calling a ring group to its result"),
		metric.WithExplicitBucketBoundaries(.1, .25, .5, 1, 2.5, 5, 10, 15, 20, 30, 45, 60, 90, 120, 300))
	t.results, errs[2] = meter.Int64Counter("genesis.ring.group.results",
		metric.WithDescription("Results of ring groups"))
	t.timeouts, errs[3] = meter.Int64Counter("genesis.timeouts",
		metric.WithDescription("Operations that ran out of time"))
	return t, errors.Join(errs[:]...)
}

// start begins a Ring; the function it returns ends it.
func (t *telemetry) start(ctx context.Context, mode Mode, size int, timeout time.Duration) (context.Context, func(*Answer, error)) {
	label := attribute.String("mode", mode.String())
	begun := time.Now()
	ctx, span := t.tracer.Start(ctx, "ring_group.ring", trace.WithAttributes(
		attribute.String("ring_group.mode", mode.String()),
		attribute.Int("ring_group.size", size),
		attribute.Float64("ring_group.timeout", timeout.Seconds())))
	t.operations.Add(ctx, 1, metric.WithAttributes(label, t.balanced))
	return ctx, func(answer *Answer, err error) {
		took := time.Since(begun).Seconds()
		result, why := resultOf(ctx, err)
		t.durations.Record(ctx, took, metric.WithAttributes(label, t.balanced))
		t.results.Add(ctx, 1, metric.WithAttributes(label, t.balanced,
			attribute.String("result", result), attribute.String("error", why)))
		if why == "timeout" {
			t.timeouts.Add(ctx, 1, metric.WithAttributes(
				attribute.String("timeout_type", "wait"), attribute.String("timeout_operation", "ring_group")))
		}
		span.SetAttributes(attribute.String("ring_group.result", result), attribute.Float64("ring_group.duration", took))
		if answer != nil {
			span.SetAttributes(attribute.String("ring_group.answered_uuid", answer.Channel.UUID()),
				attribute.String("ring_group.answered_dial_path", answer.Destination.To.String()))
		}
		if result == "error" {
			span.RecordError(err)
			span.SetStatus(codes.Error, why)
		}
		span.End()
	}
}

// resultOf puts the outcome into the words of the labels.
func resultOf(ctx context.Context, err error) (result, why string) {
	var (
		hangup *call.HangupError
		nobody *NoAnswerError
	)
	switch {
	case err == nil:
		return "answered", ""
	case errors.As(err, &nobody) && nobody.TimedOut:
		return "no_answer", "timeout"
	case nobody != nil && errors.Is(err, esl.ErrDisconnected):
		return "error", "disconnected"
	case nobody != nil:
		return "no_answer", ""
	case errors.As(err, &hangup):
		return "error", "hangup"
	case errors.Is(err, context.DeadlineExceeded):
		return "error", "timeout"
	case ctx.Err() != nil:
		return "error", "canceled"
	default:
		return "error", "other"
	}
}
