package esltest

import (
	"strings"
	"sync/atomic"
	"time"

	"github.com/genesis-esl/genesis/esl"
)

// appBridge calls a dial string and connects the caller with whoever answers.
func appBridge(ch *channel, arg string) {
	d := parseDial(arg)
	d.from = ch
	d.vars = append(ch.exports(), d.vars...)
	b, cause := ch.core.dial(ch.core.ctx, d)
	if b == nil {
		ch.bridgeFailed(cause)
		return
	}
	ch.answer()
	ch.setVariable("originate_disposition", "SUCCESS")
	ch.setVariable("DIALSTATUS", "SUCCESS")
	ch.connect(b)
	close(b.launched)
	ch.exchange()
	ch.bridgeEnded(b)
}

// bridgeFailed ends the call with the cause of the failure unless
// continue_on_fail says otherwise.
func (ch *channel) bridgeFailed(cause string) {
	ch.mu.Lock()
	ch.set("originate_disposition", cause)
	ch.set("DIALSTATUS", dialStatus(cause))
	ch.set("last_bridge_hangup_cause", cause)
	goOn, _ := ch.get("continue_on_fail")
	ch.mu.Unlock()
	if goOn == "true" || strings.Contains(","+goOn+",", ","+cause+",") {
		return
	}
	ch.hangup(cause, "")
}

func dialStatus(cause string) string {
	switch cause {
	case "USER_BUSY":
		return "BUSY"
	case "NO_ANSWER", "NO_USER_RESPONSE":
		return "NOANSWER"
	case "ORIGINATOR_CANCEL":
		return "CANCEL"
	case "CALL_REJECTED":
		return "DONTCALL"
	case "UNALLOCATED_NUMBER", "NO_ROUTE_DESTINATION":
		return "INVALIDARGS"
	default:
		return "CHANUNAVAIL"
	}
}

// connect makes the two legs partners and says so; the channel is the caller's
// leg. What it returns stands for this bridge.
func (ch *channel) connect(b *channel) (bond *atomic.Bool) {
	now := micros(time.Now())
	for _, leg := range [2]*channel{ch, b} {
		leg.mu.Lock()
		leg.profile.bridged = now
		leg.mu.Unlock()
	}
	mine, theirs := ch.asOther(), b.asOther()
	bond = new(atomic.Bool)
	b.mu.Lock()
	b.bond, b.partner, b.otherUUID, b.otherLeg = bond, ch, ch.uuid, mine
	b.set("signal_bond", ch.uuid)
	b.set("bridge_channel", ch.name)
	b.set("bridge_uuid", ch.uuid)
	b.set("last_bridge_to", ch.uuid)
	b.mu.Unlock()
	ch.mu.Lock()
	ch.bond, ch.partner, ch.otherUUID, ch.otherLeg = bond, b, b.uuid, theirs
	ch.set("signal_bond", b.uuid)
	ch.set("bridge_channel", b.name)
	ch.set("bridge_uuid", b.uuid)
	ch.set("last_bridge_to", b.uuid)
	ch.fire(evChannelBridge, srcBridge, []esl.Header{
		{Name: "Bridge-A-Unique-ID", Value: ch.uuid}, {Name: "Bridge-B-Unique-ID", Value: b.uuid}})
	ch.mu.Unlock()
	return bond
}

// exchange is a session during a bridge: it lasts until either leg hangs up or
// goes elsewhere. A leg that is bridged anew meanwhile goes on with that bridge.
func (ch *channel) exchange() {
	for {
		ch.mu.Lock()
		partner, bond := ch.partner, ch.bond
		if partner != nil && ch.running != csExchangeMedia && ch.profile.direction == outboundCall && ch.state < csHangup {
			ch.state = csExchangeMedia
			ch.setRunning(csExchangeMedia)
		}
		ch.mu.Unlock()
		if partner == nil {
			return
		}
		out := ch.waitBridged(partner, bond, func(d dtmf) bool {
			partner.heard(d)
			return false
		})
		if out == gone || out == moved || !partner.alive() {
			ch.part(bond)
			return
		}
		if !ch.bondedBy(bond) {
			continue
		}
		if !partner.bondedBy(bond) {
			ch.part(bond)
			return
		}
	}
}

// bondedBy says whether the channel is in the bridge that bond stands for.
func (ch *channel) bondedBy(bond *atomic.Bool) bool {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	return ch.bond == bond
}

// heard records a digit that the far end has sent through the bridge.
func (ch *channel) heard(d dtmf) {
	ch.mu.Lock()
	ch.sentDigits = append(ch.sentDigits, d.digit)
	ch.noteChange()
	ch.mu.Unlock()
}

// part ends the bridge as this leg sees it; the first of the two fires
// CHANNEL_UNBRIDGE.
func (ch *channel) part(bond *atomic.Bool) {
	ch.mu.Lock()
	partner := ch.partner
	if ch.bond != bond || partner == nil {
		ch.mu.Unlock()
		return
	}
	ch.unbond(bond)
	going := ch.transfer
	ch.mu.Unlock()
	partner.mu.Lock()
	cause := partner.cause
	partner.mu.Unlock()
	if cause != "" {
		ch.setVariable("last_bridge_hangup_cause", cause)
		ch.setVariable("bridge_hangup_cause", cause)
	}
	partner.nudge()
	if !going && ch.profile.direction == outboundCall {
		if cause == "" {
			cause = "NORMAL_CLEARING"
		}
		ch.hangup(cause, "")
	}
}

// unbond takes the channel out of its bridge. The caller holds mu.
func (ch *channel) unbond(bond *atomic.Bool) {
	if bond.CompareAndSwap(false, true) {
		ch.fire(evChannelUnbridge, srcUnbridge, []esl.Header{
			{Name: "Bridge-A-Unique-ID", Value: ch.uuid}, {Name: "Bridge-B-Unique-ID", Value: ch.otherUUID}})
	}
	ch.partner, ch.bond, ch.otherUUID, ch.otherLeg = nil, nil, "", nil
}

// bridgeEnded decides whether the caller goes on after the bridge.
func (ch *channel) bridgeEnded(b *channel) {
	b.mu.Lock()
	cause := b.cause
	b.mu.Unlock()
	if after, _ := ch.variable("hangup_after_bridge"); after == "true" && cause != "" {
		ch.hangup(cause, "")
	}
}

// joinWith is uuid_bridge: both channels leave what they were doing and are
// connected.
func (ch *channel) joinWith(b *channel) {
	// Each leg is sent elsewhere before its bridge is taken from it, or else it
	// would end with the bridge.
	for _, leg := range [2]*channel{ch, b} {
		leg.redirect("", "", "", []Action{{App: holdApp}})
		leg.abandon()
	}
	ch.connect(b)
	join := []Action{{App: joinApp}}
	b.redirect("", "", "", join)
	ch.redirect("", "", "", join)
}

// joinApp is the action of a channel that uuid_bridge has connected. It is no
// application: no CHANNEL_EXECUTE tells of it.
const joinApp = "\x00join"

// abandon takes both legs out of a channel's bridge.
func (ch *channel) abandon() {
	ch.mu.Lock()
	partner, bond := ch.partner, ch.bond
	if partner == nil {
		ch.mu.Unlock()
		return
	}
	ch.unbond(bond)
	ch.mu.Unlock()
	partner.mu.Lock()
	if partner.bond == bond {
		partner.unbond(bond)
	}
	partner.mu.Unlock()
	partner.nudge()
}
