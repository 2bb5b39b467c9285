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
	chunk  int           // of writes to the client; 0 as they come
	merge  time.Duration
	budget int // bytes that the next connection's client still gets; 0 without bound
	made   int
}

// New starts a proxy on a free port of 127.0.0.1 that passes connections to target.
func New(target string) (*Proxy, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{target: target, ln: ln, links: map[*link]struct{}{}}
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
// client has got n bytes. Zero ends none.
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

// Split tears what clients get into writes of n bytes. Zero writes as it comes.
func (p *Proxy) Split(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.chunk = n
}

// Merge gathers what clients get within d into one write.
func (p *Proxy) Merge(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.merge = d
}

// Inject writes garbage to every client, wherever its stream stands.
func (p *Proxy) Inject(garbage []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		_, _ = l.client.Write(garbage) // a client that is gone needs none
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

// link is one connection through the proxy.
type link struct {
	proxy  *Proxy
	client *net.TCPConn
	budget int

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
	if !l.wait() {
		return
	}
	server, err := l.dial()
	if err != nil {
		return
	}
	var up sync.WaitGroup
	up.Go(func() {
		defer l.cut(FIN)
		l.pass(l.client, func(b []byte) bool { _, err := server.Write(b); return err == nil })
	})
	l.pass(server, l.deliver)
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

// deliver writes to the client in the form that is asked for, up to the budget.
func (l *link) deliver(b []byte) bool {
	l.proxy.mu.Lock()
	chunk, merge := l.proxy.chunk, l.proxy.merge
	l.proxy.mu.Unlock()
	if merge > 0 {
		timer := time.NewTimer(merge)
		select {
		case <-timer.C: // what comes meanwhile is read in one piece afterwards
		case <-l.gone:
			timer.Stop()
			return false
		}
	}
	over := false
	if l.budget > 0 {
		if len(b) >= l.budget {
			b, over = b[:l.budget], true
		}
		l.budget -= len(b)
	}
	if chunk <= 0 {
		chunk = len(b)
	}
	for len(b) > 0 {
		n, err := l.client.Write(b[:min(chunk, len(b))])
		if err != nil {
			return false
		}
		b = b[n:]
	}
	return !over
}
