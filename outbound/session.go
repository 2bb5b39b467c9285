package outbound

import (
	"context"
	"net"
	"sync"
	"sync/atomic"

	"github.com/genesis-esl/genesis/call"
	"github.com/genesis-esl/genesis/esl"
)

// Session is one call that FreeSWITCH has handed to us: its Channel, and the
// connection of that call. It is safe for concurrent use.
type Session struct {
	*call.Channel
	nc      net.Conn // that of conn
	conn    *esl.Conn
	srv     *Server
	connect *esl.Event
	resumed atomic.Bool
	ended   chan struct{} // closed when the connection has, and all its events are handled

	intake sync.Mutex   // held while an event is handled
	early  []*esl.Event // what came before there was a Channel
	room   int          // bytes of memory that may still come before

	filters sync.Mutex // held while one is changed, as one change must not overtake the other

	mu     sync.Mutex
	others *call.Controller // of legs that this session has made; nil while there are none
	over   error            // of the connection
	parked []*call.Channel  // legs that were made to be controlled from here
}

// ConnectEvent returns what FreeSWITCH sent when it connected: all headers and
// variables of the call at that time.
func (s *Session) ConnectEvent() *esl.Event { return s.connect }

// RemoteAddr returns FreeSWITCH's end of the connection.
func (s *Session) RemoteAddr() net.Addr { return s.conn.RemoteAddr() }

// API runs an api command that ends at once, and returns its output. It needs full.
// Errors are those of esl.Conn.API, or a *call.ModeError.
func (s *Session) API(ctx context.Context, cmd string) (string, error) {
	if err := s.needFull("api"); err != nil {
		return "", err
	}
	return s.conn.API(ctx, cmd)
}

// BgAPI runs an api command in the background, and waits for its output. It needs
// full. Errors are those of esl.Conn.BgAPI, or a *call.ModeError.
func (s *Session) BgAPI(ctx context.Context, cmd string) (string, error) {
	if err := s.needFull("bgapi"); err != nil {
		return "", err
	}
	return s.conn.BgAPI(ctx, cmd)
}

// needFull is the error of an operation that takes api commands.
func (s *Session) needFull(operation string) error {
	if s.Mode().Full() {
		return nil
	}
	return &call.ModeError{Operation: operation, Mode: s.Mode(), Needs: "full"}
}

// Resume has the dialplan continue after the socket action when the handler
// returns; the call is not hung up then. Errors are those of esl.Conn.Send.
func (s *Session) Resume(ctx context.Context) error {
	if _, err := s.conn.Send(ctx, esl.Line("resume")); err != nil {
		return err
	}
	s.resumed.Store(true)
	return nil
}

// Leg returns the channel of another leg that this session controls, which is one
// that it has originated.
func (s *Session) Leg(uuid string) (*call.Channel, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.others == nil {
		return nil, false
	}
	return s.others.Channel(uuid)
}

// open makes the channel known to the goroutine that reads the connection.
func (s *Session) open(c *call.Channel) {
	s.intake.Lock()
	defer s.intake.Unlock()
	s.Channel = c
	for _, ev := range s.early {
		s.take(ev)
	}
	s.early = nil
}

// deliver gives the channels an event.
func (s *Session) deliver(ev *esl.Event) {
	s.intake.Lock()
	defer s.intake.Unlock()
	if s.Channel != nil {
		s.take(ev)
		return
	}
	if s.room -= ev.Size(); s.room < 0 || len(s.early) == maxEarly {
		_ = s.nc.Close() // whoever is behind it, FreeSWITCH is not
		return
	}
	s.early = append(s.early, ev)
}

// Before the answer to connect FreeSWITCH sends a notice at most.
const (
	maxEarly      = 100
	maxEarlyBytes = 1 << 20
)

// lost ends the channels with their connection.
func (s *Session) lost(err error) {
	s.intake.Lock()
	defer s.intake.Unlock()
	if s.Channel != nil {
		lost := &esl.DisconnectedError{Sent: true, Cause: err}
		s.Lost(lost)
		s.endLegs(lost)
	}
	close(s.ended)
}

// take gives an event to its channel. What is about no leg is part of the session.
func (s *Session) take(ev *esl.Event) {
	if ev.UUID() != s.UUID() && s.ofLeg(ev) {
		return
	}
	s.HandleEvent(ev)
	if ev.Name() == "SERVER_DISCONNECTED" && ev.Get("Content-Disposition") == "linger" && !s.Away() {
		// The call is over even if no event said so.
		s.Ended()
	}
}
