package observability

import (
	"context"
	"errors"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/genesis-esl/genesis/esl"
)

// commandMetrics counts and times commands by their first word.
type commandMetrics struct {
	sent     metric.Int64Counter
	duration metric.Float64Histogram
	errors   metric.Int64Counter
	timeouts metric.Int64Counter

	// Attribute sets are made once: the words are a closed set.
	adds    map[string][]metric.AddOption
	records map[string][]metric.RecordOption
	seen    map[string]*sync.Once
}

func newCommandMetrics(meter metric.Meter, timeouts metric.Int64Counter) (*commandMetrics, error) {
	m := &commandMetrics{
		timeouts: timeouts,
		adds:     map[string][]metric.AddOption{},
		records:  map[string][]metric.RecordOption{},
		seen:     map[string]*sync.Once{},
	}
	var errs [3]error
	m.sent, errs[0] = meter.Int64Counter("genesis.commands.sent",
		metric.WithDescription("Commands sent to FreeSWITCH."))
	m.duration, errs[1] = meter.Float64Histogram("genesis.commands.duration", metric.WithUnit("s"),
		metric.WithDescription("Time from sending a command to its reply."))
	m.errors, errs[2] = meter.Int64Counter("genesis.commands.errors",
		metric.WithDescription("Commands that failed: refused by FreeSWITCH, or without a reply."))
	for _, word := range commandWords[1:] {
		set := metric.WithAttributeSet(attribute.NewSet(attribute.String("command", word)))
		m.adds[word] = []metric.AddOption{set}
		m.records[word] = []metric.RecordOption{set}
		m.seen[word] = new(sync.Once)
	}
	return m, errors.Join(errs[:]...)
}

// word returns the label value for a command's first word.
func (m *commandMetrics) word(name string) string {
	if own := commandWords.of(name); own != "" {
		return own
	}
	return other
}

func (m *commandMetrics) end(ctx context.Context, info esl.CommandInfo, err error) {
	word := m.word(info.Name)
	kind := commandError(err)
	m.seen[word].Do(func() { m.expect(word) })
	if kind != "injection" { // nothing was written
		m.sent.Add(ctx, 1, m.adds[word]...)
		m.duration.Record(ctx, info.Duration.Seconds(), m.records[word]...)
	}
	if kind == "" {
		return
	}
	m.errors.Add(ctx, 1, commandLabels(word, kind))
	if kind == "timeout" {
		m.timeouts.Add(ctx, 1, metric.WithAttributeSet(attribute.NewSet(
			attribute.String("timeout_type", "command"), attribute.String("timeout_operation", word))))
	}
}

// expect shows the errors of a command at zero, so that the first is an increase.
func (m *commandMetrics) expect(word string) {
	for _, kind := range []string{"protocol_error", "timeout", "disconnected"} {
		m.errors.Add(context.Background(), 0, commandLabels(word, kind))
	}
}

func commandLabels(word, kind string) metric.MeasurementOption {
	return metric.WithAttributeSet(attribute.NewSet(
		attribute.String("command", word), attribute.String("error", kind)))
}

// commandError returns the error label of err, "" for nil.
func commandError(err error) string {
	var refused *esl.ReplyError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &refused):
		return "protocol_error"
	case errors.Is(err, esl.ErrInjection):
		return "injection"
	case errors.Is(err, esl.ErrClosed):
		return "closed"
	case errors.Is(err, esl.ErrDisconnected):
		return "disconnected"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, context.Canceled):
		return "canceled"
	}
	return other
}
