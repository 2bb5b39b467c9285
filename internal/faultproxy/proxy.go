// Package faultproxy is a TCP proxy that does to connections what networks do: it
// cuts them with a FIN or an RST, leaves them half-open, stalls them, tears writes
// into pieces or gathers them, puts garbage in between and ends a stream in the
// midst of a frame. Tests put it between the two ends of a real conversation.
package faultproxy

import (
	"net"
	"sync"
	"time"
)

// End is how a connection is cut.
type End uint8

// The ends of a connection.
const (
	FIN End = iota // as by a process that closes its socket
	RST            // as by a host that has forgotten the connection
)

// Proxy passes connections to a target. Its methods are safe for concurrent use.
type Proxy struct {
	target string
	ln     net.Listener
	wg     sync.WaitGroup

	mu     sync.Mutex
	links  map[*link]struct{}
	closed bool
	refuse bool
	frozen chan struct{} // not nil while nothing passes; closed by the thaw
	chunk  int           // of writes to the victim; 0 as they come
	merge  time.Duration
	budget int           // bytes that the next connection's victim still gets; 0 without bound
	holdAt int           // bytes after which the next connection's victim gets no more until held closes
	held   chan struct{} // not nil from Hold to Release
	jumps  bool
	made   int

	reversed bool // the target is the victim, not the client
}

// New starts a proxy on a free port of 127.0.0.1 that passes connections to target.
// Its victim is the client: Split, Merge, CutAfter, Hold, Jump and Inject are about
// what the client gets.
func New(target string) (*Proxy, error) { return start(target, false) }

// NewReversed is New with the target as the victim: for a target that is tested.
func NewReversed(target string) (*Proxy, error) { return start(target, true) }

func start(target string, reversed bool) (*Proxy, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{target: target, ln: ln, links: map[*link]struct{}{}, reversed: reversed}
	p.wg.Go(p.accept)
	return p, nil
}

// Addr returns the host:port that clients connect to.
func (p *Proxy) Addr() string { return p.ln.Addr().String() }

// Connections returns how many connections pass through now.
func (p *Proxy) Connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.links)
}

// Made returns how many connections there have been, refused ones included.
func (p *Proxy) Made() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.made
}

// Close cuts everything, stops listening, and waits for its goroutines.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.ln.Close()
	p.Thaw()
	p.Release()
	p.Cut(FIN)
	p.wg.Wait()
}

// Cut ends every connection, on both sides, and returns how many there were.
func (p *Proxy) Cut(end End) int {
	p.mu.Lock()
	links := make([]*link, 0, len(p.links))
	for l := range p.links {
		links = append(links, l)
	}
	p.mu.Unlock()
	for _, l := range links {
		l.cut(end)
	}
	return len(links)
}

// CutAfter ends the connections that are made from now on with a FIN once their
// victim has got n bytes. Zero ends none.
func (p *Proxy) CutAfter(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.budget = n
}

// Refuse resets new connections as soon as they are made, or no longer does.
func (p *Proxy) Refuse(refuse bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = refuse
}

// Freeze lets nothing pass any more, in either direction, while connections stay
// open and new ones are accepted: half-open until Cut, a stall until Thaw.
func (p *Proxy) Freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.frozen == nil {
		p.frozen = make(chan struct{})
	}
}

// Thaw undoes Freeze: what was held back passes.
func (p *Proxy) Thaw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.frozen != nil {
		close(p.frozen)
		p.frozen = nil
	}
}

// Split tears what victims get into writes of n bytes. Zero writes as it comes.
func (p *Proxy) Split(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.chunk = n
}

// Merge gathers what victims get within d into one write.
func (p *Proxy) Merge(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.merge = d
}

// Hold keeps the connections that are made from now on open, but gives their victim
// no more than n bytes until Release; zero lets them come no further than being made.
func (p *Proxy) Hold(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.holdAt = n
	if p.held == nil {
		p.held = make(chan struct{})
	}
}

// Held returns how many connections a Hold keeps at present.
func (p *Proxy) Held() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for l := range p.links {
		if l.waits {
			n++
		}
	}
	return n
}

// Release undoes Hold: what was kept passes.
func (p *Proxy) Release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.held != nil {
		close(p.held)
		p.held = nil
	}
}

// Jump lets FreeSWITCH's clock jump by hours and days, forwards and backwards, with
// every event that passes: the times in their Event-Date-Timestamp are changed.
func (p *Proxy) Jump(jumps bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.jumps = jumps
}

// Inject writes garbage to every victim, wherever its stream stands.
func (p *Proxy) Inject(garbage []byte) {
	p.mu.Lock()
	var victims []net.Conn
	for l := range p.links {
		if nc := l.victim(); nc != nil {
			victims = append(victims, nc)
		}
	}
	p.mu.Unlock()
	for _, nc := range victims {
		_, _ = nc.Write(garbage) // a victim that is gone needs none
	}
}

func (p *Proxy) accept() {
	for {
		nc, err := p.ln.Accept()
		if err != nil {
			return
		}
		l := &link{proxy: p, client: nc.(*net.TCPConn), gone: make(chan struct{})}
		p.mu.Lock()
		p.made++
		ok := !p.refuse && !p.closed
		if ok {
			l.budget = p.budget
			if p.held != nil {
				l.holds, l.holdAt = true, p.holdAt
			}
			p.links[l] = struct{}{}
		}
		p.mu.Unlock()
		if !ok {
			reset(l.client)
			continue
		}
		p.wg.Go(l.run)
	}
}

func reset(nc *net.TCPConn) {
	_ = nc.SetLinger(0) // it is closed either way
	nc.Close()
}
