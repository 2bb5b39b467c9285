package observability

import (
	"context"
	"sync/atomic"
	"unsafe"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/internal/peek"
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
	name, subclass string
	channel        channelLabels
}

// channelLabels are labels of closed sets, as indexes, for these are quicker to hash than strings.
type channelLabels struct{ direction, state, answer, cause uint8 }

func (k eventKey) labels() []attribute.KeyValue {
	return []attribute.KeyValue{
		attribute.String("event_name", k.name),
		attribute.String("event_subclass", k.subclass),
		attribute.String("direction", directions[k.channel.direction]),
		attribute.String("channel_state", channelStates[k.channel.state]),
		attribute.String("answer_state", answerStates[k.channel.answer]),
		attribute.String("hangup_cause", hangupCauses[k.channel.cause]),
	}
}

// plainKey is an eventKey without a subclass, and with the name's place in memory for the name: events have theirs from
// a table of package esl, and not to hash it halves what a look-up costs.
type plainKey struct {
	name    *byte
	size    uint32
	channel channelLabels
}

func plainKeyOf(name string) plainKey {
	return plainKey{name: unsafe.StringData(name), size: uint32(len(name))}
}

func (k plainKey) whole() eventKey {
	return eventKey{name: unsafe.String(k.name, k.size), channel: k.channel}
}

// eventMetrics counts events as the application takes them, and those that do not reach it.
type eventMetrics struct {
	received   counters[eventKey]
	plain      *table[plainKey, counter] // of received
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
	m.plain = newTable(maxEventSeries, plainKeyOf(other), func(k plainKey) *counter { return m.received.of(k.whole()) })
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
		key := plainKeyOf(ev.Name())
		if ev.UUID() != "" {
			state, direction, answer, cause := peek.Channel(ev)
			key.channel = channelLabels{directions.index(direction), channelStates.index(state),
				answerStates.index(answer), hangupCauses.index(cause)}
		}
		counter := m.plain.known(key)
		if counter == nil {
			counter = m.counter(ev, key)
		}
		counter.n.Add(1)
	}
}

// counter returns the counter of an event that has a subclass, a name that is not FreeSWITCH's, or new labels.
func (m *eventMetrics) counter(ev *esl.Event, key plainKey) *counter {
	whole := key.whole()
	if whole.name == "CUSTOM" {
		whole.subclass = ev.Subclass()
	} else if esl.IsEventName(whole.name) {
		return m.plain.of(key)
	}
	if known := m.received.known(whole); known != nil {
		return known
	}
	whole.name, whole.subclass = eventName(whole.name), m.subclasses.of(whole.subclass)
	return m.received.of(whole)
}

func (m *eventMetrics) drop(reason string, n int) {
	m.dropped.of(m.reasons.of(reason)).n.Add(int64(n))
}
