package esltest

import (
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestHealWhileMerging writes after a fault is healed that held something back: it must not be overtaken.
func TestHealWhileMerging(t *testing.T) {
	c, far := faulty(t, 0, Fault{Kind: FaultMerge, For: time.Hour})
	for _, b := range []string{"one ", "two "} {
		if n, err := c.Write([]byte(b)); n != len(b) || err != nil {
			t.Fatal(n, err)
		}
	}
	c.heal()
	written := make(chan error, 1)
	go func() {
		_, err := c.Write([]byte("three"))
		c.Close()
		written <- err
	}()
	if got, err := io.ReadAll(far); string(got) != "one two three" || err != nil {
		t.Errorf("read %q, %v", got, err)
	}
	if err := <-written; err != nil {
		t.Error(err)
	}
}

// faulty is a connection on which faults strike, and the other end of it.
func faulty(t *testing.T, age time.Duration, faults ...Fault) (c *faultConn, far net.Conn) {
	near, far := net.Pipe()
	c = &faultConn{Conn: near, made: time.Now().Add(-age), over: make(chan struct{})}
	for _, f := range faults {
		c.add(f)
	}
	far.SetDeadline(time.Now().Add(10 * time.Second))
	t.Cleanup(func() { c.Close(); far.Close() })
	return c, far
}

// TestMergeBeforeACut holds bytes back that count for the cut.
func TestMergeBeforeACut(t *testing.T) {
	c, far := faulty(t, 0, Fault{Kind: FaultMerge, For: time.Hour}, Fault{Kind: FaultCut, Bytes: 100})
	go func() {
		for range 3 {
			c.Write([]byte(strings.Repeat("x", 80)))
		}
	}()
	if got, _ := io.ReadAll(far); len(got) != 100 {
		t.Errorf("%d bytes before the cut, want 100", len(got))
	}
}

// TestGarbageOnce is due by the clock and at a write at the same time.
func TestGarbageOnce(t *testing.T) {
	c, far := faulty(t, time.Hour, Fault{Kind: FaultGarbage, After: time.Minute})
	go func() {
		for range 10 {
			c.Write([]byte("x"))
		}
		c.Close()
	}()
	if got, _ := io.ReadAll(far); strings.Count(string(got), "not the protocol") > 1 {
		t.Errorf("garbage came twice: %q", got)
	}
}

// TestHealedBeforeItStrikes heals a fault that waits for its time.
func TestHealedBeforeItStrikes(t *testing.T) {
	c, far := faulty(t, 0, Fault{Kind: FaultCut, After: 20 * time.Millisecond})
	c.heal()
	far.SetDeadline(time.Now().Add(100 * time.Millisecond))
	if _, err := far.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

// TestFaultAfterEvents counts events of before it was injected too, and heeds the time.
func TestFaultAfterEvents(t *testing.T) {
	for _, tt := range []struct {
		fault Fault
		cut   bool
	}{
		{Fault{Kind: FaultCut, Events: 3}, true},
		{Fault{Kind: FaultCut, Events: 3, After: time.Second}, true},
		{Fault{Kind: FaultCut, Events: 3, After: 2 * time.Hour}, false},
		{Fault{Kind: FaultCut, Events: 30}, false},
	} {
		c, _ := faulty(t, time.Hour)
		for range 10 {
			c.eventSent()
		}
		c.add(tt.fault)
		if c.eventSent() {
			c.eventsReached()
		}
		select {
		case <-c.over:
			if !tt.cut {
				t.Errorf("%v: cut", tt.fault)
			}
		default:
			if tt.cut {
				t.Errorf("%v: not cut", tt.fault)
			}
		}
	}
}

// TestHealedWhileItHolds heals faults that keep something from being sent for ever, or for long.
func TestHealedWhileItHolds(t *testing.T) {
	for _, f := range []Fault{
		{Kind: FaultStall}, {Kind: FaultStall, For: time.Hour}, {Kind: FaultStall, Events: 1},
		{Kind: FaultDelay, For: time.Hour}, {Kind: FaultSplit, For: time.Hour},
	} {
		c, far := faulty(t, 0, f)
		written := make(chan struct{})
		go func() {
			if c.eventSent() {
				c.eventsReached()
			}
			c.Write([]byte("late"))
			c.Close()
			close(written)
		}()
		for waits := false; !waits; runtime.Gosched() {
			c.mu.Lock()
			waits = c.healed != nil
			c.mu.Unlock()
		}
		c.heal()
		if got, err := io.ReadAll(far); string(got) != "late" || err != nil {
			t.Errorf("%v: read %q, %v", f, got, err)
		}
		c.Close()
		<-written
	}
}
