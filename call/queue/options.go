package queue

import (
	"errors"
	"fmt"
	"time"
)

// MaxPriority is the largest priority; the smallest is its negative.
const MaxPriority = 9999

// Option changes one wait.
type Option func(*options)

type options struct {
	limit    int
	priority int
	timeout  time.Duration
}

// Limit sets how many slots the queue has, at least 1. A queue has one limit: the one given last, by any caller of
// these Queues, or Config.Limit when none was given. When more than 10,000 queues have no waiters any more, some of
// them go back to Config.Limit. Processes that share a queue must agree on its limit: each grants by its own, and for
// a moment after a change still by the one before.
func Limit(n int) Option { return func(o *options) { o.limit = n } }

// Priority lets a caller pass all callers of a lower priority. It is between -MaxPriority and MaxPriority; the
// default is 0. Callers of one priority are served in the order in which they came.
func Priority(p int) Option { return func(o *options) { o.priority = p } }

// Timeout ends the wait with ErrTimeout after d. Zero, the default, waits as long as the context allows.
func Timeout(d time.Duration) Option { return func(o *options) { o.timeout = d } }

func (q *Queues) options(queue string, opts []Option) (options, error) {
	o := options{}
	for _, opt := range opts {
		opt(&o)
	}
	switch {
	case queue == "":
		return o, errors.New("queue: a queue needs a name")
	case o.limit < 0:
		return o, fmt.Errorf("queue %q: a limit of %d slots", queue, o.limit)
	case o.priority > MaxPriority || o.priority < -MaxPriority:
		return o, fmt.Errorf("queue %q: priority %d is beyond ±%d", queue, o.priority, MaxPriority)
	case o.timeout < 0:
		return o, fmt.Errorf("queue %q: a timeout of %s", queue, o.timeout)
	}
	return o, nil
}
