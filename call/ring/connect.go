package ring

import (
	"context"

	"github.com/genesis-esl/genesis/call"
)

// Caller is the caller that Connect connects: an outbound.Session, or over a client a struct of a *call.Controller and
// a *call.Channel.
type Caller interface {
	call.Originator
	// Context ends when the caller hangs up.
	Context() context.Context
	Answer(ctx context.Context) error
	Bridge(ctx context.Context, other *call.Channel) (call.Bridged, error)
}

// Connect rings for the caller. When somebody takes the call, it answers the caller's call, unless that is answered
// already, and bridges the two until one of them hangs up or ctx ends. It returns who took the call and how their leg
// ended. Their leg is hung up in any case; if the connection of a client is lost, over the next one. Errors are those
// of Ring, Answer and Bridge. After an error of Ring the caller's call goes on, unless the caller has hung up meanwhile
// (a *call.HangupError).
func (r *Ringer) Connect(ctx context.Context, caller Caller, destinations []Destination, mode Mode, opts ...Option) (*Answer, call.Bridged, error) {
	// Only ringing needs to be told: Answer and Bridge end with the call by themselves.
	ringing, cancel := until(ctx, caller.Context())
	answer, err := r.Ring(ringing, caller, destinations, mode, opts...)
	cancel()
	if err != nil {
		return nil, call.Bridged{}, err
	}
	defer hangUp(answer.Channel, call.NormalClearing)
	if err := caller.Answer(ctx); err != nil {
		return answer, call.Bridged{}, err
	}
	bridged, err := caller.Bridge(ctx, answer.Channel)
	return answer, bridged, err
}
