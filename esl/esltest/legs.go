package esltest

import (
	"strings"
	"time"

	"github.com/genesis-esl/genesis/esl"
)

// outgoingVars are the variables that an outgoing leg starts with. The caller
// holds mu.
func (ch *channel) outgoingVars(renamed bool) {
	ch.add("direction", outboundCall, "is_outbound", "true")
	if !renamed {
		ch.add("uuid", ch.uuid)
	}
	ch.add("session_id", itoa(ch.number), "read_codec", "L16", "read_rate", "8000",
		"write_codec", "L16", "write_rate", "8000", "channel_name", ch.name)
	if renamed {
		ch.add("uuid", ch.uuid)
	}
	ch.add("call_uuid", ch.uuid)
}

// newLoopback makes the two legs of loopback/EXT/CONTEXT: the a-leg goes to
// whoever called, the b-leg runs the dialplan.
func (c *core) newLoopback(d *dialing, vars []esl.Header, target, uuid string) (*channel, string) {
	parts := append(strings.Split(target, "/"), "", "")
	ext, context := parts[1], parts[2]
	if context == "" {
		context = "default"
	}
	a := c.newChannel(target+"-a", "", outboundCall)
	a.kind = "loopback"
	a.launched = make(chan struct{})
	b := c.newChannel("loopback/"+ext+"-b", "", inboundCall)
	b.kind = "loopback"
	old := a.uuid
	a.mu.Lock()
	defer a.mu.Unlock()
	a.logNew()
	a.setCodecs()
	a.logf(&logRename, "Rename Channel %s->loopback/%s-a [%s]", a.name, ext, old)
	a.name = "loopback/" + ext + "-a"
	a.logf(&logPoint{7, "0", fileLoopback, "channel_outgoing_channel", "1262"}, "(%s) State Change CS_NEW -> CS_INIT", a.name)
	if uuid != "" {
		a.uuid = uuid
		a.logf(&logSetUUID, "%s set UUID=%s", a.name, uuid)
	}
	if !c.enter(a) {
		return nil, c.refusal(a.uuid)
	}
	if !c.enter(b) {
		c.leave(a)
		return nil, "NORMAL_TEMPORARY_FAILURE"
	}
	a.peer, b.peer = b, a
	a.callerOf(d, vars)
	last := target[strings.LastIndexByte(target, '/')+1:]
	p := &a.profile
	p.calleeNumber, p.dest, p.source, p.context = last, ext, "mod_loopback", context

	a.state = csInit
	a.outgoingVars(uuid != "")
	if uuid != "" {
		a.fire(evChannelUUID, srcUUID, []esl.Header{{Name: "Old-Unique-ID", Value: old}})
	}
	a.fire(evChannelOutgoing, srcOutgoing, nil)
	a.setRunning(csInit)
	a.logState(csInit, "")
	for _, v := range vars {
		a.set(v.Name, v.Value)
	}
	a.set("originate_early_media", earlyMedia(vars))
	a.add("originate_endpoint", "loopback", "other_loopback_leg_uuid", b.uuid, "loopback_leg", "A")

	b.loopbackB(a, vars)
	a.routeOut()
	c.wg.Go(b.runInbound)
	c.wg.Go(a.runOutgoing)
	return a, ""
}

// loopbackB prepares the b-leg of a loopback pair, which shows the same caller
// as its a-leg. The caller holds the a-leg's mu.
func (ch *channel) loopbackB(a *channel, vars []esl.Header) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	ch.logNew()
	ch.logf(&logPoint{7, "0", fileLoopback, "channel_on_init", "288"}, "(%s) State Change CS_NEW -> CS_INIT", ch.name)
	ch.logf(&logOtherFrom, "setting other_loopback_from_uuid on b leg to (null)")
	p, from := &ch.profile, &a.profile
	p.cidName, p.cidNumber, p.ani = from.cidName, from.cidNumber, from.ani
	p.origName, p.origNumber = from.origName, from.origNumber
	p.calleeName, p.calleeNumber = from.calleeName, from.calleeNumber
	p.dest, p.source, p.context = from.dest, from.source, from.context
	ch.setCodecs()
	ch.add("direction", inboundCall, "uuid", ch.uuid, "call_uuid", ch.uuid, "session_id", itoa(ch.number),
		"channel_name", ch.name, "read_codec", "L16", "read_rate", "8000", "write_codec", "L16", "write_rate", "8000")
	for _, v := range vars {
		ch.set(v.Name, v.Value)
	}
	ch.add("other_loopback_leg_uuid", a.uuid, "loopback_leg", "B")
}

// logNew tells of a new channel and its codec.
func (ch *channel) logNew() {
	ch.logf(&logNew, "New Channel %s [%s]", ch.name, ch.uuid)
	if ch.kind == "loopback" {
		ch.logf(&logCodec, "%s setup codec L16/8000/20", ch.name)
	}
}

