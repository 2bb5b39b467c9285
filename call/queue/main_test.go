package queue_test

import (
	"context"
	"flag"
	"log/slog"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/genesis-esl/genesis/call/queue"
)

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		os.Exit(playRole(role))
	}
	// The tests wait for leases to end rather than work; a -parallel on the command line wins.
	if err := flag.Set("test.parallel", "12"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// patience is how long a test waits for what must happen.
const patience = time.Minute

// testLease is short, for tests wait for its end, and yet long enough for a machine with too much to do.
const testLease = 6 * time.Second

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func newQueues(t *testing.T, cfg queue.Config) *queue.Queues {
	t.Helper()
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	q, err := queue.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := q.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return q
}

func join(t *testing.T, q *queue.Queues, name string, opts ...queue.Option) *queue.Ticket {
	t.Helper()
	ticket, err := q.Join(testContext(t), name, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return ticket
}

func acquire(t *testing.T, q *queue.Queues, name string, opts ...queue.Option) *queue.Slot {
	t.Helper()
	slot, err := q.Acquire(testContext(t), name, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return slot
}

func claim(t *testing.T, ticket *queue.Ticket) *queue.Slot {
	t.Helper()
	slot, err := ticket.Wait(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	return slot
}

func release(t *testing.T, slot *queue.Slot) {
	t.Helper()
	if err := slot.Release(testContext(t)); err != nil {
		t.Fatal(err)
	}
}

// awaitPlace waits until the ticket has the place.
func awaitPlace(t *testing.T, ticket *queue.Ticket, place int) queue.Position {
	t.Helper()
	last := queue.Position{}
	for pos := range ticket.Positions(testContext(t)) {
		if last = pos; pos.Place == place {
			return pos
		}
	}
	t.Fatalf("waited for place %d, the last one was %+v", place, last)
	return last
}

// expired is a context that has ended.
func expired(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(testContext(t))
	cancel()
	return ctx
}
