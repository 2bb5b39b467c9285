package outbound

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/genesis-esl/genesis/call"
	"github.com/genesis-esl/genesis/esl"
)

// serve handles one connection from its first byte to its last.
func (srv *Server) serve(nc net.Conn) {
	remote := nc.RemoteAddr()
	ctx, span := srv.tracer().Start(srv.context(), "outbound_handle_connection", trace.WithSpanKind(trace.SpanKindServer))
	defer span.End()
	if span.IsRecording() {
		if host, port, err := net.SplitHostPort(remote.String()); err == nil {
			span.SetAttributes(attribute.String("net.peer.name", host), attribute.String("net.peer.port", port))
		}
	}
	s, err := srv.greet(ctx, nc)
	if err != nil {
		span.SetStatus(codes.Error, "handshake")
		srv.SessionHooks.rejected(remote, Handshake)
		if ctx.Err() == nil && !errors.Is(err, esl.ErrDisconnected) {
			srv.logger().Warn("FreeSWITCH connected but could not be greeted", "remote", remote.String(), "error", err)
		}
		return
	}
	span.SetAttributes(attribute.String("channel.uuid", s.UUID()))
	start := time.Now()
	srv.SessionHooks.sessionStart(s)
	defer func() {
		if err == errGoexit {
			srv.logger().ErrorContext(ctx, "a call's handler ended its goroutine", "call", s.UUID())
		}
		srv.finish(s, err)
		<-s.ended
		if err != nil {
			span.SetStatus(codes.Error, "handler")
			span.RecordError(err)
		}
		srv.SessionHooks.sessionEnd(s, time.Since(start), err)
	}()
	err = errGoexit // unless handle returns
	err = srv.handle(trace.ContextWithSpan(s.Context(), span), s)
}

var errGoexit = errors.New("outbound: handler ended its goroutine")

// greet makes a session of a connection: connect, then in one write everything that
// brings the call's events.
func (srv *Server) greet(parent context.Context, nc net.Conn) (*Session, error) {
	ctx, cancel := context.WithTimeout(parent, orDefault(srv.HandshakeTimeout, defaultHandshakeTimeout))
	defer cancel()
	s := &Session{srv: srv, nc: nc, ended: make(chan struct{}), room: maxEarlyBytes}
	conn, replies, err := esl.Accept(ctx, nc, esl.ConnConfig{
		Info: esl.ConnInfo{Role: "session"}, Hooks: srv.Hooks, Limits: srv.Limits, Deliver: s.deliver, Ended: s.lost,
	})
	if err != nil {
		return nil, err
	}
	s.conn, s.connect = conn, replies[0].Event()
	s.open(srv.channel(parent, s))
	if err := srv.subscribe(ctx, s); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return s, nil
}

// channel makes the channel of a session that is connected.
func (srv *Server) channel(parent context.Context, s *Session) *call.Channel {
	data := s.connect
	mode := call.ModeOf(data.Get("Socket-Mode"), data.Get("Control"))
	return call.New(parent, s.conn, call.Config{
		UUID: strings.Clone(data.UUID()), Mode: mode, Data: data, Instruments: srv.Instruments, Logger: srv.logger(),
		StreamLimit: srv.Queue.Events, StreamBytes: srv.Queue.Bytes,
		Overflow: func() {
			s.Lost(esl.ErrSlowConsumer)
			_ = s.conn.Close()
		},
	})
}

// subscribe asks for the call's events. In full control the connection would get
// those of all calls, so that a filter comes first; without it myevents is all there
// is (recordings h7_async_single_channel, h8_sync_single_channel).
func (srv *Server) subscribe(ctx context.Context, s *Session) error {
	if !s.Mode().Full() {
		line := "myevents"
		if srv.Format != esl.Plain {
			line += " " + srv.Format.String()
		}
		_, err := s.conn.Send(ctx, esl.Line(line))
		return handshake(err)
	}
	cmds := []esl.Command{
		esl.Line("filter Unique-ID " + s.UUID()),
		esl.Line("filter Job-Owner-UUID " + s.UUID()),
	}
	if srv.Linger >= 0 {
		seconds := (orDefault(srv.Linger, defaultLinger) + time.Second - 1) / time.Second
		cmds = append(cmds, esl.Line("linger "+strconv.Itoa(int(seconds))))
	}
	srv.once.Do(func() { srv.events = esl.Line(srv.eventLine()) })
	cmds = append(cmds, srv.events)
	_, err := s.conn.Pipeline(ctx, cmds...)
	return handshake(err)
}

