package consumer

import (
	"context"
	"hash/maphash"
	"log/slog"
	"math/bits"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/genesis-esl/genesis/esl"
)

// dispatcher takes batches of events from a connection (the intake) and hands
// them to workers, call by call.
//
// The intake brings a batch to its shards; the worker that looks for work next sorts
// it by call. A worker takes a call's waiting events as one run, without the lock
// handles them, and returns the run in the same critical section in which it takes the
// next one. The only worker takes the runs of several calls.
type dispatcher struct {
	handlerContext context.Context
	hooks          Hooks
	log            *slog.Logger

	shards []shard
	alone  bool // there is one worker
	seed   maphash.Seed
	idle   idleWorkers

	intake      sync.Mutex // guards the fields of the intake
	router      *router
	staged      [][]staged
	taken       int64 // events and bytes that ever came in
	takenBytes  int64
	maxEvents   int64
	maxBytes    int64
	knownEvents int64 // what shards were last seen to have done
	knownBytes  int64

	// waiting is true while the intake waits for room; wakeAt and wakeBytes are
	// the counts of done events and bytes that make it worth waking up.
	waiting   atomic.Bool
	wakeAt    atomic.Int64
	wakeBytes atomic.Int64
	room      chan struct{}

	inEvents atomic.Int64 // taken and takenBytes, for others than the intake
	inBytes  atomic.Int64

	closed  atomic.Bool // no more events will come
	aborted atomic.Bool // what waits is not to be handled
	dropped atomic.Int64
	workers sync.WaitGroup
	alive   atomic.Int64 // workers
	staff   []*worker
}

// Defaults of App.
const (
	defaultWorkersPerProc = 16
	defaultQueueEvents    = 100_000
	defaultQueueBytes     = 256 << 20
	defaultDrainTimeout   = 10 * time.Second
)

const (
	// maxShards bounds the shards where processors are many.
	maxShards = 64
	// firstBuckets is how many buckets a shard's table of calls begins with.
	firstBuckets = 64
)

func newDispatcher(ctx context.Context, a *App, r *router) *dispatcher {
	workers := orDefault(a.Workers, defaultWorkersPerProc*runtime.GOMAXPROCS(0))
	d := &dispatcher{
		handlerContext: ctx,
		log:            a.logger(),
		alone:          workers == 1,
		seed:           maphash.MakeSeed(),
		router:         r,
		maxEvents:      int64(orDefault(a.QueueEvents, defaultQueueEvents)),
		maxBytes:       orDefault(a.QueueBytes, defaultQueueBytes),
		room:           make(chan struct{}, 1),
	}
	if a.Hooks != nil {
		d.hooks = *a.Hooks
	}
	// A power of two. Few, for events are handled the cheaper the more nearly they
	// are in the order in which they lie in memory; more where many processors would
	// wait for one lock.
	n := min(max(min(workers, runtime.GOMAXPROCS(0))/2, 1), maxShards)
	d.shards = make([]shard, 1<<bits.Len(uint(n-1)))
	d.staged = make([][]staged, len(d.shards))
	for i := range d.shards {
		d.shards[i].buckets = make([]*call, firstBuckets)
	}
	d.idle.stack = make([]*worker, 0, workers)
	for i := range workers {
		w := &worker{d: d, home: i & (len(d.shards) - 1), park: make(chan struct{}, 1)}
		d.staff = append(d.staff, w)
		d.start(w)
	}
	return d
}

func orDefault[T int | int64](v, otherwise T) T {
	if v <= 0 {
		return otherwise
	}
	return v
}

// HandleEvent takes one event.
func (d *dispatcher) HandleEvent(ctx context.Context, ev *esl.Event) {
	d.HandleEvents(ctx, []*esl.Event{ev})
}

// HandleEvents takes a batch. It returns when all events are queued, and waits
// for room while the queue is full; once ctx ends, what finds no room is dropped.
func (d *dispatcher) HandleEvents(ctx context.Context, events []*esl.Event) {
	d.intake.Lock()
	defer d.intake.Unlock()
	mask := uint64(len(d.shards) - 1)
	for i, ev := range events {
		to := d.router.route(ev)
		if to == nil {
			continue
		}
		size := ev.Size()
		if !d.fits(size) {
			d.flush()
			if !d.await(ctx, size) {
				d.drop(events[i:])
				break
			}
		}
		d.taken++
		d.takenBytes += int64(size)
		d.router.count(to)
		key := keyOf(ev)
		hash := maphash.String(d.seed, key)
		at := hash & mask
		d.staged[at] = append(d.staged[at], staged{ev, to, key, hash, size})
	}
	d.flush()
	if d.hooks.Routed != nil {
		d.router.report(d.hooks.Routed)
	}
}

