package observability

import (
	"maps"
	"sync"
	"sync/atomic"
)

// table holds a row for each set of label values K, for what happens too often to build
// an attribute set each time: to find a row that is there takes a look-up in a map,
// without a lock and without an allocation.
type table[K comparable, V any] struct {
	// row makes the row of a key; called once a key.
	row func(K) *V
	// limit bounds the number of keys; what comes beyond it is put in overflow's row.
	limit    int
	overflow K

	// rows is replaced, never written to, so that readers need no lock.
	rows atomic.Pointer[map[K]*V]
	mu   sync.Mutex // held to replace rows
}

func newTable[K comparable, V any](limit int, overflow K, row func(K) *V) *table[K, V] {
	t := &table[K, V]{row: row, limit: limit, overflow: overflow}
	t.rows.Store(&map[K]*V{})
	return t
}

// all returns the rows, which the caller must not change.
func (t *table[K, V]) all() map[K]*V { return *t.rows.Load() }

// known returns k's row, or nil when there is none.
func (t *table[K, V]) known(k K) *V { return (*t.rows.Load())[k] }

// of returns k's row, and makes it first when there is none. k is kept, so its strings
// must not pin larger memory.
func (t *table[K, V]) of(k K) *V {
	if row := t.known(k); row != nil {
		return row
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if row := t.known(k); row != nil {
		return row
	}
	old := t.all()
	if len(old) >= t.limit {
		k = t.overflow
		if row := t.known(k); row != nil {
			return row
		}
	}
	next := make(map[K]*V, len(old)+1)
	maps.Copy(next, old)
	next[k] = t.row(k)
	t.rows.Store(&next)
	return next[k]
}