// routeOut takes an outgoing leg to the state in which it waits for an answer.
// The caller holds mu.
func (ch *channel) routeOut() {
	ch.logChange(csInit, csRouting)
	ch.state = csRouting
	ch.fire(evChannelCreate, srcCreate, nil)
	ch.fire(evChannelOriginate, srcOriginate, nil)
	ch.logAsleep(csInit)
	ch.setRunning(csRouting)
	ch.logState(csRouting, "")
	ch.logChange(csRouting, csConsumeMedia)
	ch.state = csConsumeMedia
	ch.logAsleep(csRouting)
	ch.setRunning(csConsumeMedia)
	ch.logState(csConsumeMedia, "")
	ch.logAsleep(csConsumeMedia)
}

func earlyMedia(vars []esl.Header) string {
	for _, v := range vars {
		if strings.EqualFold(v.Name, "ignore_early_media") && v.Value == "true" {
			return ""
		}
	}
	return "true"
}

func (c *core) refusal(uuid string) string {
	if c.channel(uuid) != nil {
		return "DESTINATION_OUT_OF_ORDER"
	}
	return "NORMAL_TEMPORARY_FAILURE"
}

// newEndpointLeg makes a leg to a phone or a gateway, which behaves as
// Config.Endpoints says.
func (c *core) newEndpointLeg(d *dialing, vars []esl.Header, target, uuid string) (*channel, string) {
	ep := c.srv.plan.endpoint(target)
	kind, rest, _ := strings.Cut(target, "/")
	if kind == "error" {
		return nil, ep.Cause
	}
	name := target
	dest := rest[strings.LastIndexByte(rest, '/')+1:]
	if kind == "user" {
		dest, _, _ = strings.Cut(dest, "@")
		name = "sofia/internal/" + dest + "@" + c.srv.cfg.Domain
	}
	ch := c.newChannel(name, "", outboundCall)
	ch.kind = kind
	ch.launched = make(chan struct{})
	old := ch.uuid
	ch.mu.Lock()
	defer ch.mu.Unlock()
	ch.logNew()
	ch.setCodecs()
	if uuid != "" {
		ch.uuid = uuid
	}
	if !c.enter(ch) {
		return nil, c.refusal(ch.uuid)
	}
	ch.callerOf(d, vars)
	p := &ch.profile
	p.calleeNumber, p.dest, p.source, p.context = dest, dest, "mod_sofia", "default"
	ch.state = csInit
	ch.outgoingVars(uuid != "")
	if uuid != "" {
		ch.fire(evChannelUUID, srcUUID, []esl.Header{{Name: "Old-Unique-ID", Value: old}})
	}
	ch.fire(evChannelOutgoing, srcOutgoing, nil)
	ch.setRunning(csInit)
	for _, v := range vars {
		ch.set(v.Name, v.Value)
	}
	ch.set("originate_early_media", earlyMedia(vars))
	ch.add("originate_endpoint", kind)
	ch.routeOut()
	c.wg.Go(ch.runOutgoing)
	c.wg.Go(func() { ch.behave(ep) })
	return ch, ""
}

// behave plays the called party.
func (ch *channel) behave(ep Endpoint) {
	if !ch.pause(ep.Ring) {
		return
	}
	if ep.Cause == "" || ep.Answer > 0 {
		ch.ring()
	}
	if ep.Answer < 0 {
		return
	}
	if !ch.pause(ep.Answer) {
		return
	}
	if ep.Cause != "" {
		ch.hangup(ep.Cause, "callee")
		return
	}
	ch.markAnswered()
	if ep.Digits != "" {
		ch.press(ep.Digits, "RTP", 2000)
	}
	if ep.Hangup > 0 && ch.pause(ep.Hangup) {
		ch.hangup("NORMAL_CLEARING", "callee")
	}
}

// pause waits unless the channel ends first.
func (ch *channel) pause(d time.Duration) bool {
	if d <= 0 {
		return ch.alive()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ch.gone:
		return false
	case <-ch.core.ctx.Done():
		return false
	}
}

// runOutgoing is the session of an outgoing leg: it waits until originate
// launches it or it hangs up.
func (ch *channel) runOutgoing() {
	select {
	case <-ch.launched:
		ch.runLaunched()
	case <-ch.gone:
	case <-ch.core.ctx.Done():
		ch.hangup("SYSTEM_SHUTDOWN", "")
	}
	ch.finish()
}

func (ch *channel) runLaunched() {
	ch.mu.Lock()
	direct := len(ch.apps) > 0
	bridged := ch.partner != nil && !direct
	ch.mu.Unlock()
	switch {
	case bridged:
		ch.exchange()
		if ch.takeTransfer() {
			ch.runDialplan()
		}
	case direct:
		if ch.runExecute() {
			ch.runDialplan()
		}
	default:
		ch.runDialplan()
	}
}
