package esltest

// holdApp is the action of a leg that waits while its partner consults somebody.
// Like joinApp it is no application.
const holdApp = "\x00hold"

// appAttXfer is the attended transfer: the channel calls a third party and talks
// to it, while the leg that it was bridged to waits. When the channel hangs up,
// the two others are connected; when the third party hangs up, or the channel
// presses #, the first bridge is as it was before.
func appAttXfer(ch *channel, arg string) {
	ch.mu.Lock()
	waiting := ch.partner
	ch.mu.Unlock()
	d := parseDial(arg)
	d.from = ch
	third, cause := ch.core.dial(ch.core.ctx, d)
	if third == nil {
		ch.setVariable("att_xfer_result", "failure")
		ch.setVariable("originate_disposition", cause)
		return
	}
	ch.setVariable("originate_disposition", "SUCCESS")
	if waiting != nil {
		waiting.redirect("", "", "", []Action{{App: holdApp}})
		ch.abandon()
	}
	bond := ch.connect(third)
	third.launch([]Action{{App: holdApp}})
	out := ch.waitBridged(third, bond, func(digit dtmf) bool { return digit.digit == '#' || digit.digit == '*' })
	ch.abandon()
	switch {
	case waiting == nil || !waiting.alive():
		third.hangup("NORMAL_CLEARING", "")
	case out == gone && third.alive():
		waiting.setVariable("att_xfer_result", "success")
		waiting.joinWith(third)
	default:
		third.hangup("NORMAL_CLEARING", "")
		ch.setVariable("att_xfer_result", "failure")
		ch.connect(waiting)
		waiting.redirect("", "", "", []Action{{App: joinApp}})
	}
}

// standBy is what a leg does with holdApp.
func (ch *channel) standBy() {
	for {
		switch ch.wait(-1, func(dtmf) bool { return false }) {
		case gone, moved:
			return
		}
	}
}
