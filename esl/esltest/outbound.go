package esltest

import (
	"net"
	"strings"
	"time"

	"github.com/genesis-esl/genesis/esl"
)

// socketMode is how the dialplan opened an outbound socket.
type socketMode struct {
	async, full bool
}

func (m socketMode) word() string {
	if m.async {
		return "async"
	}
	return "static"
}

func (m socketMode) control() string {
	if m.full {
		return "full"
	}
	return "single-channel"
}

// appSocket is the socket application: host:port[|host:port] [async] [full].
func appSocket(ch *channel, arg string) {
	words := strings.Fields(arg)
	if len(words) == 0 {
		return
	}
	mode := socketMode{}
	for _, word := range words[1:] {
		mode.async = mode.async || word == "async"
		mode.full = mode.full || word == "full"
	}
	conn, host := ch.dialSocket(words[0])
	if conn == nil {
		ch.hangup("NORMAL_TEMPORARY_FAILURE", "")
		return
	}
	ch.setVariable("socket_host", host)
	l := newListener(ch.core, conn, outboundCall)
	l.ch, l.mode, l.authed = ch, mode, true
	if !ch.core.admit(l) {
		conn.Close()
		return
	}
	if mode.async {
		l.runAsync()
	} else {
		l.runSync()
	}
	if resume, _ := ch.variable("socket_resume"); resume != "true" {
		ch.hangup("NORMAL_CLEARING", "")
	}
}

// dialSocket tries the addresses in their order.
func (ch *channel) dialSocket(addresses string) (net.Conn, string) {
	dialer := net.Dialer{Timeout: 5 * time.Second}
	var last error
	for addr := range strings.SplitSeq(addresses, "|") {
		conn, err := dialer.DialContext(ch.core.ctx, "tcp", addr)
		if err == nil {
			ch.core.nobody.Store(false)
			host, _, _ := net.SplitHostPort(addr)
			return conn, host
		}
		last = err
	}
	if ch.core.ctx.Err() == nil && !ch.core.nobody.Swap(true) {
		ch.core.srv.cfg.Logger.Warn("no outbound server, its calls fail", "address", addresses, "error", last)
	}
	return nil, ""
}

// runAsync serves the socket beside the call: the session parks and performs
// what the socket queues, until either ends. An application that runs when the
// socket ends is not interrupted.
func (l *listener) runAsync() {
	ch := l.ch
	connected := make(chan struct{})
	ended := make(chan struct{})
	l.parked = make(chan struct{})
	ch.holders.Add(1)
	l.core.wg.Go(func() {
		defer ch.holders.Done()
		defer close(ended)
		l.serveOutbound(connected)
	})
	select {
	case <-connected:
	case <-ended:
		return
	case <-ch.gone:
		return
	}
	ch.park(l.parked, ended)
}

// runSync serves the socket in the session's own goroutine.
func (l *listener) runSync() {
	l.serveOutbound(nil)
}

// serveOutbound is the life of a connection that the dialplan made. connected
// is closed once the server has said connect.
func (l *listener) serveOutbound(connected chan struct{}) {
	defer l.end()
	stop := l.read()
	defer stop()
	deadline := time.NewTimer(l.core.srv.cfg.ConnectTimeout)
	defer deadline.Stop()
	for !l.connected && !l.ended {
		select {
		case req, ok := <-l.requests:
			if !ok {
				return
			}
			l.command(req)
			l.flushUnless(req.more)
			if l.connected && req.more && connected != nil {
				// What came in one write with connect is answered before
				// the call goes on.
				l.serveWaiting()
			}
		case <-deadline.C:
			l.goodbye()
			return
		case <-l.core.ctx.Done():
			return
		}
	}
	if connected != nil {
		// The call parks before the next command is read, so that a
		// CHANNEL_PARK is seen by him alone who has sent myevents in one write
		// with connect.
		close(connected)
		select {
		case <-l.parked:
		case <-l.ch.gone:
		case <-l.core.ctx.Done():
		}
	}
	l.loop()
	l.flush()
	l.goodbye()
}

// serveWaiting answers what is already waiting behind the last command.
func (l *listener) serveWaiting() {
	select {
	case req, ok := <-l.requests:
		l.serve(req, ok)
	case <-l.core.ctx.Done():
	}
}

// channelCommand handles what only an outbound socket may say; false when the
// command is another one.
func (l *listener) channelCommand(req request) bool {
	line := req.Line
	switch {
	case hasPrefix(line, "connect"):
		l.connected = true
		l.out = l.ch.connectReply(l.out, l.mode)
	case hasPrefix(line, "getvar"):
		value := ""
		if _, name, found := strings.Cut(line, " "); found {
			value, _ = l.ch.variable(strings.TrimSpace(name))
		}
		if value == "" { // to FreeSWITCH, no reply is one to no command
			value = notFound
		}
		l.reply(value)
	case hasPrefix(line, "resume"):
		l.ch.setVariable("socket_resume", "true")
		l.reply("+OK")
	default:
		return false
	}
	return true
}

// idle is called when there is nothing to do; it ends an outbound socket whose
// call is over, or begins to linger.
func (l *listener) idle() (over bool) {
	if l.ch == nil || !l.callOver() {
		return false
	}
	if l.drain() {
		return false
	}
	if !l.linger.on {
		return true
	}
	if !l.linger.started {
		l.linger.started = true
		if l.linger.seconds != -1 {
			l.linger.timer = time.NewTimer(time.Duration(l.linger.seconds) * time.Second)
		}
		l.out = esl.AppendLingerNotice(l.out, l.ch.uuid, l.ch.displayName(), l.linger.seconds)
		l.flush()
	}
	return false
}

// callOver says that the call has ended as far as the socket is concerned: a
// synchronous one learns of it when the application returns, an asynchronous
// one gets the events up to CHANNEL_HANGUP_COMPLETE.
func (l *listener) callOver() bool {
	if l.ch.alive() {
		return false
	}
	if !l.mode.async {
		return true
	}
	l.ch.mu.Lock()
	defer l.ch.mu.Unlock()
	if l.ch.reported {
		return true
	}
	l.ch.waiters = append(l.ch.waiters, l)
	return false
}

func (l *listener) lingering() <-chan time.Time {
	if l.linger.timer == nil {
		return nil
	}
	return l.linger.timer.C
}

func (ch *channel) displayName() string {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	return ch.name
}
