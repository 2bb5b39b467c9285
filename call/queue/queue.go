package queue

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
)

// Config configures Queues. The zero value is usable: queues in memory with one slot each.
type Config struct {
	// Backend keeps the queues; nil keeps them in the memory of this process.
	Backend Backend
	// Limit is how many slots a queue has when no Limit option was given. Zero means 1.
	Limit int
	// Patience is how long Join and Acquire try to enter a queue while the backend cannot be reached,
	// before they fail with ErrUnavailable; the caller's context and Timeout may end that earlier.
	// Zero means 5 seconds. It does not apply to those who already wait: they keep their place, and
	// resume it when the backend is back.
	Patience time.Duration
	// QueueLabels bounds how many different queue names appear in metrics; further ones are counted as `other`.
	// Zero means 100.
	QueueLabels int
	// MeterProvider and TracerProvider receive metrics and spans; nil records nothing.
	MeterProvider  metric.MeterProvider
	TracerProvider trace.TracerProvider
	// Logger is told when the backend is lost, when it is back, and when a slot is lost. Nil means slog.Default().
	Logger *slog.Logger
}

// Queues gives access to the queues of one backend. Make one with New. It is safe for concurrent use. While
// nobody in this process waits or holds a slot, it has no goroutine and no connection of its own.
type Queues struct {
	backend  Backend
	limit    int
	patience time.Duration
	tel      *telemetry
	log      *slog.Logger

	mu     sync.Mutex
	closed bool
	shares map[string]*share
	limits map[string]int // those given by the Limit option for queues that have no share now
}

// rememberAt is how many limits are remembered of queues that nobody of this process is in.
const rememberAt = 10_000

// New checks the configuration and returns Queues; it connects to nothing.
func New(cfg Config) (*Queues, error) {
	if cfg.Limit < 0 || cfg.Patience < 0 || cfg.QueueLabels < 0 {
		return nil, errors.New("queue: Limit, Patience and QueueLabels must not be negative")
	}
	if cfg.Backend == nil {
		cfg.Backend = NewMemory()
	}
	if cfg.Limit == 0 {
		cfg.Limit = 1
	}
	if cfg.Patience == 0 {
		cfg.Patience = 5 * time.Second
	}
	if cfg.QueueLabels == 0 {
		cfg.QueueLabels = 100
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	tel, err := newTelemetry(cfg.MeterProvider, cfg.TracerProvider, cfg.QueueLabels)
	if err != nil {
		return nil, fmt.Errorf("queue: %w", err)
	}
	return &Queues{
		backend: cfg.Backend, limit: cfg.Limit, patience: cfg.Patience, tel: tel, log: cfg.Logger,
		shares: make(map[string]*share), limits: make(map[string]int),
	}, nil
}

// Acquire waits for a slot in queue. When the wait ends without a slot, it fails with a *WaitError: because
// ctx ended (the error then wraps its context.Cause, such as that of a call that hung up), or by the Timeout
// option. The place is then given up, of which the backend learns a moment later, or once it can be reached again.
//
// The slot outlives ctx: it is held until Release, or until it is lost.
func (q *Queues) Acquire(ctx context.Context, queue string, opts ...Option) (*Slot, error) {
	ticket, err := q.Join(ctx, queue, opts...)
	if err != nil {
		return nil, err
	}
	return ticket.Wait(ctx)
}

// Join takes a place in queue and returns as soon as the backend has confirmed it, without waiting for the
// turn. Use the Ticket to tell callers their position, and to wait. ctx governs the whole wait, not only this
// call: when it ends before Ticket.Wait has claimed the slot, the place is given up. Errors are those of
// Acquire; when the backend cannot be reached, ErrUnavailable, after Config.Patience at most.
func (q *Queues) Join(ctx context.Context, queue string, opts ...Option) (*Ticket, error) {
	o, err := q.options(queue, opts)
	if err != nil {
		return nil, err
	}
	id := rand.Text()
	ctx, span := q.tel.start(ctx, queue, id)
	e := &entry{
		id: id, queue: queue, priority: o.priority, joined: time.Now(), phase: joining, due: now,
		entered: make(chan struct{}), turn: make(chan struct{}), gone: make(chan struct{}),
		left: make(chan struct{}), moved: make(chan struct{}), tel: q.tel, span: span,
	}
	if err := q.add(e, o.limit); err != nil {
		return nil, e.fail(err, nil)
	}
	t := newTicket(ctx, e, o.timeout)
	if err := t.enter(ctx, q.patience); err != nil {
		return nil, err
	}
	return t, nil
}

// add gives the entry to the share of its queue, which is started when there is none.
func (q *Queues) add(e *entry, limit int) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return ErrClosed
	}
	s := q.shares[e.queue]
	if s == nil {
		s = newShare(q, e.queue)
		if given := q.limits[e.queue]; given > 0 {
			s.limit = given
			delete(q.limits, e.queue)
		}
		q.shares[e.queue] = s
		go s.run()
	}
	e.share = s
	s.add(e, limit)
	return nil
}

// retire forgets a share that has nothing left to do; it reports whether that is so.
func (q *Queues) retire(s *share) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !s.idle() {
		return false
	}
	delete(q.shares, s.name)
	q.remember(s.name, s.limit)
	close(s.done)
	return true
}

// remember keeps a limit until somebody comes into the queue again.
func (q *Queues) remember(queue string, limit int) {
	if limit == q.limit {
		return
	}
	if len(q.limits) >= rememberAt {
		for other := range q.limits { // any one
			delete(q.limits, other)
			break
		}
	}
	q.limits[queue] = limit
}

// Close refuses new callers and ends all waits with ErrClosed. Then it waits until the slots of this process
// are released. When ctx ends first, it takes them away: their Done is closed with ErrClosed. It returns when
// the backend knows, or has not answered within its own timeout. The error is ctx's cause if slots had to be
// taken away.
func (q *Queues) Close(ctx context.Context) error {
	q.mu.Lock()
	q.closed = true
	shares := slices.Collect(maps.Values(q.shares))
	q.mu.Unlock()

	for _, s := range shares {
		s.close(false)
	}
	var late error
	for _, s := range shares {
		select {
		case <-s.done:
		case <-ctx.Done():
			late = context.Cause(ctx)
		}
	}
	if late == nil {
		return nil
	}
	took := false
	for _, s := range shares {
		took = s.close(true) || took
	}
	for _, s := range shares {
		<-s.done
	}
	if !took {
		return nil // a backend that does not answer is all that was waited for
	}
	return late
}
