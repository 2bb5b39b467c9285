package queue

import "context"

// Semaphore is a queue with its options, to use again and again. Pass it to code that must take turns but need
// not know about queues. It is safe for concurrent use.
type Semaphore struct {
	queues *Queues
	queue  string
	opts   []Option
}

// Semaphore returns queue with opts bound to it. Nothing is checked or opened before its first use.
func (q *Queues) Semaphore(queue string, opts ...Option) *Semaphore {
	return &Semaphore{queues: q, queue: queue, opts: opts}
}

// Acquire is Queues.Acquire with the queue and the options of the Semaphore.
func (s *Semaphore) Acquire(ctx context.Context) (*Slot, error) {
	return s.queues.Acquire(ctx, s.queue, s.opts...)
}

// Do acquires a slot, runs fn, and then releases the slot, also when fn panics. When the slot is lost meanwhile,
// fn's context ends with the cause ErrLost. Do returns the error of Acquire or of fn. A release that does not
// reach the backend is no error, as the lease ends the slot.
func (s *Semaphore) Do(ctx context.Context, fn func(ctx context.Context) error) error {
	slot, err := s.Acquire(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = slot.Release(ctx) }()
	held, cancel := slot.Context(ctx)
	defer cancel()
	return fn(held)
}