// keyOf returns what an event has in common with those it must stay in order
// with.
func keyOf(ev *esl.Event) string {
	if key := ev.UUID(); key != "" {
		return key
	}
	if key := ev.Get("Job-UUID"); key != "" {
		return key
	}
	return ev.Name()
}

// flush brings what is staged to the shards and sees to it that somebody works
// on it.
func (d *dispatcher) flush() {
	d.inEvents.Store(d.taken)
	d.inBytes.Store(d.takenBytes)
	any := false
	for i, events := range d.staged {
		if len(events) == 0 {
			continue
		}
		d.shards[i].put(events)
		clear(events)
		d.staged[i] = events[:0]
		any = true
	}
	if any {
		d.wake()
	}
}

// fits reports whether an event of this size may come in now.
func (d *dispatcher) fits(size int) bool {
	if d.hasRoom(size) {
		return true
	}
	d.knownEvents, d.knownBytes = d.done()
	return d.hasRoom(size)
}

func (d *dispatcher) hasRoom(size int) bool {
	events, bytes := d.taken-d.knownEvents, d.takenBytes-d.knownBytes
	return events == 0 || events < d.maxEvents && bytes+int64(size) <= d.maxBytes
}

// await waits until an event of this size fits, or ctx ends.
func (d *dispatcher) await(ctx context.Context, size int) bool {
	defer d.waiting.Store(false)
	for {
		// A quarter of the queue at a time, not each event as it leaves.
		d.wakeAt.Store(d.taken - d.maxEvents*3/4)
		d.wakeBytes.Store(d.takenBytes - d.maxBytes*3/4)
		d.waiting.Store(true)
		if d.fits(size) {
			return true
		}
		select {
		case <-d.room:
		case <-ctx.Done():
			return false
		}
	}
}

// settle counts the events of a run as done.
func (d *dispatcher) settle(r *run) {
	r.shard.doneBytes.Add(r.bytes)
	r.shard.done.Add(int64(r.events))
	d.freed(false)
}

// freed wakes the intake when it waits and enough has been done. A worker that
// is about to rest wakes it in any case, for what is left may be stuck.
func (d *dispatcher) freed(resting bool) {
	if !d.waiting.Load() {
		return
	}
	if !resting {
		events, bytes := d.done()
		if events < d.wakeAt.Load() || bytes < d.wakeBytes.Load() {
			return
		}
	}
	select {
	case d.room <- struct{}{}:
	default:
	}
}

// done counts the events that have been handled, and their bytes.
func (d *dispatcher) done() (events, size int64) {
	for i := range d.shards {
		events += d.shards[i].done.Load()
		size += d.shards[i].doneBytes.Load()
	}
	return events, size
}

func (d *dispatcher) backlog() (int, int64) {
	// First what came in, for what is done meanwhile must not make it look more.
	events, size := d.inEvents.Load(), d.inBytes.Load()
	doneEvents, doneBytes := d.done()
	return int(max(events-doneEvents, 0)), max(size-doneBytes, 0)
}

// drop counts events that nobody will handle.
func (d *dispatcher) drop(events []*esl.Event) {
	for _, ev := range events {
		if d.router.route(ev) != nil {
			d.dropped.Add(1)
		}
	}
}

// stop lets workers finish what is queued, until the deadline; then it ends
// their contexts and drops the rest. It returns how many events were dropped, and
// false when handlers go on in spite of it.
func (d *dispatcher) stop(drain time.Duration, cancel context.CancelCauseFunc) (dropped int, ended bool) {
	d.closed.Store(true)
	d.wakeAll()
	done := make(chan struct{})
	go func() {
		d.workers.Wait()
		close(done)
	}()
	ended = within(drain, done)
	d.aborted.Store(true)
	cancel(ErrStopped)
	if !ended {
		ended = within(abandonAfter, done)
	}
	dropped = int(d.dropped.Load())
	if !ended {
		dropped += d.stranded()
	}
	return dropped, ended
}

// stranded returns how many events wait behind handlers that do not return: all that are neither
// done with nor in the hands of such a handler.
func (d *dispatcher) stranded() int {
	waiting, _ := d.backlog()
	waiting -= int(d.alive.Load())
	for _, w := range d.staff {
		waiting -= int(w.seen.Load())
	}
	return max(waiting, 0)
}

// abandonAfter is how long a handler may take to return once its context has
// ended.
const abandonAfter = time.Second

func within(d time.Duration, done <-chan struct{}) bool {
	if d < 0 {
		d = 0
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}
