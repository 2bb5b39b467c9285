package observability

import (
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// counters holds one counter for each set of label values K. The values are read when
// metrics are collected.
type counters[K comparable] struct{ *table[K, counter] }

type counter struct {
	n      atomic.Int64
	labels metric.ObserveOption
}

// newCounters returns counters whose labels are made of their keys by labels.
func newCounters[K comparable](limit int, overflow K, labels func(K) []attribute.KeyValue) counters[K] {
	return counters[K]{newTable(limit, overflow, func(k K) *counter {
		return &counter{labels: metric.WithAttributeSet(attribute.NewSet(labels(k)...))}
	})}
}

// oneLabel makes the attributes of counters that have a single label.
func oneLabel(label string) func(string) []attribute.KeyValue {
	return func(value string) []attribute.KeyValue { return []attribute.KeyValue{attribute.String(label, value)} }
}

// observe reports every counter to inst.
func (c counters[K]) observe(o metric.Observer, inst metric.Int64Observable) {
	for _, counter := range c.all() {
		o.ObserveInt64(inst, counter.n.Load(), counter.labels)
	}
}
