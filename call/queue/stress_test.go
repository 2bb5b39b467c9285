package queue_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/call/queue"
	"github.com/genesis-esl/genesis/internal/testbed"
)

// TestNobodyIsForgotten has callers of two processes come at once, again and again from rest, and some give up at any
// moment: the others are served, and in the end every slot is free.
func TestNobodyIsForgotten(t *testing.T) {
	memory := queue.NewMemory()
	testbed.OnProcessors(t, func(t *testing.T) {
		one, two := newQueues(t, queue.Config{Backend: memory}), newQueues(t, queue.Config{Backend: memory})
		comeAndGo(t, 300, time.Millisecond, one, two)
	}, 2, 8)
}

// TestNobodyIsForgottenByRedis has leases so long that none ends in time to make up for what was forgotten.
func TestNobodyIsForgottenByRedis(t *testing.T) {
	t.Parallel()
	server := testbed.StartRedis(t)
	first := newQueues(t, queue.Config{Backend: leased(t, server.Addr, queue.MinLease)})
	for limit := 1; limit <= maxLimit; limit++ { // a queue that is known grants at once
		release(t, acquire(t, first, named(t, limit)))
	}
	one := newQueues(t, queue.Config{Backend: leased(t, server.Addr, 10*patience)})
	two := newQueues(t, queue.Config{Backend: leased(t, server.Addr, 10*patience)})
	comeAndGo(t, 60, 3*time.Millisecond, one, two)
}

// maxLimit is how many slots the largest queue of comeAndGo has.
const maxLimit = 3

// named is the queue of so many slots. Each has its own, because processes agree on the limit of a queue: what is still
// under way for a caller who gave up would grant by the limit of the round before.
func named(t *testing.T, limit int) string { return fmt.Sprintf("%s %d", t.Name(), limit) }

// comeAndGo has rounds of callers, of whom some leave within the span.
func comeAndGo(t *testing.T, rounds int, span time.Duration, queues ...*queue.Queues) {
	const callers = 8
	for n := range rounds {
		limit := 1 + n%maxLimit
		name := named(t, limit)
		var holders atomic.Int32
		var all sync.WaitGroup
		for i := range callers {
			all.Go(func() {
				ctx, opts, leaves := testContext(t), []queue.Option{queue.Limit(limit)}, rand.N(span)
				switch {
				case i < 2:
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, leaves)
					defer cancel()
				case i < 4:
					opts = append(opts, queue.Timeout(leaves+1))
				}
				slot, err := queues[i%2].Acquire(ctx, name, opts...)
				if err != nil {
					if i >= 4 {
						t.Errorf("round %d: %v", n, err)
					}
					return
				}
				if now := holders.Add(1); int(now) > limit {
					t.Errorf("round %d: %d of %d slots are held", n, now, limit)
				}
				runtime.Gosched()
				holders.Add(-1)
				_ = slot.Release(ctx) // who has hung up does not wait for that
			})
		}
		all.Wait()
		var slots []*queue.Slot
		for range limit {
			slots = append(slots, acquire(t, queues[n%2], name, queue.Limit(limit)))
		}
		for _, slot := range slots {
			release(t, slot)
		}
		if t.Failed() {
			return
		}
	}
}
