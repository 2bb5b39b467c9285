package observability

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

var handlerFailures = wordsOf(`error panic timeout`)

// handlerMetrics is what happens to events inside the app.
type handlerMetrics struct {
	duration metric.Float64Histogram
	errors   metric.Int64Counter
	hits     *counters[string]
	fallback *counters[string]
	names    openWords

	mu      sync.Mutex
	backlog []func() (events int, size int64)
	records sync.Map // name → []metric.RecordOption
}

func newHandlerMetrics(meter metric.Meter) (*handlerMetrics, error) {
	byName := func(name string) []attribute.KeyValue {
		return []attribute.KeyValue{attribute.String("event_name", name)}
	}
	m := &handlerMetrics{
		hits:     newCounters(maxHandlerNames, other, byName),
		fallback: newCounters(maxHandlerNames, other, byName),
		names:    openWords{known: words{}, limit: maxHandlerNames},
	}
	var errs [5]error
	var depth metric.Int64ObservableGauge
	var hits, fallback metric.Int64ObservableCounter
	m.duration, errs[0] = meter.Float64Histogram("genesis.handler.duration", metric.WithUnit("s"),
		metric.WithDescription("Time that an event handler ran."))
	m.errors, errs[1] = meter.Int64Counter("genesis.handler.errors",
		metric.WithDescription("Event handlers that returned an error, panicked or ran out of time."))
	depth, errs[2] = meter.Int64ObservableGauge("genesis.dispatch.queue.depth",
		metric.WithDescription("Events that wait for a handler or are being handled."))
	hits, errs[3] = meter.Int64ObservableCounter("genesis.channel.routing.hits",
		metric.WithDescription("Events that found a handler for their name."))
	fallback, errs[4] = meter.Int64ObservableCounter("genesis.channel.routing.fallback",
		metric.WithDescription("Events that found only a handler for every event."))
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	_, err := meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		if events, _, ok := m.waiting(); ok {
			o.ObserveInt64(depth, int64(events))
		}
		m.hits.observe(o, hits)
		m.fallback.observe(o, fallback)
		return nil
	}, depth, hits, fallback)
	return m, err
}

// waiting sums up the backlogs; false when there is none to ask.
func (m *handlerMetrics) waiting() (events int, size int64, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, backlog := range m.backlog {
		n, bytes := backlog()
		events, size = events+n, size+bytes
	}
	return events, size, len(m.backlog) > 0
}

func (m *handlerMetrics) end(ctx context.Context, name string, took time.Duration, failure string) {
	name = m.names.of(name)
	opts, ok := m.records.Load(name)
	if !ok {
		set := metric.WithAttributeSet(attribute.NewSet(attribute.String("event_name", name)))
		opts, _ = m.records.LoadOrStore(name, []metric.RecordOption{set})
	}
	m.duration.Record(ctx, took.Seconds(), opts.([]metric.RecordOption)...)
	if failure == "" {
		return
	}
	m.errors.Add(ctx, 1, metric.WithAttributeSet(attribute.NewSet(
		attribute.String("event_name", name),
		attribute.String("error", handlerFailures.of(failure)),
	)))
}

// HandlerEnd records one run of an event handler: name is the event name or the
// subclass of a CUSTOM event, failure is error, panic, timeout or empty. ctx is
// the one that HandlerStart returned.
func (o *Observability) HandlerEnd(ctx context.Context, name string, took time.Duration, failure string, err error) {
	o.handlers.end(ctx, name, took, failure)
}

// EventsRouted records that n events called name found a handler of their own (hit)
// or only one for every event.
func (o *Observability) EventsRouted(name string, hit bool, n int) {
	table := o.handlers.fallback
	if hit {
		table = o.handlers.hits
	}
	if !table.known(name, int64(n)) {
		table.add(o.handlers.names.of(name), int64(n))
	}
}

// EventsDropped records that n events will not be handled, and why. The number of
// different reasons is bounded.
func (o *Observability) EventsDropped(reason string, n int) { o.events.drop(reason, n) }

// ObserveBacklog makes genesis_dispatch_queue_depth report what backlog returns: how
// many events wait or are being handled, and their size in bytes. backlog is called
// at every scrape, from any goroutine; several add up.
func (o *Observability) ObserveBacklog(backlog func() (events int, size int64)) {
	o.handlers.mu.Lock()
	defer o.handlers.mu.Unlock()
	o.handlers.backlog = append(o.handlers.backlog, backlog)
}
