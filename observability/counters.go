package observability

import (
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// counters holds one counter for each set of label values K, for what happens too
// often to build an attribute set each time: adding to a known set is a map lookup
// and an atomic addition, without a lock and without an allocation. The values are
// read when metrics are collected.
type counters[K comparable] struct {
	// labels makes the attributes of a key; called once a key.
	labels func(K) []attribute.KeyValue
	// limit bounds the number of keys; what comes beyond it counts as overflow.
	limit    int
	overflow K

	// cells is replaced, never written to, so that readers need no lock.
	cells atomic.Pointer[map[K]*cell]
	mu    sync.Mutex // held to replace cells
}

// oneLabel makes the attributes of counters that have a single label.
func oneLabel(label string) func(string) []attribute.KeyValue {
	return func(value string) []attribute.KeyValue { return []attribute.KeyValue{attribute.String(label, value)} }
}

type cell struct {
	n      atomic.Int64
	labels metric.ObserveOption
}

func newCounters[K comparable](limit int, overflow K, labels func(K) []attribute.KeyValue) *counters[K] {
	c := &counters[K]{labels: labels, limit: limit, overflow: overflow}
	c.cells.Store(&map[K]*cell{})
	return c
}

// known adds n to k's counter if there is one, and reports whether there was.
func (c *counters[K]) known(k K, n int64) bool {
	cell, ok := (*c.cells.Load())[k]
	if ok {
		cell.n.Add(n)
	}
	return ok
}

// add adds n to k's counter. k is kept, so its strings must not pin larger memory.
func (c *counters[K]) add(k K, n int64) {
	if c.known(k, n) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known(k, n) {
		return
	}
	old := *c.cells.Load()
	if len(old) >= c.limit {
		k = c.overflow
		if c.known(k, n) {
			return
		}
	}
	next := make(map[K]*cell, len(old)+1)
	for key, v := range old {
		next[key] = v
	}
	fresh := &cell{labels: metric.WithAttributeSet(attribute.NewSet(c.labels(k)...))}
	fresh.n.Store(n)
	next[k] = fresh
	c.cells.Store(&next)
}

// observe reports every counter to inst.
func (c *counters[K]) observe(o metric.Observer, inst metric.Int64Observable) {
	for _, cell := range *c.cells.Load() {
		o.ObserveInt64(inst, cell.n.Load(), cell.labels)
	}
}
