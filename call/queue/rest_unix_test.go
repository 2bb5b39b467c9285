//go:build unix

package queue_test

import (
	"errors"
	"syscall"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/genesis-esl/genesis/call/queue"
)

// TestRestsBetweenRenewals has an error that lasts end one caller's wait while another holds a slot: nothing is due then
// until the slot is renewed, and no processor is kept busy meanwhile.
func TestRestsBetweenRenewals(t *testing.T) {
	server := miniredis.RunT(t)
	q := newQueues(t, queue.Config{Backend: leased(t, server.Addr(), patience)})
	slot := acquire(t, q, t.Name())
	server.RequireAuth("secret")
	if _, err := q.Acquire(testContext(t), t.Name()); err == nil || errors.Is(err, queue.ErrUnavailable) {
		t.Fatalf("without a password: %v", err)
	}
	const span = 500 * time.Millisecond
	before := processorTime(t)
	<-time.After(span)
	if busy := processorTime(t) - before; busy > span/2 {
		t.Errorf("busy for %v of %v", busy, span)
	}
	server.RequireAuth("")
	release(t, slot)
}

// processorTime is how much of the processors this process has had.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
