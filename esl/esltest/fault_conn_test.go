package esltest

import (
	"io"
	"net"
	"testing"
	"time"
)

// TestHealWhileMerging writes after a fault is healed that held something back: it must not be overtaken.
func TestHealWhileMerging(t *testing.T) {
	near, far := net.Pipe()
	c := &faultConn{Conn: near, made: time.Now(), over: make(chan struct{})}
	c.add(Fault{Kind: FaultMerge, For: time.Hour})
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
	far.SetDeadline(time.Now().Add(10 * time.Second))
	if got, err := io.ReadAll(far); string(got) != "one two three" || err != nil {
		t.Errorf("read %q, %v", got, err)
	}
	if err := <-written; err != nil {
		t.Error(err)
	}
}
