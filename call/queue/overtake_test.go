package queue_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/call/queue"
)

// delayed is a Backend of which something is known before an answer of its own.
type delayed struct {
	queue.Backend
	watched chan struct{} // closed when somebody watches
	before  chan func()   // what happens before the next answer about callers of priority 0
}

func (b delayed) Watch(name string, changed func([]string)) (stop func()) {
	defer close(b.watched)
	return b.Backend.Watch(name, changed)
}

func (b delayed) Exchange(ctx context.Context, name string, limit int, ops []queue.Op) (queue.View, error) {
	view, err := b.Backend.Exchange(ctx, name, limit, ops)
	if !slices.ContainsFunc(ops, func(op queue.Op) bool { return op.Priority == 0 }) {
		return view, err
	}
	select {
	case fn := <-b.before:
		fn()
	default:
	}
	return view, err
}

// TestGrantOvertakesTheAnswer has the slot be granted while the answer "you wait" is under way, which takes so long that
// places would not be asked for again for seconds.
func TestGrantOvertakesTheAnswer(t *testing.T) {
	t.Parallel()
	memory := queue.NewMemory()
	slow := delayed{memory, make(chan struct{}), make(chan func(), 1)}
	one, two := newQueues(t, queue.Config{Backend: memory}), newQueues(t, queue.Config{Backend: slow})
	slot := acquire(t, one, t.Name())
	last := join(t, two, t.Name(), queue.Priority(-1)) // has the second one watch
	<-slow.watched
	awaitPlace(t, last, 1)
	slow.before <- func() {
		<-time.After(500 * time.Millisecond)
		if err := slot.Release(testContext(t)); err != nil {
			t.Error(err)
		}
	}
	next, err := two.Acquire(testContext(t), t.Name(), queue.Timeout(4*time.Second)) // places are asked for again after 5
	if err != nil {
		t.Fatal(err)
	}
	release(t, next)
	release(t, claim(t, last))
}
