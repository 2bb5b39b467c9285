package observability

import (
	"iter"
	"maps"
	"sync"
	"sync/atomic"
)

// table holds a row for each set of label values K, for what happens too often to build
// an attribute set each time: to find a row that is there takes a look-up in a map,
// without a lock and without an allocation, and mostly not even that.
type table[K comparable, V any] struct {
	// row makes the row of a key; called once a key.
	row func(K) *V
	// hash tells most keys apart, and is quick.
	hash func(K) uint8
	// limit bounds the number of keys; what comes beyond it is put in overflow's row.
	limit    int
	overflow K

	// rows is replaced, never written to, so that readers need no lock.
	rows atomic.Pointer[map[K]*entry[K, V]]
	mu   sync.Mutex // held to replace rows
	// recent holds, for each hash, the row that was asked for last.
	recent [256]atomic.Pointer[entry[K, V]]
}

// entry is a row and its key; neither pointer nor key is ever changed.
type entry[K comparable, V any] struct {
	key K
	row *V
}

func newTable[K comparable, V any](limit int, overflow K, hash func(K) uint8, row func(K) *V) *table[K, V] {
	t := &table[K, V]{row: row, hash: hash, limit: limit, overflow: overflow}
	t.rows.Store(&map[K]*entry[K, V]{})
	return t
}

// all yields the keys and their rows.
func (t *table[K, V]) all() iter.Seq2[K, *V] {
	return func(yield func(K, *V) bool) {
		for _, e := range *t.rows.Load() {
			if !yield(e.key, e.row) {
				return
			}
		}
	}
}

// known returns k's row, or nil when there is none.
func (t *table[K, V]) known(k K) *V {
	recent := &t.recent[t.hash(k)]
	e := recent.Load()
	if e == nil || e.key != k {
		if e = (*t.rows.Load())[k]; e == nil {
			return nil
		}
		recent.Store(e)
	}
	return e.row
}

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
	old := *t.rows.Load()
	if len(old) >= t.limit {
		k = t.overflow
		if row := t.known(k); row != nil {
			return row
		}
	}
	next := make(map[K]*entry[K, V], len(old)+1)
	maps.Copy(next, old)
	e := &entry[K, V]{k, t.row(k)}
	next[k] = e
	t.rows.Store(&next)
	return e.row
}

// hashName is the hash of an event's name, and of other words.
func hashName(name string) uint8 {
	n := len(name)
	if n == 0 {
		return 0
	}
	return uint8(n*31) + name[n/2]*7 + name[n-1]*13
}
