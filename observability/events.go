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

// eventKey is the labels of genesis_events_received_total; those of closed sets are
// indexes, for they are quicker to hash than strings.
type eventKey struct {
	name, subclass                                    string
	direction, channelState, answerState, hangupCause uint8
}

func (k eventKey) labels() []attribute.KeyValue {
	return []attribute.KeyValue{
		attribute.String("event_name", k.name),
		attribute.String("event_subclass", k.subclass),
		attribute.String("direction", directions[k.direction]),
		attribute.String("channel_state", channelStates[k.channelState]),
		attribute.String("answer_state", answerStates[k.answerState]),
		attribute.String("hangup_cause", hangupCauses[k.hangupCause]),
	}
}

// eventMetrics counts events as the application takes them, and those that do not reach it.
type eventMetrics struct {
	received   counters[eventKey]
	subclasses openWords
	dropped    counters[string]
	reasons    openWords
	stalled    atomic.Bool
}

func newEventMetrics(meter metric.Meter) (*eventMetrics, error) {
	m := &eventMetrics{
		received:   newCounters(maxEventSeries, eventKey{name: other}, eventKey.labels),
		dropped:    newCounters(maxReasons, other, oneLabel("reason")),
		subclasses: openWords{known: map[string]string{}, limit: maxSubclasses},
		reasons:    openWords{known: map[string]string{}, limit: maxReasons},
	}
	// These reasons are shown from the start, so that the first drop is an increase.
	for _, reason := range []string{"malformed", "slow_consumer", "disconnected", "shutdown", "unknown_content_type", "unexpected_reply"} {
		m.drop(reason, 0)
	}
	received, err := meter.Int64ObservableCounter("genesis.events.received",
		metric.WithDescription("Events that came from FreeSWITCH to the application."))
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
	for _, ev := range batch {
		key := eventKey{name: ev.Name()}
		// FreeSWITCH writes what it tells of a channel all together, its state first.
		if state, ok := ev.Lookup("Channel-State"); ok {
			key.channel(ev, state)
		}
		if key.name == "CUSTOM" {
			key.subclass = ev.Subclass()
		}
		counter := m.received.known(key)
		if counter == nil {
			key.name, key.subclass = eventName(key.name), m.subclasses.of(key.subclass)
			counter = m.received.of(key)
		}
		counter.n.Add(1)
	}
}

// channel adds what an event tells of its channel.
func (k *eventKey) channel(ev *esl.Event, state string) {
	k.channelState = channelStates.index(state)
	k.direction = directions.index(ev.Get("Call-Direction"))
	answerState := ev.Get("Answer-State")
	k.answerState = answerStates.index(answerState)
	switch answerState {
	case "ringing", "early", "answered":
		// A channel has a cause once it is hung up. Not to look for it before spares
		// reading such events to their end.
	default:
		k.hangupCause = hangupCauses.index(ev.Get("Hangup-Cause"))
	}
}

func (m *eventMetrics) drop(reason string, n int) {
	m.dropped.of(m.reasons.of(reason)).n.Add(int64(n))
}
