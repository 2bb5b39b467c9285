package queue_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/genesis-esl/genesis/call/queue"
	"github.com/genesis-esl/genesis/internal/testbed"
)

// leases is what every backend with leases must pass besides the conformance suite.
var leases = map[string]func(t *testing.T, addr string){
	"CrashedOwnersFreeTheirPlaces": testCrash,
	"CutOffOwnerKnowsFirst":        testCutOffHolder,
	"CutOffWaiterKeepsItsPlace":    testCutOffWaiter,
	"UnreachableIsSaidInTime":      testUnreachable,
	"LeaseLongerThanTheHold":       testRenewal,
}

func runLeases(t *testing.T, addr string) {
	for name, test := range leases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, addr)
		})
	}
}

func TestMiniredisLeases(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	t.Run("", func(t *testing.T) { runLeases(t, server.Addr()) })
}

func TestRedisServerLeases(t *testing.T) {
	t.Parallel()
	server := testbed.StartRedis(t)
	t.Run("", func(t *testing.T) { runLeases(t, server.Addr) })
}

// testCrash leaves a holder and a waiter behind that nobody renews.
func testCrash(t *testing.T, addr string) {
	b := openRedis(t, addr)
	warm(t, b)
	view := exchange(t, b, 1, queue.Op{Kind: queue.Enter, ID: "dead-holder"}, queue.Op{Kind: queue.Enter, ID: "dead-waiter"})
	if view.States[0].Phase != queue.Holding || view.States[1].Phase != queue.Waiting {
		t.Fatalf("%+v", view)
	}
	start := time.Now()
	ticket := join(t, newQueues(t, queue.Config{Backend: b}), t.Name())
	if pos := ticket.Position(); pos.Place != 2 {
		t.Errorf("behind a waiter at %+v", pos)
	}
	release(t, claim(t, ticket))
	if took := time.Since(start); took < testLease-time.Second || took > 3*testLease {
		t.Errorf("the place of the crashed owner was free after %s", took)
	}
}

// testCutOffHolder has an owner that cannot renew: it must know that its slot is lost before somebody has it.
func testCutOffHolder(t *testing.T, addr string) {
	line := newCable(t, addr)
	owner := newQueues(t, queue.Config{Backend: openRedis(t, line.addr()), Patience: time.Second})
	slot := acquire(t, owner, t.Name())
	next := join(t, newQueues(t, queue.Config{Backend: openRedis(t, addr)}), t.Name())
	line.stall()
	other := claim(t, next)
	select {
	case <-slot.Done():
	default:
		t.Error("two hold the slot, as far as they know")
	}
	if !errors.Is(slot.Err(), queue.ErrLost) {
		t.Errorf("the slot says %v", slot.Err())
	}
	if err := slot.Release(testContext(t)); !errors.Is(err, queue.ErrLost) {
		t.Errorf("release of a lost slot: %v", err)
	}
	line.mend()
	for err := errors.New("not tried"); err != nil; {
		var back *queue.Ticket
		if back, err = owner.Join(testContext(t), t.Name()); err == nil {
			release(t, other)
			release(t, claim(t, back))
		}
		if err != nil && !errors.Is(err, queue.ErrUnavailable) {
			t.Fatal(err)
		}
	}
}

// testCutOffWaiter has one that cannot renew its place for longer than a lease and comes back.
func testCutOffWaiter(t *testing.T, addr string) {
	line := newCable(t, addr)
	far := newQueues(t, queue.Config{Backend: openRedis(t, line.addr())})
	near := newQueues(t, queue.Config{Backend: openRedis(t, addr)})
	slot := acquire(t, near, t.Name())
	first, second := join(t, far, t.Name()), join(t, near, t.Name())
	awaitPlace(t, second, 2)
	line.stall()
	awaitPlace(t, second, 1)
	line.mend()
	awaitPlace(t, second, 2)
	release(t, slot)
	slot = claim(t, first)
	select {
	case <-second.Done():
		t.Error("both were served")
	default:
	}
	release(t, slot)
	release(t, claim(t, second))
}

// testUnreachable asks a server that refuses and one that does not answer.
func testUnreachable(t *testing.T, addr string) {
	stalled := newCable(t, addr)
	stalled.stall()
	refusing := newCable(t, "127.0.0.1:1")
	for name, line := range map[string]*cable{"stalled": stalled, "refusing": refusing} {
		q := newQueues(t, queue.Config{Backend: openRedis(t, line.addr()), Patience: 500 * time.Millisecond})
		ctx, cancel := context.WithTimeout(testContext(t), 100*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, err := q.Acquire(ctx, t.Name())
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: the caller's deadline: %v", name, err)
		}
		_, err = q.Acquire(testContext(t), t.Name(), queue.Timeout(100*time.Millisecond))
		if !errors.Is(err, queue.ErrTimeout) {
			t.Errorf("%s: the time-out: %v", name, err)
		}
		_, err = q.Acquire(testContext(t), t.Name())
		if !errors.Is(err, queue.ErrUnavailable) {
			t.Errorf("%s: patience: %v", name, err)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s: took %s", name, took)
		}
		if line == stalled {
			line.mend()
			q = newQueues(t, queue.Config{Backend: openRedis(t, line.addr())})
			release(t, acquire(t, q, t.Name()))
		}
	}
}

// testRenewal holds a slot and a place for longer than a lease.
func testRenewal(t *testing.T, addr string) {
	q := newQueues(t, queue.Config{Backend: openRedis(t, addr)})
	slot := acquire(t, q, t.Name())
	ticket := join(t, q, t.Name())
	select {
	case <-ticket.Done():
		t.Error("the slot of a living owner was given away")
	case <-slot.Done():
		t.Errorf("the slot was lost: %v", slot.Err())
	case <-time.After(testLease * 3 / 2):
	}
	release(t, slot)
	release(t, claim(t, ticket))
}
