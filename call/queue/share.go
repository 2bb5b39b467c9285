package queue

import (
	"context"
	"errors"
	"sync"
	"time"
)

// share is this process's part in one queue: its waiters and holders, and the goroutine that speaks to the
// backend for all of them at once. It exists while there are any.
type share struct {
	q    *Queues
	name string
	wake chan struct{} // has room for one: something is due
	done chan struct{} // closed when the goroutine has ended

	unwatch func() // ends the watch over the queue, nil when there is none; the goroutine's own

	mu      sync.Mutex
	limit   int
	entries map[string]*entry
	trouble error // what the last exchange failed with
	closing bool
	round   // the goroutine's own timing
}

func newShare(q *Queues, name string) *share {
	return &share{
		q: q, name: name, limit: q.limit, entries: make(map[string]*entry),
		wake: make(chan struct{}, 1), done: make(chan struct{}),
	}
}

// nudge wakes the goroutine.
func (s *share) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *share) add(e *entry, limit int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if limit > 0 {
		s.limit = limit
	}
	s.entries[e.id] = e
	s.nudge()
}

// idle reports that no entry is left.
func (s *share) idle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.entries) == 0
}

// abandon ends a wait; it reports whether there was still one to end. A slot that was granted but not claimed
// goes back.
func (s *share) abandon(e *entry, cause error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.giveUp(e, cause)
}

// abandonJoining ends a wait that the backend has not even confirmed.
func (s *share) abandonJoining(e *entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.phase == joining {
		s.giveUp(e, ErrUnavailable)
	}
}

func (s *share) giveUp(e *entry, cause error) bool {
	if e.phase == over || e.claimed {
		return false
	}
	err := &WaitError{Queue: e.queue, Waited: time.Since(e.joined), Cause: cause, Backend: s.trouble}
	e.end(err)
	e.tel.failed(e, err)
	s.nudge()
	return true
}

// failure is why the wait is over, nil while it is not.
func (s *share) failure(e *entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.phase != over {
		return nil
	}
	return e.err
}

func (s *share) position(e *entry) (Position, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return e.pos, e.moved
}

// claim hands the granted slot to the caller, after which the wait can no longer be abandoned.
func (s *share) claim(e *entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.claimed {
		return nil
	}
	if e.phase != holding {
		return e.err
	}
	e.claimed = true
	e.tel.acquired(e)
	return nil
}

func (s *share) token(e *entry) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return e.fence
}

// held is Slot.Err. It looks at the clock itself, for a process that was stopped and has just gone on.
func (s *share) held(e *entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire(e)
	if e.phase == over {
		return e.err
	}
	return nil
}

// release gives a claimed slot back; first is false when there was none any more.
func (s *share) release(e *entry) (first bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire(e)
	if e.phase == over {
		if errors.Is(e.err, ErrReleased) {
			return false, nil
		}
		return false, e.err
	}
	e.end(ErrReleased)
	e.tel.released(e)
	s.nudge()
	return true, nil
}

// gone waits until the backend knows that e has left.
func (s *share) gone(ctx context.Context, e *entry) error {
	select {
	case <-e.left:
		return e.leftErr
	default:
	}
	select {
	case <-e.left:
		return e.leftErr
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// term is how long after the start of an exchange its leases may be relied on: less than the lease, so that an
// owner that cannot renew knows that its slot is lost while nobody else can have it yet.
func (s *share) term() time.Duration { return s.q.backend.Lease() * 4 / 5 }

// expire takes a slot away whose lease could not be renewed.
func (s *share) expire(e *entry) {
	if term := s.term(); term > 0 && e.phase == holding && time.Since(e.confirmed) >= term {
		s.lose(e)
	}
}

// lose ends an entry whose slot is not ours any more.
func (s *share) lose(e *entry) {
	if e.phase == over {
		return
	}
	claimed := e.claimed
	err := error(ErrLost)
	if !claimed {
		err = &WaitError{Queue: e.queue, Waited: time.Since(e.joined), Cause: ErrLost, Backend: s.trouble}
	}
	e.end(err)
	if !claimed {
		e.tel.failed(e, err)
	}
	s.q.log.Warn("slot lost", "queue", s.name, "id", e.id, "error", s.trouble)
	s.nudge()
}

// renewed arms the end of the lease anew.
func (s *share) renewed(e *entry, start time.Time) {
	e.confirmed = start
	term := s.term()
	if term == 0 || e.phase != holding {
		return
	}
	left := time.Until(start.Add(term))
	if e.expiry != nil {
		e.expiry.Reset(left)
		return
	}
	e.expiry = time.AfterFunc(left, func() { _ = s.held(e) })
}

// close ends all waits; with force the slots too, and it tells whether there were any.
func (s *share) close(force bool) (took bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closing = s.closing || force
	for _, e := range s.entries {
		if s.giveUp(e, ErrClosed) || !force || e.phase == over {
			continue
		}
		e.end(ErrClosed)
		took = true
	}
	s.nudge()
	return took
}
