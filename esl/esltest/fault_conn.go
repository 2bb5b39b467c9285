package esltest

import (
	"net"
	"slices"
	"sync"
	"time"
)

// faultConn is a connection on which things go wrong.
type faultConn struct {
	net.Conn
	made time.Time
	over chan struct{} // closed with the connection
	once sync.Once

	kill func() // what FaultLostEvents does

	mu      sync.Mutex
	faults  []Fault
	healed  chan struct{} // closed when faults are, nil while nobody waits for it
	sent    int
	events  int
	dead    bool // half-open
	merging []byte
	timer   *time.Timer

	sending sync.Mutex // held over a write, so that what is held back goes out first
}

// newFaultConn wraps a connection with those of the server's faults that it is
// to suffer, at once if need be. kill may be nil.
func (s *Server) newFaultConn(conn net.Conn, direction string, kill func()) *faultConn {
	c := &faultConn{Conn: conn, kill: kill, made: time.Now(), over: make(chan struct{})}
	s.faultMu.Lock()
	live := s.faults
	s.faultMu.Unlock()
	for _, f := range live {
		if f.strikesMidway() && s.takes(f, direction) {
			c.add(f.Fault)
		}
	}
	return c
}

func (c *faultConn) add(f Fault) {
	c.mu.Lock()
	c.faults = append(c.faults, f)
	c.mu.Unlock()
	// What needs no write to strike needs a clock.
	switch f.Kind {
	case FaultCut, FaultHalfOpen, FaultLostEvents, FaultGarbage, FaultOversized:
		if f.Bytes == 0 || f.Kind == FaultOversized {
			time.AfterFunc(f.After-time.Since(c.made), func() {
				c.mu.Lock()
				due := f.Events == 0 || c.ripe(f)
				c.mu.Unlock()
				if due && c.drop(f) {
					c.strike(f)
				}
			})
		}
	}
}

func (c *faultConn) heal() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults = nil
	if c.healed != nil {
		close(c.healed)
		c.healed = nil
	}
}

// present returns the faults that there are, and what tells that they are healed. The caller holds mu.
func (c *faultConn) present() (faults []Fault, healed <-chan struct{}) {
	if c.healed == nil {
		c.healed = make(chan struct{})
	}
	return c.faults, c.healed
}

// due says whether a fault strikes now, with n bytes about to be written. It
// returns how many of them go out before.
func (c *faultConn) due(f *Fault, n int) (before int, due bool) {
	if f.Bytes == 0 && f.Events == 0 && f.After == 0 {
		return 0, true
	}
	if f.After > 0 && time.Since(c.made) < f.After || f.Events > 0 && c.events < f.Events {
		return 0, false
	}
	if f.Bytes > 0 {
		sent := c.sent + len(c.merging) // what is held back goes out before
		if sent+n < f.Bytes {
			return 0, false
		}
		return max(f.Bytes-sent, 0), true
	}
	return 0, true
}

// Write sends b as the faults allow.
func (c *faultConn) Write(b []byte) (int, error) {
	total := len(b)
	c.mu.Lock()
	faults, healed := c.present()
	c.mu.Unlock()
	for i := range faults {
		f := &faults[i]
		switch f.Kind {
		case FaultCut, FaultHalfOpen, FaultLostEvents, FaultGarbage, FaultStall:
		default:
			continue
		}
		if f.Events > 0 && f.Bytes == 0 {
			continue // eventsReached strikes it
		}
		c.mu.Lock()
		before, due := c.due(f, len(b))
		c.mu.Unlock()
		if !due {
			continue
		}
		if _, err := c.send(b[:before]); err != nil {
			return 0, err
		}
		b = b[before:]
		if !c.drop(*f) {
			continue
		}
		if f.Kind == FaultStall {
			c.pause(f.For, healed)
			continue
		}
		c.strike(*f)
	}
	if _, err := c.shape(b, faults, healed); err != nil {
		return 0, err
	}
	return total, nil
}

// drop forgets a fault that strikes once. It is false when that has struck, or is healed.
func (c *faultConn) drop(f Fault) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.faults {
		if c.faults[i] == f {
			c.faults = append(c.faults[:i:i], c.faults[i+1:]...)
			return true
		}
	}
	return false
}

