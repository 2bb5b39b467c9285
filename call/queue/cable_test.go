package queue_test

import (
	"net"
	"sync"
	"testing"
)

// cable is a TCP connection to a server that a test can stall, as a network partition does: nothing arrives, nothing
// is refused, and what was sent arrives once it is whole again.
type cable struct {
	listener net.Listener
	target   string
	flows    sync.WaitGroup

	mu    sync.Mutex
	whole chan struct{} // closed while it is
	conns map[net.Conn]struct{}
	ended chan struct{}
}

func newCable(t *testing.T, target string) *cable {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cable{
		listener: l, target: target, whole: make(chan struct{}),
		conns: make(map[net.Conn]struct{}), ended: make(chan struct{}),
	}
	close(c.whole)
	c.flows.Go(c.accept)
	t.Cleanup(c.end)
	return c
}

func (c *cable) addr() string { return c.listener.Addr().String() }

func (c *cable) accept() {
	for {
		near, err := c.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", c.target)
		if err != nil {
			_ = near.Close()
			continue
		}
		c.mu.Lock()
		c.conns[near], c.conns[far] = struct{}{}, struct{}{}
		c.mu.Unlock()
		c.flows.Go(func() { c.carry(near, far) })
		c.flows.Go(func() { c.carry(far, near) })
	}
}

// carry copies one direction, as long as the cable is whole.
func (c *cable) carry(from, to net.Conn) {
	defer from.Close()
	defer to.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		c.mu.Lock()
		whole := c.whole
		c.mu.Unlock()
		select {
		case <-whole:
		case <-c.ended:
			return
		}
		if err != nil {
			return
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

// stall lets nothing through any more.
func (c *cable) stall() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.whole = make(chan struct{})
}

// mend lets everything through again.
func (c *cable) mend() {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.whole)
}

func (c *cable) end() {
	_ = c.listener.Close()
	close(c.ended)
	c.mu.Lock()
	for conn := range c.conns {
		_ = conn.Close()
	}
	c.mu.Unlock()
	c.flows.Wait()
}
