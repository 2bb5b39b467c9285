package esltest

import (
	"context"
	"time"

	"github.com/genesis-esl/genesis/esl"
)

// setRunning moves the session goroutine to a state. The caller holds mu.
func (ch *channel) setRunning(state int) {
	ch.running = state
	ch.logRunningState()
	if state == csRouting && ch.profile.direction == inboundCall && ch.callState == ccsDown {
		ch.setCallState(ccsRinging)
	}
	ch.fire(evChannelState, srcState, nil)
}

// setCallState announces a change of the call state. The caller holds mu.
func (ch *channel) setCallState(state int) {
	if ch.callState == state {
		return
	}
	was := ch.callState
	ch.callState = state
	ch.logCallStateChange(was, state)
	ch.fire(evChannelCallState, srcCallState, []esl.Header{
		{Name: "Original-Channel-Call-State", Value: callStateNames[was]},
		{Name: "Channel-Call-State-Number", Value: stateNumbers[state]},
	})
}

// setCodecs announces the codecs of a new leg. The caller holds mu.
func (ch *channel) setCodecs() {
	ch.codecs = 1
	ch.readCodec()
	ch.codecs = 2
	ch.fire(evCodec, srcWriteCodec, nil,
		esl.Header{Name: "Channel-Write-Codec-Name", Value: "L16"},
		esl.Header{Name: "Channel-Write-Codec-Rate", Value: "8000"},
		esl.Header{Name: "Channel-Write-codec-bit-rate", Value: "128000"})
}

func (ch *channel) readCodec() {
	ch.fire(evCodec, srcReadCodec, nil,
		esl.Header{Name: "channel-read-codec-name", Value: "L16"},
		esl.Header{Name: "channel-read-codec-rate", Value: "8000"},
		esl.Header{Name: "channel-read-codec-bit-rate", Value: "128000"})
}

// runInbound is the session of a call that arrives: a loopback's b-leg, or one
// that Server.Call placed.
func (ch *channel) runInbound() {
	ch.mu.Lock()
	ch.advance(csInit)
	ch.setRunning(csInit)
	ch.logState(csInit, "")
	ch.logChange(csInit, csRouting)
	ch.advance(csRouting)
	ch.fire(evChannelCreate, srcCreate, nil)
	ch.logAsleep(csInit)
	ch.setRunning(csRouting)
	ch.mu.Unlock()
	ch.runDialplan()
	ch.finish()
}

// advance orders a state, which a channel that has been hung up already does not
// leave CS_HANGUP for. The caller holds mu.
func (ch *channel) advance(state int) {
	if ch.state < csHangup {
		ch.state = state
	}
}

// runDialplan looks the destination up and runs its applications, again after
// each transfer.
func (ch *channel) runDialplan() {
	for ch.alive() {
		ch.mu.Lock()
		if len(ch.apps) == 0 {
			ch.route()
		}
		if ch.state < csHangup {
			ch.logChange(csRouting, csExecute)
			ch.state = csExecute
			ch.logAsleep(csRouting)
		}
		ch.mu.Unlock()
		if !ch.runExecute() {
			return
		}
		ch.mu.Lock()
		if ch.state < csHangup {
			ch.state = csRouting
			ch.setRunning(csRouting)
		}
		ch.mu.Unlock()
	}
}

// route looks the destination up in the dialplan. The caller holds mu.
func (ch *channel) route() {
	p := &ch.profile
	ch.logState(csRouting, "")
	ch.logf(&logProcessing, "Processing %s <%s>->%s in context %s", p.cidName, p.cidNumber, p.dest, p.context)
	ext, match := ch.core.srv.plan.route(p.dest)
	if ext == nil {
		return
	}
	ch.apps = ext.actions
	if match != "" {
		ch.set("DP_MATCH", match)
	}
	ch.logPlain(&logExtension, "Dialplan: %s parsing [%s->%s] continue=false", ch.name, p.context, ext.name)
	ch.logPlain(&logRegex, "Dialplan: %s Regex (PASS) [%s] destination_number(%s) =~ /%s/ break=on-false", ch.name, ext.name, p.dest, ext.re)
	for _, action := range ch.apps {
		ch.logPlain(&logAction, "Dialplan: %s Action %s(%s) ", ch.name, action.App, action.Data)
	}
}

