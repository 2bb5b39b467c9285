package outbound

import (
	"context"
	"errors"
	"slices"
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
	s.filters.Lock()
	defer s.filters.Unlock()
	_, err := s.conn.Send(ctx, esl.Line("filter Unique-ID "+uuid))
	return err
}

// unwatchTimeout bounds a command nobody waits for.
const unwatchTimeout = 5 * time.Second

// unwatch keeps them away again, unless the next call has the same UUID. It runs where
// events are handled, so it does not wait for the reply.
func (s *Session) unwatch(uuid string) {
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), unwatchTimeout)
		defer cancel()
		s.filters.Lock()
		defer s.filters.Unlock()
		if _, again := s.Leg(uuid); again {
			return
		}
		_, _ = s.conn.Send(ctx, esl.Line("filter delete Unique-ID "+uuid)) // the connection may be gone
	}()
}

// Originate makes another call from this session. The session's connection controls its
// channel, which ends with that connection. It needs full. See
// call.Controller.Originate.
//
// When the handler has returned, a leg that is still parked is hung up with
// NormalClearing, as nobody could control it any more. A leg lives on when it is
// bridged, was transferred, runs an application, or was made with an App (park is one
// too) or Extension of its own. If the connection was lost before, every leg lives on.
func (s *Session) Originate(ctx context.Context, o call.Originate) (*call.Channel, error) {
	if err := s.needFull("another leg"); err != nil {
		return nil, err
	}
	leg, err := s.legs().Originate(ctx, o)
	if err == nil && o.App.Name == "" && o.Extension.Number == "" {
		s.mu.Lock()
		s.parked = append(slices.DeleteFunc(s.parked, over), leg)
		s.mu.Unlock()
	}
	return leg, err
}

// over tells whether a leg has hung up.
func over(leg *call.Channel) bool {
	var hangup *call.HangupError
	return errors.As(leg.Err(), &hangup)
}

// endParked hangs up the legs that nobody will control any more.
func (s *Session) endParked(ctx context.Context) {
	s.mu.Lock()
	legs := s.parked
	s.parked = nil
	s.mu.Unlock()
	for _, leg := range legs {
		if !over(leg) && !leg.Away() && s.isParked(ctx, leg) {
			_ = leg.Hangup(ctx, call.NormalClearing) // gone, or FreeSWITCH is
		}
	}
}

// parkGrace is how long a leg that has been answered may take to be parked, and how long
// an event may be under way.
const parkGrace = time.Second

// parkStates are the states that a parked call is in. Their numbers say which state a call has been
// told to go to: where it has been sent elsewhere just now, that is another one already.
var parkStates = map[call.State]string{call.StateExecute: "4", call.StatePark: "6"}

// isParked asks how the leg is. The answer comes behind the events of what was done to it
// before; what has been done just now, the events may not yet tell, but its state does.
func (s *Session) isParked(ctx context.Context, leg *call.Channel) bool {
	dump := "uuid_dump " + leg.UUID() + " json"
	short, cancel := context.WithTimeout(ctx, parkGrace)
	defer cancel()
	out, err := s.conn.BgAPI(short, dump)
	if errors.Is(err, context.DeadlineExceeded) { // no jobs here, but then the events have come by now
		out, err = s.conn.API(ctx, dump)
	}
	if err != nil {
		return false
	}
	ev, err := esl.ParseEvent(esl.JSON, []byte(out))
	if err != nil {
		return false
	}
	if number, ok := parkStates[call.State(ev.Get("Channel-State"))]; !ok || ev.Get("Channel-State-Number") != number {
		return false
	}
	short, cancel = context.WithTimeout(ctx, parkGrace)
	defer cancel()
	_ = leg.WaitPark(short) // Parked tells
	return leg.Parked()
}
