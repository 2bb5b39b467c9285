package outbound

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/genesis-esl/genesis/call"
	"github.com/genesis-esl/genesis/esl"
)

// ErrServerClosed is what Serve returns after Shutdown or Close. It is also the context.Cause
// of a handler whose context was ended by Close, or by a Shutdown that ran out of time.
var ErrServerClosed = errors.New("outbound: server closed")

// Handler handles calls.
type Handler interface {
	// HandleSession handles one call, on a goroutine of its own. ctx ends when the call
	// does. An error is logged, and if the call is still up it is hung up with
	// Server.FailureCause. The normal end of a call is not logged: its own
	// *call.HangupError and, once the call is over, ErrServerClosed and context.Canceled.
	// The error of a lost connection, which is also ctx's cause, is logged.
	HandleSession(ctx context.Context, s *Session) error
}

// HandlerFunc is a function that is a Handler.
type HandlerFunc func(ctx context.Context, s *Session) error

// HandleSession calls f.
func (f HandlerFunc) HandleSession(ctx context.Context, s *Session) error { return f(ctx, s) }

// Server accepts the connections of FreeSWITCH's socket application. Set its fields before the
// first call of a method; only Handler is required. Its methods are safe for concurrent use. A
// Server that was shut down or closed cannot be used again.
type Server struct {
	// Handler handles the calls. Required.
	Handler Handler
	// Allow lists the networks that may connect; other connections are closed at once and
	// counted. Empty: everybody who can reach the listener may.
	Allow []netip.Prefix
	// MaxSessions bounds the sessions at a time; connections beyond it are closed at once
	// and counted. Default DefaultMaxSessions; negative means no bound.
	MaxSessions int
	// MaxRate bounds the new connections per second, after a burst of as many; those beyond it are
	// closed at once and counted. Zero or less means no bound.
	MaxRate int
	// HandshakeTimeout bounds the time until FreeSWITCH has sent the call's data and accepted
	// the subscription. Default 10 s; FreeSWITCH itself waits 25 s.
	HandshakeTimeout time.Duration
	// CloseTimeout bounds hanging up and closing after a handler has returned.
	// Default 5 s.
	CloseTimeout time.Duration
	// Linger is how long FreeSWITCH keeps the connection open after the hangup, for the
	// last events: whole seconds, rounded up, and only with full. Default 10 s. Negative:
	// not at all. Then CHANNEL_HANGUP_COMPLETE may be missed, and once the caller has
	// hung up, legs that the session is still calling or has parked cannot be hung up.
	Linger time.Duration
	// Events names further events of the call to get, beyond call.EventNames: event
	// names or CUSTOM subclasses. In single-channel mode FreeSWITCH decides which
	// events come (myevents).
	Events []string
	// Format is the shape of events on the wire. Default Plain.
	Format esl.Format
	// Limits bounds what FreeSWITCH can make us hold in one frame. The zero value
	// means the defaults.
	Limits esl.Limits
	// Queue bounds the events that wait in each Stream of a session. Default 10,000
	// events and 16 MiB. When a Stream is full the session ends with
	// esl.ErrSlowConsumer, whatever Overflow says.
	Queue esl.QueueLimits
	// FailureCause is the hangup cause of a call whose handler failed or panicked.
	// Default call.NormalTemporaryFailure.
	FailureCause call.Cause
	// Hooks is told what happens on the connections. May be nil.
	Hooks *esl.Hooks
	// SessionHooks is told what happens to the sessions. May be nil.
	SessionHooks *Hooks
	// Instruments measures the operations on calls. May be nil.
	Instruments *call.Instruments
	// TracerProvider makes the span outbound_handle_connection around each call. May be nil.
	TracerProvider trace.TracerProvider
	// Logger gets failures and panics of handlers. Default slog.Default().
	Logger *slog.Logger

	active atomic.Int64
	rate   rate
	once   sync.Once
	events esl.Line // the event command

	mu        sync.Mutex
	closed    bool // no more connections
	listeners map[net.Listener]struct{}
	sessions  sync.WaitGroup
	base      context.Context // parent of all sessions
	end       context.CancelCauseFunc
}

// DefaultMaxSessions is the default of Server.MaxSessions.
const DefaultMaxSessions = 20_000

const (
	defaultHandshakeTimeout = 10 * time.Second
	defaultCloseTimeout     = 5 * time.Second
	defaultLinger           = 10 * time.Second

	// partingTimeout is how long FreeSWITCH may take to close its side of a connection once we have closed ours.
	partingTimeout = 2 * time.Second
)

// Sessions returns how many sessions there are now, those in the handshake
// included.
func (srv *Server) Sessions() int { return int(srv.active.Load()) }

// ListenAndServe listens on addr (host:port) and serves until Shutdown or Close. The end of
// ctx is a Close. Errors are those of listening and of Serve.
func (srv *Server) ListenAndServe(ctx context.Context, addr string) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("outbound: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = srv.Close() })
	defer stop()
	return srv.Serve(l)
}