// runExecute runs the channel's applications; it says whether the channel has
// been transferred instead of having come to the end.
func (ch *channel) runExecute() (transferred bool) {
	ch.mu.Lock()
	if ch.state >= csHangup {
		ch.mu.Unlock()
		return false
	}
	ch.setRunning(csExecute)
	ch.logState(csExecute, "")
	ch.set("call_uuid", ch.uuid)
	apps := ch.apps
	ch.apps = nil
	if apps != nil {
		ch.transfer = false // what sent the channel here has its way now, however late it came
	}
	ch.mu.Unlock()
	for _, action := range apps {
		if !ch.alive() {
			return false
		}
		switch action.App {
		case joinApp:
			ch.exchange()
		case holdApp:
			ch.standBy()
		default:
			ch.execute(action.App, ch.expand(action.Data), "")
		}
		if ch.takeTransfer() {
			return true
		}
	}
	if ch.takeTransfer() {
		return true
	}
	ch.hangup("NORMAL_CLEARING", "")
	return false
}

func (ch *channel) takeTransfer() bool {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	was := ch.transfer
	ch.transfer = false
	return was && ch.state < csHangup
}

// transferring says whether the running application should return because the
// channel goes elsewhere.
func (ch *channel) transferring() bool {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	return ch.transfer
}

// execute runs one application with its events; false means that there is no
// such application, for which FreeSWITCH hangs up.
func (ch *channel) execute(name, arg, uuid string) bool {
	app, ok := ch.application(name)
	if !ok {
		ch.hangup("DESTINATION_OUT_OF_ORDER", "")
		return false
	}
	if uuid == "" {
		uuid = newUUID()
	}
	ch.beforeApp(name, app.media)
	ch.mu.Lock()
	ch.logPlain(&logExecute, "EXECUTE [depth=0] %s %s(%s)", ch.name, name, arg)
	ch.set("current_application", "")
	ch.set("current_application_data", "")
	ch.set("current_application_response", "")
	trail := make([]esl.Header, 0, 5)
	trail = append(trail, esl.Header{Name: "variable_current_application", Value: name})
	if arg != "" {
		trail = append(trail, esl.Header{Name: "variable_current_application_data", Value: arg})
	}
	trail = append(trail, esl.Header{Name: "Application", Value: name})
	if arg != "" {
		trail = append(trail, esl.Header{Name: "Application-Data", Value: arg})
	}
	ch.fire(evChannelExecute, srcExecute, nil, append(trail, esl.Header{Name: "Application-UUID", Value: uuid})...)
	if arg != "" {
		ch.add("current_application_data", arg)
	}
	ch.add("current_application", name)
	ch.lastApp = Action{App: name, Data: arg}
	ch.history = append(ch.history, ch.lastApp)
	ch.broken = false
	ch.mu.Unlock()

	response := app.run(ch, arg)
	ch.hasStarted()

	ch.mu.Lock()
	if response != "" {
		ch.set("current_application_response", response)
	}
	// An application that ran inside this one may have left its response.
	response, ok = ch.get("current_application_response")
	if !ok {
		response = "_none_"
	}
	trail = trail[:0]
	trail = append(trail, esl.Header{Name: "Application", Value: name})
	if arg != "" {
		trail = append(trail, esl.Header{Name: "Application-Data", Value: arg})
	}
	ch.fire(evChannelExecuteComplete, srcComplete, nil, append(trail,
		esl.Header{Name: "Application-Response", Value: response},
		esl.Header{Name: "Application-UUID", Value: uuid})...)
	if ch.state >= csHangup {
		ch.logf(&logSkip, "%s skip receive message [APPLICATION_EXEC_COMPLETE] (channel is hungup already)", ch.name)
	}
	ch.mu.Unlock()
	return true
}