// strike does to the connection what the fault says.
func (c *faultConn) strike(f Fault) {
	switch f.Kind {
	case FaultCut:
		c.Close()
	case FaultHalfOpen:
		c.mu.Lock()
		c.dead = true
		c.mu.Unlock()
	case FaultLostEvents:
		if c.kill != nil {
			c.kill()
		}
		c.Close()
	case FaultGarbage:
		c.send([]byte("\x00\xff\x13 this is not\x07 the protocol \n:::\n\n\n"))
	case FaultOversized:
		size := "2147483647"
		if f.Bytes > 0 {
			size = itoa(int64(f.Bytes))
		}
		c.send([]byte("Content-Length: " + size + "\nContent-Type: text/event-plain\n\n"))
	}
}

// pause blocks for d, or with 0 until the connection closes, unless it is healed before.
func (c *faultConn) pause(d time.Duration, healed <-chan struct{}) {
	var passed <-chan time.Time
	if d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		passed = timer.C
	}
	select {
	case <-passed:
	case <-healed:
	case <-c.over:
	}
}

// shape writes b late, in pieces or together with what follows.
func (c *faultConn) shape(b []byte, faults []Fault, healed <-chan struct{}) (int, error) {
	for i := range faults {
		f := &faults[i]
		switch f.Kind {
		case FaultDelay:
			c.pause(max(f.For, time.Nanosecond), healed)
		case FaultSplit:
			return c.split(b, max(f.Chunk, 1), f.For, healed)
		case FaultMerge:
			return c.merge(b, f.For)
		}
	}
	return c.send(b)
}

func (c *faultConn) split(b []byte, chunk int, gap time.Duration, healed <-chan struct{}) (int, error) {
	n := len(b)
	for len(b) > 0 {
		k := min(chunk, len(b))
		if _, err := c.send(b[:k]); err != nil {
			return 0, err
		}
		b = b[k:]
		if gap > 0 {
			c.pause(gap, healed)
		}
	}
	return n, nil
}

func (c *faultConn) merge(b []byte, window time.Duration) (int, error) {
	if window <= 0 {
		window = 50 * time.Millisecond
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.merging = append(c.merging, b...)
	if c.timer == nil {
		c.timer = time.AfterFunc(window, func() { c.send(nil) })
	}
	return len(b), nil
}

// send writes what merge holds back, and then b: that a fault is healed, or
// another one strikes, must not let what comes later overtake it.
func (c *faultConn) send(b []byte) (int, error) {
	c.sending.Lock()
	defer c.sending.Unlock()
	c.mu.Lock()
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
	all := b
	if len(c.merging) > 0 {
		all = append(c.merging, b...)
		c.merging = nil
	}
	c.sent += len(all)
	dead := c.dead
	c.mu.Unlock()
	if dead || len(all) == 0 {
		return len(b), nil
	}
	if _, err := c.Conn.Write(all); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Read returns what the client sends, unless the connection is half-open: then
// nothing ever comes.
func (c *faultConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.mu.Lock()
	dead := c.dead
	c.mu.Unlock()
	if dead {
		<-c.over
		return 0, net.ErrClosed
	}
	return n, err
}

// eventSent counts an event; true means that a fault waits for that count.
func (c *faultConn) eventSent() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.events++
	return slices.ContainsFunc(c.faults, c.ripe)
}

// ripe reports whether a fault waits for a number of events only, which have been sent. The caller holds mu.
func (c *faultConn) ripe(f Fault) bool {
	return f.Bytes == 0 && f.Events > 0 && f.Events <= c.events && (f.After == 0 || time.Since(c.made) >= f.After)
}

// eventsReached strikes those faults that wait for a number of events only.
func (c *faultConn) eventsReached() {
	c.mu.Lock()
	var due []Fault
	faults, healed := c.present()
	for _, f := range faults {
		if c.ripe(f) {
			due = append(due, f)
		}
	}
	c.mu.Unlock()
	for _, f := range due {
		if !c.drop(f) {
			continue
		}
		if f.Kind == FaultStall {
			c.pause(f.For, healed)
		}
		c.strike(f)
	}
}

// leave closes the connection, or, when it is half-open, gives it to who keeps such ones.
func (c *faultConn) leave(abandon func(net.Conn)) {
	if c.isDead() {
		abandon(c.Conn)
	}
	c.Close()
}

func (c *faultConn) isDead() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dead
}

// Close closes the connection and ends what blocks on it.
func (c *faultConn) Close() error {
	c.once.Do(func() { close(c.over) })
	return c.Conn.Close()
}

// CloseWrite lets the client read to the end; a half-open connection stays as
// it is.
func (c *faultConn) CloseWrite() error {
	if c.isDead() {
		c.once.Do(func() { close(c.over) })
		return nil
	}
	c.send(nil)
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// reset closes the connection so that the client sees it reset.
func (c *faultConn) reset() {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	c.Close()
}
