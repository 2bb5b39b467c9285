package observability

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

var handlerFailures = wordsOf(`error panic timeout`)

// handlerMetrics is what happens to events inside the app.
type handlerMetrics struct {
	duration metric.Float64Histogram
	quick    *durations // records in place of duration; may be nil
	errors   metric.Int64Counter
	hits     counters[string] // by event name
	fallback counters[string]
	names    openWords
	rows     *table[string, handler]

	failures atomic.Int64
	mu       sync.Mutex
	backlog  []func() (events int, size int64)
}

// handlerDuration is the name of the histogram, and handlerDurationHelp its description.
const (
	handlerDuration     = "genesis.handler.duration"
	handlerDurationHelp = "Time that an event handler ran."
)

func newHandlerMetrics(meter metric.Meter, quick *durations) (*handlerMetrics, error) {
	byName := oneLabel("event_name")
	m := &handlerMetrics{
		quick:    quick,
		names:    openWords{known: map[string]string{}, limit: maxHandlerNames},
		hits:     newCounters(maxHandlerNames, other, byName),
		fallback: newCounters(maxHandlerNames, other, byName),
	}
	m.rows = newTable(maxHandlerNames+1, other, m.row)
	var errs [5]error
	var depth metric.Int64ObservableGauge
	var hits, fallback metric.Int64ObservableCounter
	m.duration, errs[0] = meter.Float64Histogram(handlerDuration, metric.WithUnit("s"),
		metric.WithDescription(handlerDurationHelp))
	m.errors, errs[1] = meter.Int64Counter("genesis.handler.errors",
		metric.WithDescription("Event handlers that returned an error, panicked or ran out of time."))
	depth, errs[2] = meter.Int64ObservableGauge("genesis.dispatch.queue.depth",
		metric.WithDescription("Events that wait for a handler or are being handled."))
	hits, errs[3] = meter.Int64ObservableCounter("genesis.channel.routing.hits")
	fallback, errs[4] = meter.Int64ObservableCounter("genesis.channel.routing.fallback")
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

// handler is what is recorded of the handlers of one event name.
type handler struct {
	name   string
	labels []metric.RecordOption
	took   *histogram // of quick
}

// row makes the row of a name. Its errors are shown at zero, so that the first one is an
// increase.
func (m *handlerMetrics) row(name string) *handler {
	m.errors.Add(context.Background(), 0, failureLabels(name, "error"))
	m.errors.Add(context.Background(), 0, failureLabels(name, "panic"))
	h := &handler{name: name}
	if m.quick != nil {
		h.took = m.quick.rows.of(name)
	} else {
		h.labels = []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(attribute.String("event_name", name)))}
	}
	return h
}

func (m *handlerMetrics) of(name string) *handler {
	if known := m.rows.known(name); known != nil {
		return known
	}
	return m.rows.of(m.names.of(name))
}

func (m *handlerMetrics) end(ctx context.Context, name string, took time.Duration, failure string) {
	h := m.of(name)
	if m.quick != nil {
		m.quick.record(h.took, took)
	} else {
		m.duration.Record(ctx, took.Seconds(), h.labels...)
	}
	if failure == "" {
		return
	}
	m.failures.Add(1)
	m.errors.Add(ctx, 1, failureLabels(h.name, handlerFailures.of(failure)))
}

func failureLabels(name, failure string) metric.MeasurementOption {
	return metric.WithAttributeSet(attribute.NewSet(
		attribute.String("event_name", name), attribute.String("error", failure)))
}

// HandlerEnd records one run of an event handler: name is the event name or the
// subclass of a CUSTOM event, failure is error, panic, timeout or empty. ctx is
// the one that HandlerStart returned.
func (o *Observability) HandlerEnd(ctx context.Context, name string, took time.Duration, failure string, err error) {
	o.handlers.end(ctx, name, took, failure)
	o.endSpan(ctx, err)
}

// EventsRouted records that n events called name found a handler for that name (hit), or
// only one for all events.
func (o *Observability) EventsRouted(name string, hit bool, n int) {
	counters := o.handlers.fallback
	if hit {
		counters = o.handlers.hits
	}
	counters.of(o.handlers.of(name).name).n.Add(int64(n))
}

// EventsDropped records that n events will not be handled, and why. The number of
// different reasons is bounded.
func (o *Observability) EventsDropped(reason string, n int) { o.dropped(reason, n) }

// ObserveBacklog makes genesis_dispatch_queue_depth report what backlog returns: how
// many events wait or are being handled, and their size in bytes. backlog is called
// at every scrape, from any goroutine; several add up.
func (o *Observability) ObserveBacklog(backlog func() (events int, size int64)) {
	o.handlers.mu.Lock()
	defer o.handlers.mu.Unlock()
	o.handlers.backlog = append(o.handlers.backlog, backlog)
}