// Serve accepts connections from l, which it closes in the end. It returns
// ErrServerClosed once Shutdown or Close has been called, without waiting for the
// sessions as these do; else the listener's error.
func (srv *Server) Serve(l net.Listener) error {
	defer func() { _ = l.Close() }() // closed twice after Shutdown, on purpose
	if srv.Handler == nil {
		return errors.New("outbound: Server has no Handler")
	}
	if !srv.track(l) {
		return ErrServerClosed
	}
	defer srv.untrack(l)
	for {
		nc, err := srv.accept(l)
		if err != nil {
			return err
		}
		srv.admit(nc)
	}
}

// accept waits for a connection, over errors that pass, such as too many open
// files.
func (srv *Server) accept(l net.Listener) (net.Conn, error) {
	for wait := 5 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		nc, err := l.Accept()
		if err == nil {
			return nc, nil
		}
		ctx := srv.context()
		if srv.isClosed() {
			return nil, ErrServerClosed
		}
		var passing interface{ Temporary() bool }
		if !errors.As(err, &passing) || !passing.Temporary() {
			return nil, fmt.Errorf("outbound: accept: %w", err)
		}
		srv.logger().Warn("accepting connections failed, trying again", "error", err, "wait", wait)
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, ErrServerClosed
		}
	}
}

// admit starts a session, or turns the connection away.
func (srv *Server) admit(nc net.Conn) {
	if !srv.allowed(nc.RemoteAddr()) {
		srv.reject(nc, NotAllowed)
		return
	}
	if !srv.rate.take(srv.MaxRate, time.Now()) {
		srv.reject(nc, TooFast)
		return
	}
	limit := cmp.Or(srv.MaxSessions, DefaultMaxSessions)
	if n := srv.active.Add(1); limit > 0 && n > int64(limit) {
		srv.active.Add(-1)
		srv.reject(nc, TooMany)
		return
	}
	srv.mu.Lock()
	if srv.closed {
		srv.mu.Unlock()
		srv.active.Add(-1)
		_ = nc.Close()
		return
	}
	srv.sessions.Add(1)
	srv.mu.Unlock()
	go func() {
		growStack(0)
		defer srv.sessions.Done()
		defer srv.active.Add(-1)
		srv.serve(nc)
	}()
}

func (srv *Server) reject(nc net.Conn, reason Reason) {
	_ = nc.Close() // nobody has said anything yet
	srv.SessionHooks.rejected(nc.RemoteAddr(), reason)
}

// growStack makes its goroutine's stack as large as most handlers need it. That it grows once, while there
// is nothing on it to move, spares a short call a twentieth of its processor time.
//
//go:noinline
func growStack(at byte) byte {
	var room [6 << 10]byte
	return room[at]
}

// allowed tells whether an address may connect.
func (srv *Server) allowed(addr net.Addr) bool {
	if len(srv.Allow) == 0 {
		return true
	}
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return false
	}
	ip := tcp.AddrPort().Addr().Unmap().WithZone("")
	return slices.ContainsFunc(srv.Allow, func(prefix netip.Prefix) bool { return prefix.Contains(ip) })
}

// Shutdown stops accepting, and waits until the handlers have returned and their sessions
// have ended. When ctx ends first, it does what Close does, waits for that, and returns
// ctx's cause.
func (srv *Server) Shutdown(ctx context.Context) error {
	srv.closeListeners()
	done := make(chan struct{})
	go func() {
		srv.sessions.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		srv.context() // so that there is one to end
		srv.end(ErrServerClosed)
		<-done
		return context.Cause(ctx)
	}
}

// Close stops accepting and ends all sessions. The contexts of their handlers end with
// ErrServerClosed; when a handler has returned, its call is hung up and its connection
// closed. Without async the end of the connection is the hangup: FreeSWITCH notices it
// when the application that runs has ended. Close returns nil when all sessions have
// ended, CloseTimeout after the last handler at the latest.
func (srv *Server) Close() error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = srv.Shutdown(ctx) // says that ctx ended, as it should
	return nil
}

func (srv *Server) closeListeners() {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	srv.closed = true
	for l := range srv.listeners {
		_ = l.Close()
	}
}

func (srv *Server) track(l net.Listener) bool {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if srv.closed {
		return false
	}
	if srv.listeners == nil {
		srv.listeners = make(map[net.Listener]struct{})
	}
	srv.listeners[l] = struct{}{}
	return true
}

func (srv *Server) untrack(l net.Listener) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	delete(srv.listeners, l)
}

func (srv *Server) isClosed() bool {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	return srv.closed
}

// context is the parent of all sessions.
func (srv *Server) context() context.Context {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if srv.base == nil {
		srv.base, srv.end = context.WithCancelCause(context.Background())
	}
	return srv.base
}

func (srv *Server) logger() *slog.Logger {
	if srv.Logger != nil {
		return srv.Logger
	}
	return slog.Default()
}

func orDefault(d, otherwise time.Duration) time.Duration {
	if d <= 0 {
		return otherwise
	}
	return d
}
