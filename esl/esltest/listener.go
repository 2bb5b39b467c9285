package esltest

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/genesis-esl/genesis/esl"
)

// listener is one event socket, inbound or outbound. Its goroutine answers the
// waiting commands first and sends events when the input is idle, as
// FreeSWITCH does (f_api_bgapi: eight replies, then five BACKGROUND_JOBs).
type listener struct {
	core     *core
	conn     net.Conn
	fault    *faultConn // the same connection
	requests chan request
	out      []byte
	ended    bool

	authed    bool
	user      *User // nil: everything is allowed
	ch        *channel
	mode      socketMode       // of an outbound socket
	seenGone  bool             // the end of the call has been noticed
	frame     <-chan time.Time // on a synchronous socket, the next frame with a message
	parked    chan struct{}    // closed when the call has parked for the socket
	quiet     time.Time        // no events before
	heldFrom  time.Time        // since when they are held back
	connected bool             // the outbound server has said connect
	divert    bool
	linger    lingerState

	wake chan struct{}

	mu        sync.Mutex // guards what publishing goroutines touch
	queue     []*event
	logs      [][]byte
	lost      int
	format    esl.Format
	events    eventSet
	enabled   bool
	customs   map[string]bool
	filters   []filter
	mine      bool   // myevents
	mineUUID  string // "" with mine: myevents of an unknown channel
	place     string // the channel under which the core files the listener
	logLevel  int
	killed    atomic.Bool
	dismissed atomic.Bool   // the system shuts down: say so and close
	over      chan struct{} // closed when the connection has ended
}

// request is a command as read, and whether another one is waiting behind it.
type request struct {
	*esl.Request
	more bool
}

func newListener(c *core, conn net.Conn, direction string) *listener {
	l := &listener{
		core:     c,
		requests: make(chan request, 16),
		wake:     make(chan struct{}, 1),
		customs:  map[string]bool{},
		logLevel: -1,
		over:     make(chan struct{}),
	}
	l.fault = c.srv.newFaultConn(conn, direction, func() { l.killed.Store(true) })
	l.conn = l.fault
	return l
}

func (l *listener) direction() string {
	if l.ch != nil {
		return outboundCall
	}
	return inboundCall
}

// serveInbound is the life of a connection that a client made.
func (l *listener) serveInbound() {
	defer l.end()
	if _, refused := l.core.srv.strike(FaultRefuse); refused {
		l.fault.reset()
		return
	}
	if !l.allowed() {
		l.write(esl.AppendDisconnectNotice(esl.AppendRudeRejection(nil), "", esl.Goodbye))
		l.hangUp()
		io.Copy(io.Discard, l.conn)
		return
	}
	l.write(esl.AppendAuthRequest(nil))
	stop := l.read()
	defer stop()
	if l.authenticate() {
		l.loop()
	}
	l.flush()
	l.goodbye()
}

// end takes the connection off the books.
func (l *listener) end() {
	l.setLogLevel(-1)
	l.fault.leave(l.core.abandon)
	l.core.dismiss(l)
	close(l.over)
}

func (l *listener) allowed() bool {
	allow := l.core.srv.cfg.Allow
	if _, rejected := l.core.srv.strike(FaultACL); rejected {
		return false
	}
	if len(allow) == 0 {
		return true
	}
	peer, err := netip.ParseAddrPort(l.conn.RemoteAddr().String())
	if err != nil {
		return false
	}
	for _, prefix := range allow {
		if prefix.Contains(peer.Addr().Unmap()) {
			return true
		}
	}
	return false
}

// read starts the goroutine that reads commands; stop ends it.
func (l *listener) read() (stop func()) {
	done := make(chan struct{})
	quit := make(chan struct{})
	size := 16 << 10
	if l.ch != nil {
		size = 4 << 10
	}
	go func() {
		defer close(done)
		defer close(l.requests)
		rr := esl.NewRequestReader(bufio.NewReaderSize(l.conn, size), esl.Limits{})
		for {
			req, err := rr.Next()
			if err != nil {
				return
			}
			select {
			case l.requests <- request{req, rr.Pending()}:
			case <-quit:
				io.Copy(io.Discard, l.conn)
				return
			}
		}
	}()
	return func() {
		close(quit)
		l.hangUp()
		<-done
	}
}

// hangUp closes the connection so that the client can still read what has been
// written: with unread input the kernel would reset it.
func (l *listener) hangUp() {
	half, ok := l.conn.(interface{ CloseWrite() error })
	if !ok || l.killed.Load() || half.CloseWrite() != nil {
		l.conn.Close()
		return
	}
	l.conn.SetReadDeadline(time.Now().Add(250 * time.Millisecond))
}

