package call

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/genesis-esl/genesis/esl"
)

// EventNames returns the names of the events that a channel needs. Whoever feeds a
// channel must subscribe to them.
func EventNames() []string {
	return []string{
		"CHANNEL_CREATE", "CHANNEL_STATE", "CHANNEL_CALLSTATE", "CHANNEL_ANSWER", "CHANNEL_PROGRESS",
		"CHANNEL_PROGRESS_MEDIA", "CHANNEL_HANGUP", "CHANNEL_HANGUP_COMPLETE", "CHANNEL_EXECUTE",
		"CHANNEL_EXECUTE_COMPLETE", "CHANNEL_BRIDGE", "CHANNEL_UNBRIDGE", "CHANNEL_PARK", "CHANNEL_UNPARK",
		"CHANNEL_HOLD", "CHANNEL_UNHOLD", "CHANNEL_DATA", "CHANNEL_DESTROY", "DTMF",
	}
}

// HandleEvent feeds the channel with an event. Call it in the order in which
// FreeSWITCH sent the events. Events of no channel (a notice, a log line, a background
// job) only go to Wait and to streams; events of another channel are ignored. It never
// blocks.
func (c *Channel) HandleEvent(ev *esl.Event) {
	uuid := ev.UUID()
	if uuid != "" && uuid != c.uuid {
		return // such as the last words of a leg that has been let go of
	}
	name, own := ev.Name(), uuid != ""
	c.mu.Lock()
	if own {
		c.events++
		c.follow(ev)
		c.note(name, ev)
	}
	c.wake(name, ev)
	overflow := c.stream(name, ev)
	c.mu.Unlock()

	if own {
		switch name {
		case "DTMF":
			c.tells.digit(ev.Get("DTMF-Digit"))
		case "CHANNEL_HANGUP", "CHANNEL_HANGUP_COMPLETE", "CHANNEL_DESTROY":
			c.hungUp(ev)
		}
	}
	if overflow && c.cfg.Overflow != nil {
		c.cfg.Overflow()
	}
}

// note takes what an event of a certain name says. c.mu is held.
func (c *Channel) note(name string, ev *esl.Event) {
	switch name {
	case "CHANNEL_PARK":
		c.parked, c.beenParked, c.apps = true, true, 0
	case "CHANNEL_UNPARK":
		c.parked = false
	case "CHANNEL_EXECUTE":
		c.apps++
		if i := c.executing(ev.Get("Application-UUID")); i >= 0 {
			c.running[i].start()
		}
	case "CHANNEL_EXECUTE_COMPLETE":
		c.apps = max(0, c.apps-1)
		// What ends because the call has ended is a hangup (recording h4_sync_full).
		if i := c.executing(ev.Get("Application-UUID")); i >= 0 && c.ctx.Err() == nil {
			c.running[i].done <- ev
			c.running = slices.Delete(c.running, i, i+1)
		}
	case "CHANNEL_BRIDGE":
		c.talksTo(c.otherLeg(ev))
	case "CHANNEL_UNBRIDGE":
		c.talksTo("")
	case "CHANNEL_HANGUP_COMPLETE":
		c.complete = ev
	case "CHANNEL_DESTROY":
		c.state = StateDestroy // the event itself still says CS_REPORTING (recording c_event_plain_all)
	}
}

// talksTo notes the other leg, "" for none. c.mu is held.
func (c *Channel) talksTo(peer string) {
	c.peer = peer
	for _, x := range c.running {
		x.connected(peer)
	}
}

// executing finds an application that runs, -1 if it is none of ours.
func (c *Channel) executing(id string) int {
	return slices.IndexFunc(c.running, func(x *execution) bool { return x.id == id })
}

// follow takes state and variables from an event. c.mu is held.
func (c *Channel) follow(ev *esl.Event) {
	if c.state != StateDestroy { // an event that comes late does not revive it
		learn(&c.state, ev, "Channel-State")
	}
	learn(&c.callState, ev, "Channel-Call-State")
	learn(&c.answer, ev, "Answer-State")
	if _, ok := ev.Lookup("variable_uuid"); ok || c.data == nil {
		c.data = ev
		c.settle(ev)
	}
}

// learn keeps a header's value, without the event that it is part of. Most say what is
// known already.
func learn[S ~string](known *S, ev *esl.Event, name string) {
	if value, ok := ev.Lookup(name); ok && value != string(*known) {
		*known = S(strings.Clone(value))
	}
}

// settleTime is how long an event that was made before a variable was set may be
// under way.
const settleTime = 2 * time.Second

// settle forgets what was set as soon as an event tells the same, or must be newer.
func (c *Channel) settle(ev *esl.Event) {
	if len(c.set) == 0 {
		return
	}
	if time.Since(c.setAt) > settleTime {
		c.set = nil
	}
	for name, value := range c.set {
		if ev.Variable(name) == value {
			delete(c.set, name)
		}
	}
}

// hungUp ends the channel for the reason the event gives.
func (c *Channel) hungUp(ev *esl.Event) {
	if c.ctx.Err() != nil {
		return
	}
	c.finish(&HangupError{UUID: c.uuid, Cause: hangupCause(ev), Event: ev})
}

// finish ends the channel; the first reason counts.
func (c *Channel) finish(err *HangupError) {
	c.mu.Lock()
	over := c.ctx.Err() != nil
	c.end(err)
	c.mu.Unlock()
	if !over {
		c.tells.hangup(c, err)
	}
}

// hangupCause finds the cause in an event; FreeSWITCH writes the header twice in
// some.
func hangupCause(ev *esl.Event) Cause {
	for _, header := range []string{"Hangup-Cause", "variable_hangup_cause"} {
		if cause := ev.Get(header); cause != "" {
			return Cause(strings.Clone(cause))
		}
	}
	return ""
}

// Lost ends the channel because its connection has ended; or, with a *HangupError
// as err, because the channel is known to be gone although no event said so. If we
// had asked for a hangup, the channel ends with that one's cause.
func (c *Channel) Lost(err error) {
	c.mu.Lock()
	asked := c.asked
	c.mu.Unlock()
	var hangup *HangupError
	switch {
	case c.ctx.Err() != nil:
	case errors.As(err, &hangup):
		c.finish(hangup)
	case asked != "":
		c.finish(&HangupError{UUID: c.uuid, Cause: asked})
	default:
		c.end(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lost == nil {
		c.lost = err
		close(c.over)
	}
	for _, s := range c.streams {
		s.close(err)
	}
	c.streams = nil
}

func (c *Channel) otherLeg(ev *esl.Event) string {
	for _, header := range []string{"Other-Leg-Unique-ID", "Bridge-B-Unique-ID", "Bridge-A-Unique-ID"} {
		if id := ev.Get(header); id != "" && id != c.uuid {
			return strings.Clone(id)
		}
	}
	return ""
}

// Ended ends a channel that is known to be over although no event said so. The cause
// is that of a hangup that we asked for; otherwise it is unknown.
func (c *Channel) Ended() {
	c.mu.Lock()
	asked := c.asked
	c.mu.Unlock()
	if c.ctx.Err() == nil {
		c.finish(&HangupError{UUID: c.uuid, Cause: asked})
	}
}
