package call

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/genesis-esl/genesis/esl"
)

// Bridged tells how a bridge ended.
type Bridged struct {
	// Peer is the Unique-ID of the other leg; empty when none answered.
	Peer string
	// Cause is the other leg's hangup cause; empty if FreeSWITCH did not say.
	Cause Cause
	// Answered tells whether the other leg ever answered.
	Answered bool
}

// prepareBridge lets a call live on after its bridge has failed or ended; FreeSWITCH
// would hang it up after a failure.
func (c *Channel) prepareBridge(ctx context.Context) error {
	c.mu.Lock()
	done := c.prepared
	c.mu.Unlock()
	if done {
		return nil
	}
	if err := c.SetMany(ctx, Vars{"continue_on_fail": "true", "hangup_after_bridge": "false"}); err != nil {
		return err
	}
	c.mu.Lock()
	c.prepared = true
	c.mu.Unlock()
	return nil
}

// BridgeTo calls a destination and connects the two until one of them hangs up. It
// returns the other leg and why it ended. When nobody answers, the error is a
// *HangupError with the cause; its UUID is not this channel's, because this call
// goes on. When ctx ends, so does the bridge, ringing or connected.
func (c *Channel) BridgeTo(ctx context.Context, to Dial) (b Bridged, err error) {
	ctx, done := c.begin(ctx, opBridge, attr("bridge.to", to.String()))
	defer func() { done(err) }()
	legs := to.name()
	arg, err := legs.dial.Encode()
	if err != nil {
		return b, err
	}
	if err := c.prepareBridge(ctx); err != nil {
		return b, err
	}
	ev, err := c.executeHalting(ctx, "bridge", arg, func(ctx context.Context, peer string) { c.killLegs(ctx, legs, peer) })
	if err != nil {
		return b, err
	}
	return c.outcome(ctx, ev)
}

// outcome is how the call went that an application has made, from the event that ended
// it.
func (c *Channel) outcome(ctx context.Context, ev *esl.Event) (Bridged, error) {
	b := bridged(ev)
	if ctx.Err() != nil {
		return b, c.ended(ctx)
	}
	if !b.Answered {
		return b, &HangupError{UUID: b.Peer, Cause: b.Cause}
	}
	return b, nil
}

// bridged reads the outcome from the event that ended a bridge.
func bridged(ev *esl.Event) Bridged {
	first := func(names ...string) string {
		for _, name := range names {
			if v := ev.Variable(name); v != "" {
				return strings.Clone(v)
			}
		}
		return ""
	}
	disposition := first("originate_disposition", "DIALSTATUS")
	b := Bridged{Peer: first("bridge_uuid", "last_bridge_to", "signal_bond")}
	b.Answered = disposition == "SUCCESS" || disposition == "ANSWER"
	if !b.Answered {
		b.Peer = ""
		b.Cause = Cause(disposition)
		return b
	}
	b.Cause = Cause(first("bridge_hangup_cause", "last_bridge_hangup_cause"))
	return b
}

// killTimeout bounds commands for which nobody waits any more.
const killTimeout = 2 * time.Second

// killLegs ends legs that are not wanted any more. peer is whom they have been connected
// with, if that is known: a dial string can lead to a leg of another name.
func (c *Channel) killLegs(ctx context.Context, legs namedLegs, peer string) {
	if !c.mode.Full() || !c.mode.Async() {
		return
	}
	uuids := legs.uuids
	if legs.mark != "" {
		_, _ = c.t.API(ctx, legs.hupall(OriginatorCancel)) // there may be none yet
	}
	if peer != "" && !slices.Contains(uuids, peer) {
		uuids = append(slices.Clip(uuids), peer)
	}
	for _, uuid := range uuids {
		_, _ = c.t.API(ctx, "uuid_kill "+uuid+" "+string(OriginatorCancel)) // it may be gone, or never have been
	}
}

// Connect connects this call with another one and returns as soon as they hear each
// other. Both must be up, and it needs full. If one of them is the call of an outbound
// session, FreeSWITCH takes it away from its connection: the session's handler should
// return, and no event reports the hangup. Where the hangup matters, as to a
// ring.Balancer, use Bridge.
func (c *Channel) Connect(ctx context.Context, other *Channel) (err error) {
	ctx, done := c.begin(ctx, opBridge, attr("channel.other_uuid", other.UUID()))
	defer func() { done(err) }()
	return c.connect(ctx, other)
}

func (c *Channel) connect(ctx context.Context, other *Channel) error {
	if err := c.needFull("connecting two channels"); err != nil {
		return err
	}
	if other == c {
		return fmt.Errorf("call: a channel cannot be connected with itself: %w", ErrUnencodable)
	}
	for _, leg := range []*Channel{c, other} {
		if err := leg.ready(ctx); err != nil {
			return err
		}
	}
	if err := c.letGo(ctx); err != nil {
		return err
	}
	if err := other.letGo(ctx); err != nil {
		c.setAway(false)
		return err
	}
	w, err := c.awaitNext(ctx, named([]string{"CHANNEL_BRIDGE"}))
	if err != nil {
		c.takeBack(other)
		return err
	}
	if _, err := c.t.API(ctx, "uuid_bridge "+c.uuid+" "+other.uuid); err != nil {
		c.forget(w)
		c.takeBack(other)
		return c.notConnected(ctx, other, err)
	}
	return c.connected(ctx, w, other)
}

