package queue

import "context"

// Semaphore is a queue with its options, to be used again and again: the form to pass to code that must take
// turns but need not know about queues. It is safe for concurrent use.
type Semaphore struct {
	queues *Queues
	queue  string
	opts   []Option
}

// Semaphore returns queue with opts bound to it. Nothing is checked or opened before its first use.
func (q *Queues) Semaphore(queue string, opts ...Option) *Semaphore {
	return &Semaphore{queues: q, queue: queue, opts: opts}
}

// Acquire is Queues.Acquire.
func (s *Semaphore) Acquire(ctx context.Context) (*Slot, error) {
	return s.queues.Acquire(ctx, s.queue, s.opts...)
}

// Do runs fn while it holds a slot, and releases it afterwards, also when fn panics. fn's context ends with the
// cause ErrLost when the slot is lost meanwhile. It returns Acquire's error or fn's; a slot the backend could not
// be told about any more is no error, as its lease ends it.
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
