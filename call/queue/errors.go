package queue

import (
	"errors"
	"fmt"
	"time"
)

var (
	// ErrTimeout is the cause when a wait took longer than the Timeout option allows.
	ErrTimeout = errors.New("no slot became free in time")
	// ErrLost says that a slot is no longer ours although it was not released: we could not renew it,
	// and somebody else may hold it from now on.
	ErrLost = errors.New("the slot was lost")
	// ErrReleased is what Slot.Err reports after Release.
	ErrReleased = errors.New("the slot was released")
	// ErrUnavailable says that the backend could not be reached. Nothing is known about the place; asking
	// again later is safe.
	ErrUnavailable = errors.New("the queue's backend cannot be reached")
	// ErrClosed is returned after Queues.Close.
	ErrClosed = errors.New("the queues are closed")
	// ErrTurn is the cause of a Ticket's Context that has ended because the turn has come.
	ErrTurn = errors.New("the turn has come")
	// ErrLeft is the cause when a Ticket was given up by Leave.
	ErrLeft = errors.New("the place was given up")
)

// WaitError says why a wait ended without a slot. errors.Is finds the cause in it: ErrTimeout,
// ErrClosed, ErrLeft, or the context.Cause of the caller's context, such as a hangup. If the
// backend was out of reach at that moment, it finds ErrUnavailable too.
type WaitError struct {
	Queue  string
	Waited time.Duration
	Cause  error
	// Backend is what the last attempt to reach the backend failed with; nil while it answered.
	Backend error
}

// Error tells the queue, the time waited and the cause.
func (e *WaitError) Error() string {
	text := fmt.Sprintf("queue %q: no slot after %s: ", e.Queue, e.Waited.Round(time.Millisecond))
	if e.Backend == nil {
		return text + e.Cause.Error()
	}
	if errors.Is(e.Backend, e.Cause) {
		return text + e.Backend.Error()
	}
	return fmt.Sprintf("%s%v (%v)", text, e.Cause, e.Backend)
}

// Unwrap returns the cause and the backend's error.
func (e *WaitError) Unwrap() []error {
	if e.Backend == nil {
		return []error{e.Cause}
	}
	return []error{e.Cause, e.Backend}
}
