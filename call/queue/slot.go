package queue

import (
	"context"
	"time"
)

// Slot is the right to be served. It is safe for concurrent use.
type Slot struct {
	e *entry
}

// ID returns the ID of the Ticket.
func (s *Slot) ID() string { return s.e.id }

// Queue returns the name of the queue.
func (s *Slot) Queue() string { return s.e.queue }

// Waited returns how long it took from Join until the slot was granted.
func (s *Slot) Waited() time.Duration { return s.e.granted.Sub(s.e.joined) }

// Fence grows with every slot granted in this queue. Pass it to whatever the slot protects, which can then
// refuse a holder whose successor has already been there. This is the only protection from a process that was
// stopped for longer than its lease between two instructions.
func (s *Slot) Fence() uint64 { return s.e.share.token(s.e) }

// Done is closed when the slot is no longer ours: released or lost. With a backend that has leases, it is closed
// before the backend gives the slot to anybody else.
func (s *Slot) Done() <-chan struct{} { return s.e.gone }

// Context returns a copy of ctx that also ends with the slot; its cause is then Err. Call cancel when you no longer
// need it.
func (s *Slot) Context(ctx context.Context) (held context.Context, cancel context.CancelFunc) {
	return until(ctx, s.e.gone, s.Err)
}

// until returns a copy of ctx that ends with the channel too, for the reason given then.
func until(ctx context.Context, over <-chan struct{}, reason func() error) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	select {
	case <-over: // so that who comes too late does not even begin
		cancel(reason())
	default:
		go func() {
			select {
			case <-over:
				cancel(reason())
			case <-ctx.Done():
			}
		}()
	}
	return ctx, func() { cancel(nil) }
}

// Err is nil while the slot is held, then ErrReleased, ErrLost or ErrClosed.
func (s *Slot) Err() error { return s.e.share.held(s.e) }

// Release gives the slot back; the next in the queue gets it at once. Release waits until the backend knows, as
// long as ctx allows. Otherwise it returns ctx's cause or ErrUnavailable, and the slot ends later, at the
// latest with its lease. So `defer slot.Release(ctx)` is right even when ctx may have ended. Further calls
// return nil; the release of a lost slot returns ErrLost.
func (s *Slot) Release(ctx context.Context) error {
	first, err := s.e.share.release(s.e)
	if !first {
		return err
	}
	return s.e.share.gone(ctx, s.e)
}
