package queue_test

import (
	"errors"
	"runtime"
	"runtime/metrics"
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
	before := processorTime()
	<-time.After(span)
	if busy := processorTime() - before; busy > span/2 {
		t.Errorf("busy for %v of %v", busy, span)
	}
	server.RequireAuth("")
	release(t, slot)
}

// processorTime is how long this process has been busy with Go code.
func processorTime() time.Duration {
	runtime.GC() // which brings the metric up to date
	sample := []metrics.Sample{{Name: "/cpu/classes/user:cpu-seconds"}}
	metrics.Read(sample)
	return time.Duration(sample[0].Value.Float64() * float64(time.Second))
}
