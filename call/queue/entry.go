package queue

import (
	"time"

	"go.opentelemetry.io/otel/trace"
)

// entry is one caller's place or slot, from Join to the backend's word that it is gone.
type entry struct {
	id       string
	queue    string
	priority int
	joined   time.Time
	share    *share
	tel      *telemetry
	span     trace.Span

	entered chan struct{} // closed when the backend has confirmed the place, or the wait is over
	turn    chan struct{} // closed when the slot is granted, or the wait is over
	gone    chan struct{} // closed when there is neither place nor slot any more
	left    chan struct{} // closed when the backend has taken the departure, or will forget by itself

	// Guarded by share.mu.
	phase     progress
	due       urgency // of asking the backend
	leaving   bool    // asks for Leave
	claimed   bool    // the slot was handed to the caller
	order     string
	fence     uint64
	since     time.Time
	granted   time.Time // when this process learned of the slot
	confirmed time.Time // start of the last exchange that renewed it
	pos       Position
	moved     chan struct{} // closed and replaced when pos changes
	err       error         // why it is over
	leftErr   error
	expiry    *time.Timer
}

// progress is how far an entry has come, as this process knows.
type progress uint8

const (
	joining progress = iota // not confirmed yet
	waiting
	holding
	over
)

// urgency is how soon to ask the backend about an entry.
type urgency uint8

const (
	never  urgency = iota
	atEase         // its place may have moved
	inTime         // its lease is to be renewed
	now            // it has come, goes, or may have been granted
)

// needs raises the urgency.
func (e *entry) needs(u urgency) { e.due = max(e.due, u) }

// fail ends an entry that no share knows.
func (e *entry) fail(cause, backend error) error {
	err := &WaitError{Queue: e.queue, Waited: time.Since(e.joined), Cause: cause, Backend: backend}
	e.tel.failed(e, err)
	return err
}

// op is what to ask the backend about this entry now.
func (e *entry) op() Op {
	op := Op{Kind: Enter, ID: e.id, Priority: e.priority, Order: e.order}
	switch {
	case e.leaving:
		op.Kind = Leave
	case e.phase == holding:
		op.Kind, op.Fence, op.Since = Hold, e.fence, e.since
	}
	return op
}

// place takes over what the backend says about a waiter.
func (e *entry) place(pos Position, order string) {
	e.order = order
	if e.phase == joining {
		e.phase = waiting
		close(e.entered)
	}
	if pos != e.pos {
		e.pos = pos
		close(e.moved)
		e.moved = make(chan struct{})
	}
}

// hold takes over what the backend says about a holder.
func (e *entry) hold(st State) {
	e.fence, e.since = st.Fence, st.Since
	if e.phase == holding {
		return
	}
	if e.phase == joining {
		close(e.entered)
	}
	e.phase, e.pos, e.granted = holding, Position{}, time.Now()
	close(e.turn)
}

// end gives up place or slot for the reason err. The backend is told in the next round.
func (e *entry) end(err error) {
	if e.phase == over {
		return
	}
	was := e.phase
	e.phase, e.err, e.pos = over, err, Position{}
	e.leaving, e.due = true, now
	if e.expiry != nil {
		e.expiry.Stop()
	}
	if was == joining {
		close(e.entered)
	}
	if was != holding {
		close(e.turn)
	}
	close(e.moved)
	e.moved = make(chan struct{})
	close(e.gone)
}