// authenticate answers commands until one of them is the right password.
func (l *listener) authenticate() bool {
	deadline := time.NewTimer(l.core.srv.cfg.AuthTimeout)
	defer deadline.Stop()
	for !l.authed {
		select {
		case req, ok := <-l.requests:
			if !ok {
				return false
			}
			l.command(req)
			if l.ended {
				return false
			}
			l.flushUnless(req.more)
		case <-deadline.C:
			return false
		case <-l.core.ctx.Done():
			return false
		}
	}
	return true
}

// loop serves until the client leaves or is told to. It is the loop of
// FreeSWITCH's listener: input first, then logs and events.
func (l *listener) loop() {
	for !l.ended && !l.killed.Load() {
		if l.dismissed.Load() {
			l.drain()
			return
		}
		select {
		case req, ok := <-l.requests:
			if !l.serve(req, ok) {
				return
			}
			continue
		default:
		}
		hold := l.hold()
		if hold == nil {
			if l.drain() {
				continue
			}
			if l.idle() {
				return
			}
		}
		select {
		case <-hold:
		case req, ok := <-l.requests:
			if !l.serve(req, ok) {
				return
			}
		case <-l.wake:
		case <-l.callSignal():
			l.frame = l.ch.performQueued()
		case <-l.frame:
			l.frame = l.ch.performQueued()
		case <-l.callGone():
			l.seenGone = true
		case <-l.lingering():
			return
		case <-l.core.ctx.Done():
			return
		}
	}
}

// callSignal is, on a synchronous socket, whose goroutine is the session's,
// what tells the session of messages.
func (l *listener) callSignal() <-chan struct{} {
	if l.ch == nil || l.mode.async {
		return nil
	}
	return l.ch.signal
}

// callGone tells once that the call of an outbound socket has ended.
func (l *listener) callGone() <-chan struct{} {
	if l.ch == nil || l.seenGone {
		return nil
	}
	return l.ch.gone
}

// hold keeps events back for a moment after a reply; nil when it has passed, or
// when one command after the other has held them back for long enough.
func (l *listener) hold() <-chan time.Time {
	now := time.Now()
	wait := l.quiet.Sub(now)
	if wait <= 0 {
		l.heldFrom = time.Time{}
		return nil
	}
	if l.heldFrom.IsZero() {
		l.heldFrom = now
	}
	if now.Sub(l.heldFrom) > 10*l.core.srv.cfg.EventDelay {
		l.heldFrom = time.Time{}
		return nil
	}
	return time.After(wait)
}

func (l *listener) serve(req request, ok bool) bool {
	for ok {
		l.command(req)
		l.quiet = time.Now().Add(l.core.srv.cfg.EventDelay)
		if l.ended {
			return true
		}
		l.flushUnless(req.more)
		if !req.more {
			return true
		}
		select {
		case req, ok = <-l.requests:
		case <-l.core.ctx.Done():
			return false
		}
	}
	return false
}

// drain writes what is queued and says whether there was anything.
func (l *listener) drain() bool {
	l.mu.Lock()
	logs, events, format := l.logs, l.queue, l.format
	l.logs, l.queue = nil, nil
	l.mu.Unlock()
	if len(logs) == 0 && len(events) == 0 {
		return false
	}
	for _, line := range logs {
		l.out = append(l.out, line...)
	}
	for _, e := range events {
		l.out = append(l.out, e.frame(format)...)
		if l.fault.eventSent() {
			l.flush()
			l.fault.eventsReached()
		}
		if len(l.out) > 64<<10 {
			l.flush()
		}
	}
	l.flush()
	return true
}

func (l *listener) flushUnless(more bool) {
	if !more {
		l.flush()
	}
}

func (l *listener) flush() {
	if len(l.out) > 0 {
		l.write(l.out)
		l.out = l.out[:0]
		if cap(l.out) > 1<<20 {
			l.out = nil
		}
	}
}

func (l *listener) write(b []byte) {
	if _, err := l.conn.Write(b); err != nil && !errors.Is(err, net.ErrClosed) {
		l.killed.Store(true)
		l.conn.Close()
	}
}

// maxReply is the room that FreeSWITCH has for a reply, be it a variable's value.
const maxReply = 511

func (l *listener) reply(text string, extra ...esl.Header) {
	l.out = esl.AppendReply(l.out, text[:min(len(text), maxReply)], extra...)
}

// goodbye is the notice with which FreeSWITCH closes a connection.
func (l *listener) goodbye() {
	uuid := ""
	if l.ch != nil {
		uuid = l.ch.uuid
	}
	text := esl.Goodbye
	if l.dismissed.Load() {
		l.core.mu.RLock()
		text = l.core.farewell
		l.core.mu.RUnlock()
	}
	l.write(esl.AppendDisconnectNotice(nil, uuid, text))
}

// nudge wakes the listener's goroutine.
func (l *listener) nudge() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}
