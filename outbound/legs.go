package outbound

import (
	"context"
	"time"

	"github.com/genesis-esl/genesis/call"
	"github.com/genesis-esl/genesis/esl"
)

// watch lets the events of another leg through.
func (s *Session) watch(ctx context.Context, uuid string) error {
	if !s.Mode().Full() {
		return &call.ModeError{Operation: "another leg", Mode: s.Mode(), Needs: "full"}
	}
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
	return s.legs.Originate(ctx, o)
}