// application finds an application by name, the Config's own first.
func (ch *channel) application(name string) (application, bool) {
	own, ok := ch.core.srv.cfg.Applications[name]
	if !ok {
		app, ok := applications[name]
		return app, ok
	}
	return application{run: func(ch *channel, arg string) string {
		ctx, cancel := context.WithCancel(ch.core.ctx)
		defer cancel()
		over := make(chan struct{})
		defer close(over)
		ch.core.wg.Go(func() {
			select {
			case <-ch.gone:
				cancel()
			case <-over:
			}
		})
		ch.hasStarted()
		return own(ctx, &Call{ch}, arg)
	}}, true
}

// beforeApp opens early media for an application that needs media on a call
// that has not been answered.
func (ch *channel) beforeApp(name string, media bool) {
	if !media {
		return
	}
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if !ch.answered && !ch.early && ch.profile.direction == inboundCall {
		ch.markEarly()
	}
}

// finish takes a channel that has hung up through its last states and forgets
// it.
func (ch *channel) finish() {
	ch.hangup("NORMAL_CLEARING", "")
	ch.stopRecording("all")
	now := time.Now()
	ch.mu.Lock()
	ch.logAsleep(ch.running)
	ch.setRunning(csHangup)
	ch.profile.hangup = micros(now)
	ch.report(now)
	ch.setCallState(ccsHangup)
	ch.logState(csHangup, "")
	cause, peer := ch.cause, ch.peer
	ch.mu.Unlock()
	if peer != nil {
		peer.hangup(cause, byPeer)
	}
	ch.mu.Lock()
	how := ", cause: " + cause
	ch.logGeneric(csHangup, how)
	ch.logAsleep(csHangup)
	ch.logChange(csHangup, csReporting)
	if ch.kind == "loopback" {
		ch.add("is_loopback", "1")
	}
	ch.state = csReporting
	ch.setRunning(csReporting)
	ch.fire(evChannelHangupComplete, srcReporting, []esl.Header{{Name: "Hangup-Cause", Value: ch.cause}})
	ch.reported = true
	ch.logState(csReporting, how)
	ch.logAsleep(csReporting)
	ch.logChange(csReporting, csDestroy)
	ch.logf(&logLocked, "Session %d (%s) Locked, Waiting on external entities", ch.number, ch.name)
	waiters := ch.waiters
	ch.waiters = nil
	ch.mu.Unlock()
	for _, l := range waiters {
		l.nudge()
	}
	ch.core.leave(ch)
	ch.holders.Wait()
	ch.mu.Lock()
	ch.state = csDestroy
	ch.logf(&logEnded, "Session %d (%s) Ended", ch.number, ch.name)
	ch.logf(&logClose, "Close Channel %s [CS_DESTROY]", ch.name)
	ch.fire(evChannelDestroy, srcDestroy, nil)
	ch.setRunning(csDestroy)
	ch.logState(csDestroy, "")
	ch.logAsleep(csDestroy)
	last := ch.snapshot()
	ch.mu.Unlock()
	if ch.observe != nil {
		ch.observe.ended(ch, last, now.Sub(ch.created))
	}
	close(ch.done)
	ch.core.detach(ch.uuid)
}

// leave takes a channel off the books; it still has listeners to tell.
func (c *core) leave(ch *channel) {
	c.mu.Lock()
	if c.channels[ch.uuid] == ch {
		delete(c.channels, ch.uuid)
	}
	c.mu.Unlock()
}

// detach forgets who wanted the events of a channel that is no more.
func (c *core) detach(uuid string) {
	c.mu.Lock()
	if c.channels[uuid] == nil && len(c.own[uuid]) == 0 {
		delete(c.own, uuid)
	}
	c.mu.Unlock()
}
