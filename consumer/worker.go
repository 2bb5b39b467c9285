package consumer

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/internal/clock"
)

// worker handles events, one call at a time.
type worker struct {
	d    *dispatcher
	home int // the shard it looks into first
	park chan struct{}
	runs []run        // taken at once
	at   int          // of runs, the one at hand
	past int          // events of it that have been handled
	seen atomic.Int64 // past, for others; see passed

	searching bool // woken to look for work and has not found any yet
	streak    int  // runs taken from the home shard in a row
	handler   int  // of the event at hand, the one that is next

	// For hooks.
	handled Handled
	ctx     context.Context
	began   time.Duration
	clock   time.Duration // when the last handler ended; zero when long ago
}

// maxStreak is after how many runs a worker turns to the next shard.
const maxStreak = 64

// start runs a worker on a new goroutine.
func (d *dispatcher) start(w *worker) {
	d.workers.Add(1)
	d.alive.Add(1)
	go func() {
		defer d.workers.Done()
		defer d.alive.Add(-1)
		returned := false
		defer func() {
			if !returned {
				// The handler ended the goroutine (runtime.Goexit). Another one goes
				// on with the next handler.
				w.ended()
				d.start(w)
			}
		}()
		w.work()
		returned = true
	}()
}

// work handles events until the dispatcher is closed and nothing is left.
func (w *worker) work() {
	for {
		for ; w.at < len(w.runs); w.at++ {
			r := &w.runs[w.at]
			for ; r.at != nil; r.at = r.at.next {
				w.handle(r, r.at)
				w.passed(r)
			}
			w.d.settle(r)
			w.past = 0
		}
		if !w.next() {
			return
		}
	}
}

// passed counts an event of a run, lest it be taken for lost if the next one is never done with.
func (w *worker) passed(r *run) {
	if w.past++; r.events > 1 {
		w.seen.Store(int64(w.past % r.events))
	}
}

// next returns the runs at hand, if any, and takes others; false when no more
// will come.
func (w *worker) next() bool {
	if len(w.runs) > 0 {
		w.streak++
		s := w.runs[0].shard
		s.mu.Lock()
		for i := range w.runs {
			s.finish(&w.runs[i])
		}
		w.forget()
		if w.streak < maxStreak {
			w.take(s)
		}
		s.mu.Unlock()
		if len(w.runs) > 0 {
			return true
		}
		if w.streak >= maxStreak {
			w.d.wake() // for what is left here: this worker may find something elsewhere
		}
		w.home++
	}
	w.streak = 0
	for {
		closed := w.d.closed.Load()
		if w.search() {
			return true
		}
		if closed {
			return false
		}
		w.rest()
	}
}

// take sorts what came to a shard, of which it holds the lock, and takes a run; a worker that has no others
// beside it, so that nobody else could handle them meanwhile, takes several.
func (w *worker) take(s *shard) {
	s.sort()
	for events := 0; events < maxRun; {
		r := s.take()
		if r.at == nil {
			return
		}
		w.runs = append(w.runs, r)
		if !w.d.alone {
			return
		}
		events += r.events
	}
}

// forget empties the list of runs, which then keeps no event.
func (w *worker) forget() {
	clear(w.runs)
	w.runs, w.at = w.runs[:0], 0
}

// search takes a run from the first shard that has one.
func (w *worker) search() bool {
	d := w.d
	mask := len(d.shards) - 1
	for i := range d.shards {
		s := &d.shards[(w.home+i)&mask]
		if !s.hasWork() {
			continue
		}
		s.mu.Lock()
		w.take(s)
		s.mu.Unlock()
		if len(w.runs) > 0 {
			w.home = (w.home + i) & mask
			if w.searching {
				w.searching = false
				d.idle.searching.Store(false)
				d.wake() // for what else there is
			}
			return true
		}
	}
	return false
}

// rest waits to be woken, unless there is work after all.
func (w *worker) rest() {
	d := w.d
	w.clock = 0
	d.freed(true)
	if w.searching {
		w.searching = false
		d.idle.searching.Store(false)
	}
	d.idle.add(w)
	if (d.anyWork() || d.closed.Load()) && d.idle.remove(w) {
		// Who brought it may have relied on the search that has just ended, so this is one too.
		w.searching = d.idle.searching.CompareAndSwap(false, true)
		return
	}
	<-w.park
	w.searching = true
}

// handle runs the handlers of an event that take it.
func (w *worker) handle(taken *run, n *node) {
	for w.handler < len(n.to.handlers) {
		if w.d.aborted.Load() {
			w.d.dropped.Add(1)
			break
		}
		r := n.to.handlers[w.handler]
		if len(r.filters) > 0 && !r.takes(n.ev) {
			w.handler++
			continue
		}
		if w.d.hooks.HandlerStart == nil && w.d.hooks.HandlerEnd == nil {
			if err := r.run(w.d.handlerContext, n.ev); err != nil {
				w.d.report(w.d.handlerContext, n.ev, err)
			}
		} else {
			w.observe(r, n)
		}
		w.handler++
	}
	w.handler = 0
	taken.bytes += int64(n.size)
	n.ev, n.to = nil, nil
}

// observe runs a handler between the hooks.
func (w *worker) observe(r *registration, n *node) {
	d := w.d
	w.ctx = d.handlerContext
	if d.hooks.HandlerStart != nil {
		w.ctx = d.hooks.HandlerStart(w.ctx, n.ev)
	}
	// Between two handlers in a row lies next to nothing, so that the end of one
	// is taken for the start of the other: reading the clock is not cheap.
	if w.began = w.clock; w.began == 0 {
		w.began = clock.Now()
	}
	w.observed(n, r.run(w.ctx, n.ev))
}

func (w *worker) observed(n *node, err error) {
	d := w.d
	if d.hooks.HandlerEnd != nil {
		w.clock = clock.Now()
		w.handled = Handled{Event: n.ev, Name: n.to.name, Duration: max(w.clock-w.began, 0), Err: err}
		if err != nil {
			w.handled.Failure = failureOf(err)
		}
		d.hooks.HandlerEnd(w.ctx, &w.handled)
		w.handled = Handled{}
	}
	if err != nil {
		d.report(w.ctx, n.ev, err)
	}
	w.ctx = nil
}

// ended settles a handler that ended its goroutine.
func (w *worker) ended() {
	if w.at == len(w.runs) {
		return
	}
	n := w.runs[w.at].at
	if n == nil || n.to == nil {
		return
	}
	if w.ctx == nil {
		w.ctx = w.d.handlerContext
	}
	w.observed(n, &PanicError{})
	w.handler++
}

// report logs a handler's failure.
func (d *dispatcher) report(ctx context.Context, ev *esl.Event, err error) {
	attrs := []slog.Attr{slog.String("event", ev.Name()), slog.String("call", ev.UUID()), slog.Any("error", err)}
	var panicked *PanicError
	if errors.As(err, &panicked) && len(panicked.Stack) > 0 {
		attrs = append(attrs, slog.String("stack", string(panicked.Stack)))
	}
	d.log.LogAttrs(ctx, slog.LevelError, "event handler failed", attrs...)
}
