package faultproxy

import (
	"net"
	"sync"
	"time"
)

// link is one connection through the proxy.
type link struct {
	proxy  *Proxy
	client *net.TCPConn
	budget int
	holds  bool // made while Hold was in force
	holdAt int  // bytes that the victim may still have before it is held
	waits  bool // held just now; the proxy's lock guards it
	clock  clock

	mu     sync.Mutex
	server *net.TCPConn // nil until dialled
	once   sync.Once
	gone   chan struct{}
}

func (l *link) cut(end End) {
	l.once.Do(func() {
		close(l.gone)
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, nc := range []*net.TCPConn{l.client, l.server} {
			switch {
			case nc == nil:
			case end == RST:
				reset(nc)
			default:
				nc.Close()
			}
		}
	})
}

// victim is the end that faults are for; nil until it is connected.
func (l *link) victim() *net.TCPConn {
	if !l.proxy.reversed {
		return l.client
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.server
}

// hold keeps the connection until Release. It reports false once it is gone.
func (l *link) hold() bool {
	l.proxy.mu.Lock()
	held := l.proxy.held
	l.holds, l.waits = false, held != nil
	l.proxy.mu.Unlock()
	if held == nil {
		return true
	}
	defer func() {
		l.proxy.mu.Lock()
		l.waits = false
		l.proxy.mu.Unlock()
	}()
	select {
	case <-held:
		return true
	case <-l.gone:
		return false
	}
}

// wait holds a piece of the stream back while the proxy is frozen. It reports false
// once the connection is gone.
func (l *link) wait() bool {
	for {
		l.proxy.mu.Lock()
		frozen := l.proxy.frozen
		l.proxy.mu.Unlock()
		if frozen == nil {
			return true
		}
		select {
		case <-frozen:
		case <-l.gone:
			return false
		}
	}
}

func (l *link) run() {
	defer func() {
		l.cut(FIN)
		l.proxy.mu.Lock()
		delete(l.proxy.links, l)
		l.proxy.mu.Unlock()
	}()
	if !l.wait() || l.holds && l.holdAt == 0 && !l.hold() {
		return
	}
	server, err := l.dial()
	if err != nil {
		return
	}
	shaped := func(b []byte) bool { return l.deliver(l.victim(), b) }
	toServer, toClient := plain(server), shaped
	if l.proxy.reversed {
		toServer, toClient = shaped, plain(l.client)
	}
	var up sync.WaitGroup
	up.Go(func() {
		defer l.cut(FIN)
		l.pass(l.client, toServer)
	})
	l.pass(server, toClient)
	l.cut(FIN)
	up.Wait()
}

func (l *link) dial() (*net.TCPConn, error) {
	nc, err := net.DialTimeout("tcp", l.proxy.target, 10*time.Second)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.gone:
		nc.Close()
		return nil, net.ErrClosed
	default:
	}
	l.server = nc.(*net.TCPConn)
	return l.server, nil
}

// plain delivers as it comes.
func plain(to *net.TCPConn) func([]byte) bool {
	return func(b []byte) bool { _, err := to.Write(b); return err == nil }
}

// pass carries one direction.
func (l *link) pass(from *net.TCPConn, deliver func([]byte) bool) {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 && (!l.wait() || !deliver(buf[:n])) {
			return
		}
		if err != nil {
			return
		}
	}
}

// deliver writes to the victim in the form that is asked for, up to the budget.
func (l *link) deliver(to *net.TCPConn, b []byte) bool {
	l.proxy.mu.Lock()
	chunk, merge, jumps := l.proxy.chunk, l.proxy.merge, l.proxy.jumps
	l.proxy.mu.Unlock()
	if merge > 0 && !l.gather(merge) {
		return false
	}
	if jumps {
		l.clock.disturb(b)
	}
	over := false
	if l.budget > 0 {
		if len(b) >= l.budget {
			b, over = b[:l.budget], true
		}
		l.budget -= len(b)
	}
	if l.holds {
		first := b[:min(l.holdAt, len(b))]
		if l.holdAt -= len(first); l.holdAt == 0 {
			if !write(to, first, chunk) || !l.hold() {
				return false
			}
			b = b[len(first):]
		}
	}
	return write(to, b, chunk) && !over
}

// gather lets bytes come for a while, so that they are read in one piece.
func (l *link) gather(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-l.gone:
		return false
	}
}

func write(to *net.TCPConn, b []byte, chunk int) bool {
	if chunk <= 0 {
		chunk = len(b)
	}
	for len(b) > 0 {
		n, err := to.Write(b[:min(chunk, len(b))])
		if err != nil {
			return false
		}
		b = b[n:]
	}
	return true
}

// clock finds the times of events in a stream and changes them in place, so that no
// length changes.
type clock struct {
	matched int // bytes of stamp seen last, then digits behind it
	turn    int
}

const (
	stamp = "Event-Date-Timestamp: "
	// Of the 16 digits in microseconds, one is worth 28 hours, the next 2.8.
	days, hours = 4, 5
)

func (c *clock) disturb(b []byte) {
	for i, char := range b {
		switch digit := c.matched - len(stamp); {
		case digit >= 0 && (char < '0' || char > '9'):
			c.matched = 0
		case digit >= 0:
			if digit == days || digit == hours {
				c.turn += 7 // no step goes back to where it came from before ten events
				b[i] = '0' + byte(c.turn%10)
			}
			c.matched++
		case char == stamp[c.matched]:
			c.matched++
		case char == stamp[0]:
			c.matched = 1
		default:
			c.matched = 0
		}
	}
}
