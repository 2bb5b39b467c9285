package observability

import (
	"context"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/genesis-esl/genesis/esl"
)

// Bounds of what a peer could multiply. The label sets of real traffic are some
// hundred; OpenTelemetry's own bound is 2,000.
const (
	maxEventSeries  = 1000
	maxSubclasses   = 128
	maxReasons      = 32
	maxHandlerNames = 256
)

// eventKey is the labels of genesis_events_received_total.
type eventKey struct {
	name, subclass, direction, channelState, answerState, hangupCause string
}

func (k eventKey) labels() []attribute.KeyValue {
	return []attribute.KeyValue{
		attribute.String("event_name", k.name),
		attribute.String("event_subclass", k.subclass),
		attribute.String("direction", k.direction),
		attribute.String("channel_state", k.channelState),
		attribute.String("answer_state", k.answerState),
		attribute.String("hangup_cause", k.hangupCause),
	}
}

// eventMetrics counts events as they are read, and those that do not reach the application.
type eventMetrics struct {
	received   *counters[eventKey]
	subclasses openWords
	dropped    *counters[string]
	reasons    openWords
	total      atomic.Int64
	stalled    atomic.Bool
}

func newEventMetrics(meter metric.Meter) (*eventMetrics, error) {
	m := &eventMetrics{
		received:   newCounters(maxEventSeries, eventKey{name: other}, eventKey.labels),
		dropped:    newCounters(maxReasons, other, oneLabel("reason")),
		subclasses: openWords{known: words{}, limit: maxSubclasses},
		reasons:    openWords{known: words{}, limit: maxReasons},
	}
	// These reasons are shown from the start, so that the first drop is an increase.
	for _, reason := range []string{"malformed", "slow_consumer", "disconnected", "shutdown"} {
		m.drop(reason, 0)
	}
	received, err := meter.Int64ObservableCounter("genesis.events.received",
		metric.WithDescription("Events read from FreeSWITCH."))
	if err != nil {
		return nil, err
	}
	dropped, err := meter.Int64ObservableCounter("genesis.events.dropped",
		metric.WithDescription("Events that did not reach the application."))
	if err != nil {
		return nil, err
	}
	_, err = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		m.received.observe(o, received)
		m.dropped.observe(o, dropped)
		return nil
	}, received, dropped)
	return m, err
}

// count counts a batch. The usual event costs a few look-ups of headers and one of
// the counter.
func (m *eventMetrics) count(batch []*esl.Event) {
	m.total.Add(int64(len(batch)))
	for _, ev := range batch {
		key := eventKey{
			name:         ev.Name(),
			direction:    ev.Get("Call-Direction"),
			channelState: ev.Get("Channel-State"),
			answerState:  ev.Get("Answer-State"),
		}
		switch key.answerState {
		case "ringing", "early", "answered":
			// A channel has a cause once it is hung up. Not to look for it before spares
			// reading such events to their end.
		default:
			key.hangupCause = ev.Get("Hangup-Cause")
		}
		if key.name == "CUSTOM" {
			key.subclass = ev.Subclass()
		}
		if !m.received.known(key, 1) {
			m.received.add(m.closed(key), 1)
		}
	}
}

// closed maps every value to its closed set, and so takes it off the event's memory.
func (m *eventMetrics) closed(k eventKey) eventKey {
	return eventKey{
		name:         eventName(k.name),
		subclass:     m.subclasses.of(k.subclass),
		direction:    directions.of(k.direction),
		channelState: channelStates.of(k.channelState),
		answerState:  answerStates.of(k.answerState),
		hangupCause:  hangupCauses.of(k.hangupCause),
	}
}

func (m *eventMetrics) drop(reason string, n int) {
	m.dropped.add(m.reasons.of(reason), int64(n))
}
