package queue

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

const (
	// batchSize bounds how many entries one exchange asks about, so that no script holds Redis up for long.
	batchSize = 256
	// refreshEvery and maxCalm bound how long moved places may be out of date: a busy queue is asked for positions
	// no more often.
	refreshEvery = 100 * time.Millisecond
	maxCalm      = 5 * time.Second
	// minRenew is the shortest time between two renewals.
	minRenew = time.Second
)

// round is when the goroutine of a share has to do something by itself. Guarded by share.mu.
type round struct {
	renewAt  time.Time     // all entries are due; zero with a backend without leases
	retryAt  time.Time     // not before, after a failure; zero once that has been tried again
	hintAt   time.Time     // the backend's View.Next
	asked    time.Time     // when positions were asked for last
	calm     time.Duration // how long not to ask again
	dirty    bool          // positions have moved since
	failures int
}

// run asks the backend whatever is due until no entry is left.
func (s *share) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		for s.exchange() {
		}
		s.follow()
		if s.q.retire(s) {
			return
		}
		if wait, ok := s.pause(); ok {
			timer.Reset(wait)
		} else {
			timer.Stop()
		}
		select {
		case <-s.wake:
		case <-timer.C:
		}
	}
}

// exchange asks about one batch of what is due; it reports whether anything was.
func (s *share) exchange() bool {
	batch, ops, limit := s.collect()
	if len(batch) == 0 {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), max(minRenew, s.q.backend.Lease()/4))
	defer cancel()
	start := time.Now()
	view, err := s.q.backend.Exchange(ctx, s.name, limit, ops)
	if err == nil && len(view.States) != len(ops) {
		err = fmt.Errorf("queue: the backend answered %d of %d operations", len(view.States), len(ops))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.failed(batch, err)
		return s.closing
	}
	s.apply(start, batch, ops, view)
	return true
}

// collect takes what is due.
func (s *share) collect() (batch []*entry, ops []Op, limit int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	clock := time.Now()
	if clock.Before(s.retryAt) && !s.closing {
		return nil, nil, 0
	}
	s.retryAt = time.Time{} // this is the next try, if anything is due at all
	s.fallDue(clock)
	take := func(u urgency, most int) {
		for _, e := range s.entries {
			if len(batch) >= most {
				return
			}
			if e.due == u {
				e.due = never
				batch, ops = append(batch, e), append(ops, e.op())
			}
		}
	}
	take(now, batchSize/2) // leaves room for renewals, whatever comes and goes
	take(inTime, batchSize)
	take(now, batchSize)
	if len(batch) == 0 { // nobody waits behind those who only want to know where they stand
		take(atEase, batchSize)
	}
	return batch, ops, s.limit
}

// fallDue marks the entries whose time has come.
func (s *share) fallDue(clock time.Time) {
	refresh := s.dirty && clock.Sub(s.asked) >= s.calm || passed(s.hintAt, clock)
	renew := passed(s.renewAt, clock)
	if !refresh && !renew {
		return
	}
	s.dirty, s.asked, s.hintAt = false, clock, time.Time{}
	if renew {
		s.renewAt = time.Time{}
	}
	for _, e := range s.entries {
		if renew {
			e.needs(inTime)
		} else if e.phase == waiting {
			e.needs(atEase)
		}
	}
}

func passed(at, clock time.Time) bool { return !at.IsZero() && !clock.Before(at) }

// apply takes over what the backend says.
func (s *share) apply(start time.Time, batch []*entry, ops []Op, view View) {
	if s.trouble != nil {
		s.q.log.Info("backend is back", "queue", s.name)
	}
	s.trouble, s.failures, s.retryAt = nil, 0, time.Time{}
	// Asking where everybody stands takes a tenth of the time at most.
	rounds := 1 + len(s.entries)/batchSize
	s.calm = min(max(refreshEvery, 10*time.Duration(rounds)*time.Since(start)), maxCalm)
	for i, e := range batch {
		s.settle(start, e, ops[i].Kind, view.States[i], view)
	}
	for _, id := range view.Granted {
		if e := s.entries[id]; e != nil && e.phase == waiting {
			e.needs(now)
		}
	}
	if view.Next > 0 {
		s.hintAt = start.Add(max(view.Next, minRenew))
	}
	if lease := s.q.backend.Lease(); lease > 0 && s.renewAt.IsZero() {
		s.renewAt = start.Add(max(minRenew, lease/4))
	}
}