func handshake(err error) error {
	if err != nil {
		return fmt.Errorf("outbound: subscribing: %w", err)
	}
	return nil
}

// eventLine is the event command: names first, then CUSTOM and its subclasses.
func (srv *Server) eventLine() string {
	names, classes := call.EventNames(), []string(nil)
	for _, name := range srv.Events {
		if strings.ContainsAny(name, ":.") || strings.ToUpper(name) != name {
			classes = append(classes, name)
			continue
		}
		names = append(names, name)
	}
	line := "event " + srv.Format.String() + " " + strings.Join(names, " ")
	if len(classes) > 0 {
		line += " CUSTOM " + strings.Join(classes, " ")
	}
	return line
}

// handle runs the handler. The end of the call is not its failure.
func (srv *Server) handle(ctx context.Context, s *Session) (err error) {
	defer func() {
		if r := recover(); r != nil {
			stack := debug.Stack()
			srv.logger().ErrorContext(ctx, "panic in a call's handler", "call", s.UUID(), "panic", r, "stack", string(stack))
			srv.SessionHooks.panicked(s, r, stack)
			err = fmt.Errorf("outbound: handler panicked: %v", r)
		}
	}()
	err = srv.Handler.HandleSession(ctx, s)
	if err == nil || srv.expected(s, err) {
		return nil
	}
	srv.logger().ErrorContext(ctx, "a call's handler failed", "call", s.UUID(), "error", err)
	return err
}

// expected tells whether err only says that the call or the server has ended.
func (srv *Server) expected(s *Session, err error) bool {
	var hangup *call.HangupError
	if errors.As(err, &hangup) {
		return hangup.UUID == s.UUID()
	}
	if s.Err() == nil {
		return false
	}
	return errors.Is(err, context.Canceled) || errors.Is(err, ErrServerClosed)
}

// finish ends a call whose handler has returned, and its parked legs, and closes the
// connection.
func (srv *Server) finish(s *Session, err error) {
	defer srv.part(s)
	if s.conn.Err() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.Context()), orDefault(srv.CloseTimeout, defaultCloseTimeout))
	defer cancel()
	s.endParked(ctx)
	if s.resumed.Load() || s.Away() || errors.Is(s.Err(), ErrServerClosed) && !s.Mode().Async() {
		return // without async a hangup waits for the application that runs, as the end of the connection does
	}
	cause := call.NormalClearing
	if err != nil {
		cause = cmp.Or(srv.FailureCause, call.NormalTemporaryFailure)
	}
	if err := s.Hangup(ctx, cause); err != nil && s.conn.Err() == nil && !errors.Is(err, ErrServerClosed) {
		srv.logger().Warn("a call could not be hung up, its connection is closed", "call", s.UUID(), "error", err)
	}
}

// part closes the connection: our side first, and all of it once FreeSWITCH has closed
// its own. FreeSWITCH may just be telling of the hangup, and what arrives at a closed
// socket is answered with a reset, which FreeSWITCH would see in place of the end.
func (srv *Server) part(s *Session) {
	defer func() { _ = s.conn.Close() }()
	half, ok := s.nc.(interface{ CloseWrite() error })
	if !ok || s.conn.Err() != nil || half.CloseWrite() != nil {
		return
	}
	timer := time.NewTimer(partingTimeout)
	defer timer.Stop()
	select { // the connection is read on
	case <-s.conn.Done():
	case <-timer.C:
	case <-srv.context().Done():
	}
}

func (srv *Server) tracer() trace.Tracer {
	tracers := srv.TracerProvider
	if tracers == nil {
		tracers = noop.NewTracerProvider()
	}
	return tracers.Tracer("github.com/genesis-esl/genesis/outbound")
}
