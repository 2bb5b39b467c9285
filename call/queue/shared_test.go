package queue_test

import (
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/genesis-esl/genesis/call/queue"
)

// late is a Backend with which something happens just before the first watch begins.
type late struct {
	queue.Backend
	before func()
}

func newLate(b queue.Backend, before func()) late { return late{b, sync.OnceFunc(before)} }

func (b late) Watch(name string, changed func([]string)) (stop func()) {
	b.before()
	return b.Backend.Watch(name, changed)
}

// testShared has two Queues on one backend: the second is granted a slot after it was told to wait, and before it
// watches.
func testShared(t *testing.T, s store) { shared(t, s.open(t), func() {}) }

func shared(t *testing.T, b queue.Backend, watched func()) {
	one := newQueues(t, queue.Config{Backend: b})
	slot := acquire(t, one, t.Name())
	last := join(t, one, t.Name(), queue.Priority(-1)) // has the first one watch all the time
	two := newQueues(t, queue.Config{Backend: newLate(b, func() {
		watched()
		if err := slot.Release(testContext(t)); err != nil {
			t.Error(err)
		}
	})})
	release(t, claim(t, join(t, two, t.Name())))
	release(t, claim(t, last))
}

// TestMiniredisShared has leases so long that no renewal tells of the slot.
func TestMiniredisShared(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	channel := "genesis:queue:{" + t.Name() + "}:news"
	shared(t, leased(t, server.Addr(), 10*patience), func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for ctx := testContext(t); server.PubSubNumSub(channel)[channel] == 0; {
			select {
			case <-tick.C:
			case <-ctx.Done():
				t.Error("the first one does not watch")
				return
			}
		}
	})
}

// TestLimitLasts has queues in which nobody is any more: the limit given last holds for those who come then.
func TestLimitLasts(t *testing.T) {
	t.Parallel()
	q := newQueues(t, queue.Config{})
	for i := range 100 { // in most of them nobody is left when the next one comes
		name := strconv.Itoa(i)
		release(t, acquire(t, q, name, queue.Limit(2)))
		first := acquire(t, q, name)
		second, err := q.Acquire(testContext(t), name, queue.Timeout(5*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		release(t, first)
		release(t, second)
	}
}