// settle takes over the answer about one entry.
func (s *share) settle(start time.Time, e *entry, asked OpKind, st State, view View) {
	switch {
	case asked == Leave:
		s.forget(e, nil)
	case e.phase == over:
		e.needs(now) // ended meanwhile: it leaves in the next round
	case st.Phase == Holding:
		e.hold(st)
		s.renewed(e, start)
	case st.Phase == Waiting && e.phase != holding:
		pos := Position{Place: st.Place, Of: view.Waiting}
		pos.Wait = view.Hold * time.Duration(st.Place) / time.Duration(s.limit)
		e.place(pos, st.Order)
		s.renewed(e, start)
	default:
		s.lose(e)
	}
}

// forget drops an entry of which the backend knows nothing any more, or soon will not.
func (s *share) forget(e *entry, err error) {
	delete(s.entries, e.id)
	e.leftErr = err
	close(e.left)
}

// failed puts the batch back after an exchange without an answer.
func (s *share) failed(batch []*entry, err error) {
	if s.trouble == nil {
		s.q.log.Warn("backend cannot be reached", "queue", s.name, "error", err)
	}
	s.trouble = err
	s.failures++
	s.retryAt = time.Now().Add(s.backoff())
	final := !errors.Is(err, ErrUnavailable)
	for _, e := range batch {
		e.needs(now)
		if final && e.phase == joining {
			s.giveUp(e, err)
		}
		// Who has not been renewed for a lease is forgotten there as well. Of a place that was never confirmed
		// nobody knows whether there is one.
		if e.leaving && (s.closing || final || time.Since(later(e.confirmed, e.joined)) > s.q.backend.Lease()) {
			s.forget(e, err)
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// backoff is how long to wait before the backend is tried again: up to a second, with jitter, so that the
// processes of a fleet do not come back all at once.
func (s *share) backoff() time.Duration {
	wait := min(50*time.Millisecond<<min(s.failures, 5), time.Second)
	return wait/2 + rand.N(wait/2)
}

// follow watches the queue while anybody waits in it.
func (s *share) follow() {
	s.mu.Lock()
	wanted := false
	for _, e := range s.entries {
		wanted = wanted || e.phase == waiting
	}
	s.mu.Unlock()
	switch watching := s.unwatch != nil; {
	case wanted && !watching:
		s.unwatch = s.q.backend.Watch(s.name, s.changed)
		s.mu.Lock()
		// Nobody has told of what was granted between the answer "you wait" and the watch: that is asked for.
		s.asked, s.dirty = time.Time{}, true
		s.mu.Unlock()
	case !wanted && watching:
		s.unwatch()
		s.unwatch = nil
	}
}

// changed is told by the backend what has happened in the queue.
func (s *share) changed(granted []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if granted == nil {
		s.asked = time.Time{}
	}
	for _, id := range granted {
		if e := s.entries[id]; e != nil && e.phase < holding { // or joining: this can overtake the answer that it waits
			e.needs(now)
		}
	}
	s.dirty = true
	s.nudge()
}

// pause is how long nothing will be due unless somebody nudges; ok is false when that is for ever.
func (s *share) pause() (wait time.Duration, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := earliest(s.renewAt, s.hintAt)
	if s.dirty {
		next = earliest(next, s.asked.Add(s.calm))
	}
	if !s.retryAt.IsZero() {
		next = s.retryAt
	}
	return max(0, time.Until(next)), !next.IsZero()
}

func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
