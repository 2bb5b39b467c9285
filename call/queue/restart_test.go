package queue_test

import (
	"errors"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/call/queue"
	"github.com/genesis-esl/genesis/internal/testbed"
)

func TestRedisRestart(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"WithItsData":    {"--appendonly", "yes", "--appendfsync", "always"},
		"WithOldData":    {"--save", "3600 1"}, // a snapshot is written below, before most of it happens
		"WithoutItsData": nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testRestart(t, testbed.StartRedis(t, args...), name == "WithOldData")
		})
	}
}

// testRestart crashes the server under one holder and five waiters of two processes. Another comes as soon as it is
// back: nobody is lost, nobody overtakes, the holder goes on holding.
func testRestart(t *testing.T, server *testbed.Redis, snapshot bool) {
	one := newQueues(t, queue.Config{Backend: openRedis(t, server.Addr), Patience: patience})
	two := newQueues(t, queue.Config{Backend: openRedis(t, server.Addr), Patience: patience})
	old, leaving := acquire(t, one, t.Name()), join(t, two, t.Name())
	tickets := []*queue.Ticket{join(t, one, t.Name())}
	if snapshot {
		save(t, server)
	}
	if err := leaving.Leave(testContext(t)); err != nil {
		t.Fatal(err)
	}
	release(t, old)
	slot := claim(t, tickets[0]) // the snapshot says that it waits
	tickets = tickets[:0]
	for i := range 5 {
		tickets = append(tickets, join(t, []*queue.Queues{one, two}[i%2], t.Name()))
	}
	server.Kill()
	server.Start(t)
	late := newQueues(t, queue.Config{Backend: openRedis(t, server.Addr), Patience: patience})
	tickets = append(tickets, join(t, late, t.Name()))
	fence := slot.Fence()
	for i, ticket := range tickets {
		if slot.Err() != nil {
			t.Fatalf("slot %d was lost: %v", i, slot.Err())
		}
		for _, later := range tickets[i:] {
			select {
			case <-later.Done():
				t.Fatalf("served before slot %d was released", i)
			default:
			}
		}
		release(t, slot)
		slot = claim(t, ticket)
		if slot.Fence() <= fence {
			t.Errorf("fence %d after %d", slot.Fence(), fence)
		}
		fence = slot.Fence()
	}
	release(t, slot)
}

// TestRedisAwayLongerThanTheLease loses the slot, says so, and keeps the callers in their order.
func TestRedisAwayLongerThanTheLease(t *testing.T) {
	t.Parallel()
	server := testbed.StartRedis(t)
	q := newQueues(t, queue.Config{Backend: openRedis(t, server.Addr), Patience: patience})
	hasty := newQueues(t, queue.Config{Backend: openRedis(t, server.Addr), Patience: 100 * time.Millisecond})
	slot := acquire(t, newQueues(t, queue.Config{Backend: openRedis(t, server.Addr)}), t.Name())
	tickets := []*queue.Ticket{join(t, q, t.Name()), join(t, q, t.Name()), join(t, q, t.Name())}
	server.Kill()
	<-slot.Done()
	if !errors.Is(slot.Err(), queue.ErrLost) {
		t.Errorf("the slot says %v", slot.Err())
	}
	if _, err := hasty.Join(testContext(t), t.Name()); !errors.Is(err, queue.ErrUnavailable) {
		t.Errorf("a new caller got %v", err)
	}
	_, err := tickets[1].Wait(expired(t))
	if !errors.Is(err, queue.ErrUnavailable) {
		t.Errorf("who gives up meanwhile is not told why: %v", err)
	}
	server.Start(t)
	for _, ticket := range []*queue.Ticket{tickets[0], tickets[2]} {
		release(t, claim(t, ticket))
	}
}
