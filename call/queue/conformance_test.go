package queue_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/call/queue"
)

// store is one place to keep queues in; open gives another process's view of it.
type store struct {
	open func(t *testing.T) queue.Backend
}

// always is a store that all tests share.
func always(open func(t *testing.T) queue.Backend) func(t *testing.T) store {
	return func(*testing.T) store { return store{open} }
}

// conformance is what every backend must pass. A subtest's queue is called as the subtest.
var conformance = map[string]func(t *testing.T, s store){
	"FirstComeFirstServed":  testOrder,
	"NeverBeyondTheLimit":   testLimit,
	"Priority":              testPriority,
	"Timeout":               testTimeout,
	"AbandonTellsTheCause":  testAbandon,
	"AbandonAfterTheGrant":  testAbandonGranted,
	"LeaveMovesTheOthersUp": testLeave,
	"PositionAndEstimate":   testPositions,
	"ReleaseOnce":           testRelease,
	"Semaphore":             testSemaphore,
	"QueuesAreApart":        testApart,
	"Close":                 testClose,
	"CloseTakesSlotsAway":   testCloseForced,
	"Exchange":              testExchange,
	"ManyAtOnce":            testMany,
	"SharedByTwoQueues":     testShared,
}

func runConformance(t *testing.T, open func(t *testing.T) store) {
	for name, test := range conformance {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

func testOrder(t *testing.T, s store) {
	one, two := newQueues(t, queue.Config{Backend: s.open(t)}), newQueues(t, queue.Config{Backend: s.open(t)})
	slot := acquire(t, one, t.Name())
	var tickets []*queue.Ticket
	for i := range 6 {
		q := one
		if i%2 == 1 {
			q = two
		}
		tickets = append(tickets, join(t, q, t.Name()))
	}
	fence := slot.Fence()
	for i, ticket := range tickets {
		for _, later := range tickets[i+1:] {
			select {
			case <-later.Done():
				t.Fatal("a later caller was served first")
			default:
			}
		}
		release(t, slot)
		if slot = claim(t, ticket); slot.Fence() <= fence {
			t.Fatalf("fence %d after %d", slot.Fence(), fence)
		}
		fence = slot.Fence()
	}
	release(t, slot)
}

func testLimit(t *testing.T, s store) {
	const limit, callers, rounds = 3, 8, 4
	processes := []*queue.Queues{
		newQueues(t, queue.Config{Backend: s.open(t), Limit: limit}),
		newQueues(t, queue.Config{Backend: s.open(t), Limit: limit}),
	}
	var held, most, served atomic.Int32
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			for range rounds {
				slot, err := processes[i%2].Acquire(testContext(t), t.Name())
				if err != nil {
					t.Error(err)
					return
				}
				now := held.Add(1)
				for m := most.Load(); now > m && !most.CompareAndSwap(m, now); m = most.Load() {
				}
				served.Add(1)
				held.Add(-1)
				if err := slot.Release(testContext(t)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if most.Load() > limit || served.Load() != callers*rounds {
		t.Errorf("%d held at once of %d, %d served", most.Load(), limit, served.Load())
	}
}

func testPriority(t *testing.T, s store) {
	q := newQueues(t, queue.Config{Backend: s.open(t)})
	slot := acquire(t, q, t.Name())
	var tickets []*queue.Ticket
	for _, p := range []int{0, -3, 5, 0, 9, 5} {
		tickets = append(tickets, join(t, q, t.Name(), queue.Priority(p)))
	}
	for _, i := range []int{4, 2, 5, 0, 3, 1} {
		release(t, slot)
		slot = claim(t, tickets[i])
	}
	release(t, slot)
	if _, err := q.Join(testContext(t), t.Name(), queue.Priority(queue.MaxPriority+1)); err == nil {
		t.Error("a priority beyond the largest was accepted")
	}
}

func testTimeout(t *testing.T, s store) {
	q := newQueues(t, queue.Config{Backend: s.open(t)})
	slot := acquire(t, q, t.Name())
	_, err := q.Acquire(testContext(t), t.Name(), queue.Timeout(50*time.Millisecond))
	var wait *queue.WaitError
	if !errors.Is(err, queue.ErrTimeout) || !errors.As(err, &wait) || wait.Queue != t.Name() || wait.Waited <= 0 {
		t.Errorf("got %v", err)
	}
	release(t, slot)
	release(t, acquire(t, q, t.Name(), queue.Timeout(patience)))
}

func testAbandon(t *testing.T, s store) {
	q := newQueues(t, queue.Config{Backend: s.open(t)})
	slot := acquire(t, q, t.Name())
	hungUp := errors.New("the caller hung up")
	ctx, hangUp := context.WithCancelCause(testContext(t))
	ticket, err := q.Join(ctx, t.Name())
	if err != nil {
		t.Fatal(err)
	}
	next := join(t, q, t.Name())
	awaitPlace(t, next, 2)
	hangUp(hungUp)
	if _, err := ticket.Wait(testContext(t)); !errors.Is(err, hungUp) {
		t.Errorf("got %v", err)
	}
	awaitPlace(t, next, 1)
	if pos := ticket.Position(); pos.Place != 0 {
		t.Errorf("abandoned at %+v", pos)
	}
	release(t, slot)
	release(t, claim(t, next))
}

func testAbandonGranted(t *testing.T, s store) {
	q := newQueues(t, queue.Config{Backend: s.open(t)})
	ctx, hangUp := context.WithCancel(testContext(t))
	ticket, err := q.Join(ctx, t.Name())
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-ticket.Done():
	case <-testContext(t).Done():
		t.Fatal("no grant")
	}
	hangUp()
	release(t, acquire(t, q, t.Name()))
	if _, err := ticket.Wait(testContext(t)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func testLeave(t *testing.T, s store) {
	q := newQueues(t, queue.Config{Backend: s.open(t)})
	slot := acquire(t, q, t.Name())
	first, second := join(t, q, t.Name()), join(t, q, t.Name())
	if err := first.Leave(testContext(t)); err != nil {
		t.Fatal(err)
	}
	awaitPlace(t, second, 1)
	if _, err := first.Wait(testContext(t)); !errors.Is(err, queue.ErrLeft) {
		t.Errorf("got %v", err)
	}
	release(t, slot)
	slot = claim(t, second)
	if err := second.Leave(testContext(t)); err != nil || slot.Err() != nil {
		t.Errorf("leaving after the claim: %v, slot %v", err, slot.Err())
	}
	release(t, slot)
}

func testPositions(t *testing.T, s store) {
	one, two := newQueues(t, queue.Config{Backend: s.open(t)}), newQueues(t, queue.Config{Backend: s.open(t)})
	slot := acquire(t, one, t.Name())
	first, second := join(t, one, t.Name()), join(t, two, t.Name())
	third := join(t, two, t.Name())
	if pos := awaitPlace(t, third, 3); pos.Of != 3 || pos.Wait != 0 {
		t.Errorf("third is at %+v", pos)
	}
	release(t, slot)
	if pos := awaitPlace(t, third, 2); pos.Of != 2 || pos.Wait <= 0 {
		t.Errorf("then at %+v", pos)
	}
	vip := join(t, one, t.Name(), queue.Priority(1))
	awaitPlace(t, third, 3)
	for _, ticket := range []*queue.Ticket{first, vip, second, third} {
		waiting, stop := ticket.Context(testContext(t))
		slot := claim(t, ticket)
		if <-waiting.Done(); !errors.Is(context.Cause(waiting), queue.ErrTurn) {
			t.Errorf("the wait ended with %v", context.Cause(waiting))
		}
		stop()
		held, stop := slot.Context(testContext(t))
		release(t, slot)
		if <-held.Done(); !errors.Is(context.Cause(held), queue.ErrReleased) {
			t.Errorf("the slot ended with %v", context.Cause(held))
		}
		stop()
		for pos := range ticket.Positions(testContext(t)) {
			t.Errorf("a served caller is at %+v", pos)
		}
	}
}

func testRelease(t *testing.T, s store) {
	q := newQueues(t, queue.Config{Backend: s.open(t)})
	slot := acquire(t, q, t.Name())
	if slot.Err() != nil || slot.Queue() != t.Name() || slot.ID() == "" || slot.Waited() <= 0 {
		t.Errorf("slot %q of %q: %v, waited %s", slot.ID(), slot.Queue(), slot.Err(), slot.Waited())
	}
	for range 3 {
		release(t, slot)
	}
	<-slot.Done()
	if !errors.Is(slot.Err(), queue.ErrReleased) {
		t.Errorf("got %v", slot.Err())
	}
	other := acquire(t, q, t.Name())
	release(t, slot)
	if other.Err() != nil {
		t.Error("a second release took another's slot away")
	}
	_ = other.Release(expired(t)) // not told in time that it arrived, but it must
	release(t, acquire(t, q, t.Name()))
}

func testSemaphore(t *testing.T, s store) {
	q := newQueues(t, queue.Config{Backend: s.open(t)})
	release(t, acquire(t, q, t.Name()))
	turn := q.Semaphore(t.Name(), queue.Limit(1), queue.Timeout(patience))
	short := q.Semaphore(t.Name(), queue.Limit(1), queue.Timeout(50*time.Millisecond))
	failure := errors.New("failed while holding it")
	if err := turn.Do(testContext(t), func(context.Context) error { return failure }); !errors.Is(err, failure) {
		t.Errorf("got %v", err)
	}
	func() {
		defer func() { _ = recover() }()
		_ = turn.Do(testContext(t), func(context.Context) error { panic("while holding it") })
	}()
	err := turn.Do(testContext(t), func(ctx context.Context) error {
		err := short.Do(ctx, func(context.Context) error { return failure })
		if !errors.Is(err, queue.ErrTimeout) {
			t.Errorf("two at once: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func testApart(t *testing.T, s store) {
	q := newQueues(t, queue.Config{Backend: s.open(t)})
	var slots []*queue.Slot
	for _, name := range []string{"a", "b", "a}b", "{a", "}", " ", "ü", "a:b", "a%7D"} {
		slots = append(slots, acquire(t, q, t.Name()+name))
	}
	for _, slot := range slots {
		release(t, slot)
	}
	if _, err := q.Acquire(testContext(t), ""); err == nil {
		t.Error("a queue without a name")
	}
}

func testClose(t *testing.T, s store) {
	q, other := newQueues(t, queue.Config{Backend: s.open(t)}), newQueues(t, queue.Config{Backend: s.open(t)})
	slot := acquire(t, q, t.Name())
	ticket := join(t, q, t.Name())
	closed := make(chan error)
	go func() { closed <- q.Close(testContext(t)) }()
	if _, err := ticket.Wait(testContext(t)); !errors.Is(err, queue.ErrClosed) {
		t.Errorf("a waiting caller got %v", err)
	}
	if _, err := q.Join(testContext(t), t.Name()); !errors.Is(err, queue.ErrClosed) {
		t.Errorf("a new caller got %v", err)
	}
	if slot.Err() != nil {
		t.Errorf("a slot was taken away: %v", slot.Err())
	}
	release(t, slot)
	if err := <-closed; err != nil {
		t.Error(err)
	}
	release(t, acquire(t, other, t.Name()))
}

func testCloseForced(t *testing.T, s store) {
	q, err := queue.New(queue.Config{Backend: s.open(t)})
	if err != nil {
		t.Fatal(err)
	}
	other := newQueues(t, queue.Config{Backend: s.open(t)})
	slot := acquire(t, q, t.Name())
	if err := q.Close(expired(t)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if <-slot.Done(); !errors.Is(slot.Err(), queue.ErrClosed) {
		t.Errorf("the slot says %v", slot.Err())
	}
	release(t, acquire(t, other, t.Name()))
}
