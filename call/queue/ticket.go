package queue

import (
	"context"
	"iter"
	"time"
)

// Position is where a waiting caller stands. The zero value is the position of a caller who no longer waits.
type Position struct {
	// Place counts from 1: the next to be served.
	Place int
	// Of is how many wait in this queue, in all processes.
	Of int
	// Wait is an estimate of the remaining wait, from how long slots were held so far. Zero when no slot has been given
	// back yet, as then nothing is known.
	Wait time.Duration
}

// Ticket is a place in a queue. It is safe for concurrent use.
type Ticket struct {
	e     *entry
	stop  func() bool // ends the watch over Join's context
	timer *time.Timer
}

// newTicket starts what may end the wait: Join's context and the time-out.
func newTicket(ctx context.Context, e *entry, timeout time.Duration) *Ticket {
	t := &Ticket{e: e}
	t.stop = context.AfterFunc(ctx, func() { e.share.abandon(e, context.Cause(ctx)) })
	if timeout > 0 {
		t.timer = time.AfterFunc(timeout, func() { e.share.abandon(e, ErrTimeout) })
	}
	return t
}

// enter waits until the backend has confirmed the place.
func (t *Ticket) enter(ctx context.Context, patience time.Duration) error {
	limit := time.NewTimer(patience)
	defer limit.Stop()
	select {
	case <-t.e.entered:
	case <-ctx.Done():
		t.e.share.abandon(t.e, context.Cause(ctx))
	case <-limit.C:
		t.e.share.abandonJoining(t.e)
		<-t.e.entered
	}
	if err := t.e.share.failure(t.e); err != nil {
		t.quit()
		return err
	}
	return nil
}

// quit stops what may end the wait.
func (t *Ticket) quit() {
	t.stop()
	if t.timer != nil {
		t.timer.Stop()
	}
}

// ID identifies the place, and later the slot, among all processes; spans carry it as queue.item_id.
func (t *Ticket) ID() string { return t.e.id }

// Position returns the present position; its Place is 0 once the wait is over.
func (t *Ticket) Position() Position {
	pos, _ := t.e.share.position(t.e)
	return pos
}

// Positions yields the position now and after each change, until the wait is over or ctx ends. A reader that is slower
// than the queue misses positions in between, but never the latest one.
func (t *Ticket) Positions(ctx context.Context) iter.Seq[Position] {
	return func(yield func(Position) bool) {
		last := Position{}
		for {
			pos, moved := t.e.share.position(t.e)
			if pos.Place > 0 && pos != last {
				if last = pos; !yield(pos) {
					return
				}
				continue
			}
			select {
			case <-moved:
			case <-t.e.turn:
				return
			case <-ctx.Done():
				return
			}
		}
	}
}

// Done is closed when the wait is over, with or without a slot: stop the music and call Wait.
func (t *Ticket) Done() <-chan struct{} { return t.e.turn }

// Context returns a copy of ctx that also ends with the wait: music that plays under it stops when the turn comes. Its
// cause is then ErrTurn, or the reason why the wait failed. Call cancel when you no longer need it.
func (t *Ticket) Context(ctx context.Context) (waiting context.Context, cancel context.CancelFunc) {
	return until(ctx, t.e.turn, func() error {
		if err := t.e.share.failure(t.e); err != nil {
			return err
		}
		return ErrTurn
	})
}

// Wait waits for the slot and claims it; further calls return the same slot. It fails with a *WaitError, as
// Acquire does. When ctx ends, the place is given up, as with the context of Join; once the slot is claimed,
// neither context matters any more.
func (t *Ticket) Wait(ctx context.Context) (*Slot, error) {
	select {
	case <-t.e.turn:
	default:
		select {
		case <-t.e.turn:
		case <-ctx.Done():
			t.e.share.abandon(t.e, context.Cause(ctx))
		}
	}
	t.quit()
	if err := t.e.share.claim(t.e); err != nil {
		return nil, err
	}
	return &Slot{e: t.e}, nil
}

// Leave gives up the place; Wait then fails with ErrLeft. Once the slot was claimed, Leave does nothing. It
// waits until the backend knows, as long as ctx allows. Otherwise it returns ctx's cause or ErrUnavailable,
// and the backend learns of it later, at the latest by the end of the lease.
func (t *Ticket) Leave(ctx context.Context) error {
	t.quit()
	if !t.e.share.abandon(t.e, ErrLeft) {
		return nil
	}
	return t.e.share.gone(ctx, t.e)
}