// takeBack undoes letGo of two channels that are not connected, or not any more.
func (c *Channel) takeBack(other *Channel) {
	c.setAway(false)
	other.setAway(false)
}

// notConnected makes sense of a refused uuid_bridge. "Invalid uuid" does not say which
// of the two is gone, and the other one lives on.
func (c *Channel) notConnected(ctx context.Context, other *Channel, err error) error {
	if !isGone(err) {
		return c.explain(ctx, err)
	}
	tick := time.NewTicker(goneGrace / 5)
	defer tick.Stop()
	for range 5 {
		for _, leg := range []*Channel{other, c} {
			if leg.ctx.Err() != nil {
				return leg.Err()
			}
			there, failed := exists(ctx, c.t, leg.uuid)
			if failed != nil {
				return c.explain(ctx, failed)
			}
			if !there {
				return leg.explain(ctx, err)
			}
		}
		select { // one may be about to go
		case <-other.Done():
		case <-c.Done():
		case <-ctx.Done():
			return c.ended(ctx)
		case <-tick.C:
		}
	}
	return err // it could not connect them, though both are there
}

// connected waits for the bridge, or for either leg's end.
func (c *Channel) connected(ctx context.Context, w *waiter, other *Channel) error {
	select {
	case ev := <-w.found:
		_, err := c.found(ev)
		return err
	case <-other.Done():
		if _, came, err := c.forgetUnlessCame(w); came {
			return err
		}
		if other.mode != Remote && other.left() {
			return nil // FreeSWITCH has taken it away, as it does
		}
		c.takeBack(other)
		return other.Err()
	case <-c.ctx.Done():
		if _, came, err := c.forgetUnlessCame(w); came {
			return err
		}
		if c.left() {
			return nil // FreeSWITCH has taken it away, as it does
		}
		return c.Err()
	case <-ctx.Done():
		c.forget(w)
		return c.ended(ctx)
	}
}

// Bridge connects this call with another one until one of them hangs up or somebody
// parts them, and returns how the other leg ended. The other leg is hung up when ctx
// ends, and when a server or controller that is being closed ends the channels. It
// needs full.
func (c *Channel) Bridge(ctx context.Context, other *Channel) (b Bridged, err error) {
	ctx, done := c.begin(ctx, opBridge, attr("channel.other_uuid", other.UUID()))
	defer func() { done(err) }()
	apart, err := c.awaitNext(ctx, parting())
	if err != nil {
		return b, err
	}
	defer c.forget(apart)
	if err := c.connect(ctx, other); err != nil {
		c.dropLeg(ctx, other) // FreeSWITCH may be about to connect them
		return b, err
	}
	b = Bridged{Peer: other.UUID(), Answered: true}
	if err := c.parted(ctx, apart, other); err != nil {
		c.dropLeg(ctx, other)
		return b, err
	}
	c.takeBack(other)
	b.Cause = other.settled(ctx)
	return b, nil
}

// parting matches the end of the next bridge: who is connected with somebody already is parted
// from him first.
func parting() func(string, *esl.Event) bool {
	bridged := false
	return func(name string, _ *esl.Event) bool {
		bridged = bridged || name == "CHANNEL_BRIDGE"
		return bridged && name == "CHANNEL_UNBRIDGE"
	}
}

// parted waits for the end of a bridge.
func (c *Channel) parted(ctx context.Context, apart *waiter, other *Channel) error {
	select {
	case ev := <-apart.found:
		_, err := c.found(ev)
		return err
	case <-other.Done():
		if isHangup(other.Err()) {
			return nil
		}
		return other.Err()
	case <-c.ctx.Done():
		return c.Err()
	case <-ctx.Done():
		return c.ended(ctx)
	}
}

// dropLeg hangs up the other leg of a bridge whose context has ended, or one of whose
// channels has without having hung up.
func (c *Channel) dropLeg(ctx context.Context, other *Channel) {
	if c.unreachable() || other.unreachable() || ctx.Err() == nil && c.ctx.Err() == nil && other.ctx.Err() == nil {
		return
	}
	kill, cancel := context.WithTimeout(context.WithoutCancel(ctx), killTimeout)
	defer cancel()
	c.killLegs(kill, namedLegs{uuids: []string{other.UUID()}}, "")
}

// settled waits a moment for the cause of a leg whose bridge has ended: unbridging
// and hangup come as two events.
func (c *Channel) settled(ctx context.Context) Cause {
	timer := time.NewTimer(goneGrace)
	defer timer.Stop()
	select {
	case <-c.Done():
	case <-timer.C:
	case <-ctx.Done():
	}
	if hangup, ok := c.hangupError(); ok {
		return hangup.Cause
	}
	return ""
}
