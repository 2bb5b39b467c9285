package outbound

import (
	"context"
	"time"

	"github.com/genesis-esl/genesis/call"
	"github.com/genesis-esl/genesis/esl"
)

// legs is the controller of the other legs.
func (s *Session) legs() *call.Controller {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.others == nil {
		s.others = call.NewController(s.srv.context(), s.conn, call.ControllerConfig{
			Mode: call.Remote, Instruments: s.srv.Instruments, Logger: s.srv.logger(), Watch: s.watch, Unwatch: s.unwatch,
		})
		if s.over != nil {
			s.others.Close(s.over)
		}
	}
	return s.others
}

// ofLeg gives an event to the leg it is about, if that is one of ours.
func (s *Session) ofLeg(ev *esl.Event) bool {
	s.mu.Lock()
	others := s.others
	s.mu.Unlock()
	return others != nil && others.Handle(ev)
}

// endLegs ends what this session has made: their connection has ended.
func (s *Session) endLegs(err error) {
	s.mu.Lock()
	s.over = err
	others := s.others
	s.mu.Unlock()
	if others != nil {
		others.Close(err)
	}
}

// watch lets the events of another leg through.
func (s *Session) watch(ctx context.Context, uuid string) error {
	_, err := s.conn.Send(ctx, esl.Line("filter Unique-ID "+uuid))
	return err
}

// unwatchTimeout bounds a command nobody waits for.
const unwatchTimeout = 5 * time.Second

// unwatch keeps them away again. It runs where events are handled, so it does not
// wait for the reply.
func (s *Session) unwatch(uuid string) {
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), unwatchTimeout)
		defer cancel()
		_, _ = s.conn.Send(ctx, esl.Line("filter delete Unique-ID "+uuid)) // the connection may be gone
	}()
}

// Originate makes another call, from this session: its channel is controlled over
// this connection and ends with it. It needs full. See call.Controller.Originate.
func (s *Session) Originate(ctx context.Context, o call.Originate) (*call.Channel, error) {
	if !s.Mode().Full() {
		return nil, &call.ModeError{Operation: "another leg", Mode: s.Mode(), Needs: "full"}
	}
	return s.legs().Originate(ctx, o)
}
