package call

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
)

// scope names the instruments and spans of this package.
const scope = "github.com/genesis-esl/genesis/call"

// operation is the name of an operation in metrics and spans: a closed set.
type operation string

const (
	opAnswer     operation = "answer"
	opPreAnswer  operation = "pre_answer"
	opRingReady  operation = "ring_ready"
	opHangup     operation = "hangup"
	opBridge     operation = "bridge"
	opPlayback   operation = "playback"
	opSay        operation = "say"
	opSpeak      operation = "speak"
	opDigits     operation = "play_and_get_digits"
	opReadDigits operation = "read_digits"
	opSendDTMF   operation = "send_dtmf"
	opPark       operation = "park"
	opHold       operation = "hold"
	opUnhold     operation = "unhold"
	opTransfer   operation = "transfer"
	opRecord     operation = "record"
	opSet        operation = "set"
	opGet        operation = "get"
	opSleep      operation = "sleep"
	opConference operation = "conference"
	opLog        operation = "log"
	opBreak      operation = "break"
	opExecute    operation = "execute"
	opWait       operation = "wait"
	opCreate     operation = "create"
	opDTMF       operation = "dtmf.received"
)

// Instruments are the metrics and spans of channels: genesis.channel.operations,
// …operation.duration, …hangup.causes, …bridge.operations, …dtmf.received,
// genesis.call.duration, genesis.timeouts and the channel.* spans. One serves all
// channels of a process. A nil *Instruments measures nothing.
type Instruments struct {
	tracer     trace.Tracer
	operations metric.Int64Counter
	durations  metric.Float64Histogram
	causes     metric.Int64Counter
	bridges    metric.Int64Counter
	digits     metric.Int64Counter
	calls      metric.Float64Histogram
	timeouts   metric.Int64Counter
}

// NewInstruments makes the instruments. A nil provider measures nothing.
func NewInstruments(meters metric.MeterProvider, tracers trace.TracerProvider) (*Instruments, error) {
	if meters == nil {
		meters = metricnoop.NewMeterProvider()
	}
	if tracers == nil {
		tracers = tracenoop.NewTracerProvider()
	}
	m := meters.Meter(scope)
	in := &Instruments{tracer: tracers.Tracer(scope)}
	counters := []struct {
		to   *metric.Int64Counter
		name string
		what string
	}{
		{&in.operations, "genesis.channel.operations", "Operations on channels"},
		{&in.causes, "genesis.channel.hangup.causes", "Calls ended, by cause"},
		{&in.bridges, "genesis.channel.bridge.operations", "Bridges asked for"},
		{&in.digits, "genesis.channel.dtmf.received", "DTMF digits received"},
		{&in.timeouts, "genesis.timeouts", "Operations that ran out of time"},
	}
	for _, c := range counters {
		var err error
		if *c.to, err = m.Int64Counter(c.name, metric.WithDescription(c.what)); err != nil {
			return nil, fmt.Errorf("call: %s: %w", c.name, err)
		}
	}
	var err error
	if in.durations, err = m.Float64Histogram("genesis.channel.operation.duration",
		metric.WithUnit("s"), metric.WithDescription("How long operations on channels took"),
		metric.WithExplicitBucketBoundaries(.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300)); err != nil {
		return nil, fmt.Errorf("call: operation duration: %w", err)
	}
	if in.calls, err = m.Float64Histogram("genesis.call.duration", metric.WithUnit("s"),
		metric.WithDescription("From a channel's creation to its hangup"),
		metric.WithExplicitBucketBoundaries(1, 5, 10, 30, 60, 120, 180, 300, 600, 900, 1800, 3600, 7200, 14400)); err != nil {
		return nil, fmt.Errorf("call: call duration: %w", err)
	}
	return in, nil
}

func attr(key, value string) attribute.KeyValue { return attribute.String(key, value) }

// pathOf names a file or URL, without the password that a URL can hold.
func pathOf(file string) attribute.KeyValue {
	file, _, _ = strings.Cut(withoutVars(file), "?")
	return attr("playback.path", userInfo.ReplaceAllString(file, "://"))
}

var userInfo = regexp.MustCompile(`://[^/\s]*@`)

func joined[S ~string](words []S) string {
	parts := make([]string, len(words))
	for i, w := range words {
		parts[i] = string(w)
	}
	return strings.Join(parts, ",")
}

// begin starts an operation; the function it returns ends it.
func (c *Channel) begin(ctx context.Context, op operation, attrs ...attribute.KeyValue) (context.Context, func(error)) {
	in := c.tells
	if in == nil {
		return ctx, func(error) {}
	}
	attrs = append(attrs, attr("channel.uuid", c.uuid), attr("channel.state", string(c.State())))
	return in.begin(ctx, op, attrs...)
}

func (in *Instruments) begin(ctx context.Context, op operation, attrs ...attribute.KeyValue) (context.Context, func(error)) {
	if in == nil {
		return ctx, func(error) {}
	}
	start := time.Now()
	ctx, span := in.tracer.Start(ctx, "channel."+string(op), trace.WithAttributes(attrs...))
	return ctx, func(err error) { in.ended(ctx, span, op, start, err) }
}

func (in *Instruments) ended(ctx context.Context, span trace.Span, op operation, start time.Time, err error) {
	label := errorLabel(err)
	result := []attribute.KeyValue{attr("success", strconv.FormatBool(err == nil)), attr("error", label)}
	name := attr("operation", string(op))
	in.operations.Add(ctx, 1, metric.WithAttributes(append(result, name)...))
	in.durations.Record(ctx, time.Since(start).Seconds(), metric.WithAttributes(name))
	if op == opBridge {
		in.bridges.Add(ctx, 1, metric.WithAttributes(result...))
	}
	if label == "timeout" {
		kind := "command"
		if op == opWait {
			kind = "wait"
		}
		in.timeouts.Add(ctx, 1, metric.WithAttributes(attr("timeout_type", kind), attr("timeout_operation", string(op))))
	}
	if op == opWait {
		span.SetAttributes(attr("wait.result", cmp.Or(label, "success")))
	}
	if err != nil {
		span.SetStatus(codes.Error, label)
		span.RecordError(err)
	}
	span.End()
}

// hangup notes that a call has ended.
func (in *Instruments) hangup(c *Channel, err *HangupError) {
	if in == nil {
		return
	}
	ctx := context.Background()
	in.causes.Add(ctx, 1, metric.WithAttributes(attr("hangup_cause", err.Cause.label())))
	if err.Event == nil {
		return
	}
	created, _ := strconv.ParseInt(err.Event.Get("Caller-Channel-Created-Time"), 10, 64)
	if ended := err.Event.Timestamp(); created > 0 && !ended.IsZero() {
		in.calls.Record(ctx, max(0, ended.Sub(time.UnixMicro(created)).Seconds()))
	}
}

// digit notes a DTMF digit.
func (in *Instruments) digit(digit string) {
	if in == nil {
		return
	}
	label := strings.ToUpper(digit)
	if len(label) != 1 || !strings.Contains("0123456789*#ABCDFW", label) {
		label = "other"
	}
	in.digits.Add(context.Background(), 1, metric.WithAttributes(attr("dtmf_digit", label)))
}
