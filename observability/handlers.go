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
	errors   metric.Int64Counter
	hits     *counters[string] // by event name
	fallback *counters[string]
	names    openWords
	labels   sync.Map // name → handlerLabels

	failures atomic.Int64
	mu       sync.Mutex
	backlog  []func() (events int, size int64)
}

func newHandlerMetrics(meter metric.Meter) (*handlerMetrics, error) {
	byName := oneLabel("event_name")
	m := &handlerMetrics{
		names:    openWords{known: words{}, limit: maxHandlerNames},
		hits:     newCounters(maxHandlerNames, other, byName),
		fallback: newCounters(maxHandlerNames, other, byName),
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

// handlerLabels is an event name as options for instruments, made once.
type handlerLabels struct {
	name   string
	record []metric.RecordOption
}

func (m *handlerMetrics) of(name string) handlerLabels {
	if known, ok := m.labels.Load(name); ok {
		return known.(handlerLabels)
	}
	name = m.names.of(name)
	set := metric.WithAttributeSet(attribute.NewSet(attribute.String("event_name", name)))
	labels, known := m.labels.LoadOrStore(name, handlerLabels{name, []metric.RecordOption{set}})
	if !known { // shown at zero, so that the first error is an increase
		m.errors.Add(context.Background(), 0, failureLabels(name, "error"))
		m.errors.Add(context.Background(), 0, failureLabels(name, "panic"))
	}
	return labels.(handlerLabels)
}

func (m *handlerMetrics) end(ctx context.Context, name string, took time.Duration, failure string) {
	labels := m.of(name)
	m.duration.Record(ctx, took.Seconds(), labels.record...)
	if failure == "" {
		return
	}
	m.failures.Add(1)
	m.errors.Add(ctx, 1, failureLabels(labels.name, handlerFailures.of(failure)))
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

// EventsRouted records that n events called name found a handler of their own (hit)
// or only one for every event.
func (o *Observability) EventsRouted(name string, hit bool, n int) {
	counter := o.handlers.fallback
	if hit {
		counter = o.handlers.hits
	}
	if !counter.known(name, int64(n)) {
		counter.add(o.handlers.of(name).name, int64(n))
	}
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
