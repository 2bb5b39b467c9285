package consumer

import (
	"sync"
	"sync/atomic"
)

// idleWorkers are those that have found nothing to do. At most one worker at a
// time is woken to search; when it finds work it has the next one woken. So as
// many workers run as there is work for, and few are woken in vain.
type idleWorkers struct {
	searching atomic.Bool
	count     atomic.Int64
	mu        sync.Mutex
	stack     []*worker
}

func (l *idleWorkers) add(w *worker) {
	l.mu.Lock()
	l.stack = append(l.stack, w)
	l.count.Store(int64(len(l.stack)))
	l.mu.Unlock()
}

// remove takes w out; false when it has been woken already.
func (l *idleWorkers) remove(w *worker) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := len(l.stack) - 1; i >= 0; i-- {
		if l.stack[i] == w {
			l.stack = append(l.stack[:i], l.stack[i+1:]...)
			l.count.Store(int64(len(l.stack)))
			return true
		}
	}
	return false
}

func (l *idleWorkers) pop() *worker {
	l.mu.Lock()
	defer l.mu.Unlock()
	last := len(l.stack) - 1
	if last < 0 {
		return nil
	}
	w := l.stack[last]
	l.stack = l.stack[:last]
	l.count.Store(int64(last))
	return w
}

// wake wakes a worker if one rests, work waits and nobody looks for it yet.
func (d *dispatcher) wake() {
	for d.idle.count.Load() > 0 && d.anyWork() && d.idle.searching.CompareAndSwap(false, true) {
		if w := d.idle.pop(); w != nil {
			w.park <- struct{}{}
			return
		}
		// The last one went by itself. Who brought work since, while another came to rest, took
		// us for a worker that searches, so all is looked at once more.
		d.idle.searching.Store(false)
	}
}

func (d *dispatcher) wakeAll() {
	for {
		w := d.idle.pop()
		if w == nil {
			return
		}
		w.park <- struct{}{}
	}
}

func (d *dispatcher) anyWork() bool {
	for i := range d.shards {
		if d.shards[i].hasWork() {
			return true
		}
	}
	return false
}
