package esltest

import (
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/genesis-esl/genesis/esl"
)

// outcome says why a wait ended.
type outcome uint8

const (
	elapsed outcome = iota // the time has passed
	gone                   // the channel has hung up
	stopped                // uuid_break
	moved                  // transferred
	pressed                // a digit that the application was waiting for
	ended                  // what went on beside it is over
)

// wait blocks the session goroutine for d, or for ever when d is negative. As
// FreeSWITCH's applications do, it meanwhile performs what sendmsg has queued,
// unless the running application holds the event lock. onDigit, when given,
// gets each digit and may end the wait; without it digits stay queued.
func (ch *channel) wait(d time.Duration, onDigit func(dtmf) bool) outcome {
	return ch.waitFor(d, onDigit, nil, nil)
}

// waitBridged is wait until ch and partner are no longer in the bridge that bond
// stands for.
func (ch *channel) waitBridged(partner *channel, bond *atomic.Bool, onDigit func(dtmf) bool) outcome {
	return ch.waitFor(-1, onDigit, partner.gone, func() bool { return ch.bondedBy(bond) && partner.bondedBy(bond) })
}

// waitFor is wait that also ends, as ended, when over is closed or when still,
// asked whenever something has happened, says no. Either may be nil.
func (ch *channel) waitFor(d time.Duration, onDigit func(dtmf) bool, over <-chan struct{}, still func() bool) outcome {
	var timeout <-chan time.Time
	if d >= 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		timeout = timer.C
	}
	ch.hasStarted()
	for {
		frame := ch.performQueued()
		switch {
		case !ch.alive():
			return gone
		case ch.takeBreak():
			return stopped
		case ch.transferring():
			return moved
		case still != nil && !still():
			return ended
		}
		for onDigit != nil {
			digit, ok := ch.takeDigit()
			if !ok {
				break
			}
			if onDigit(digit) {
				return pressed
			}
		}
		select {
		case <-timeout:
			return elapsed
		case <-frame:
		case <-ch.signal:
		case <-ch.gone:
			return gone
		case <-over:
			return ended
		case <-ch.core.ctx.Done():
			ch.hangup("SYSTEM_SHUTDOWN", "")
			return gone
		}
	}
}

func (ch *channel) takeBreak() bool {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	was := ch.broken
	ch.broken = false
	return was
}

// hasDigits says whether digits are waiting.
func (ch *channel) hasDigits() bool {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	return len(ch.dtmf) > 0
}

// message is a sendmsg waiting for the session, and when the session looks.
type message struct {
	*esl.Request
	due time.Time
}

// performQueued performs the queued sendmsgs that are due until the event lock
// stops it. When others are pending it returns what tells that the next is due.
func (ch *channel) performQueued() (frame <-chan time.Time) {
	for ch.alive() {
		ch.mu.Lock()
		if ch.locked || len(ch.messages) == 0 {
			ch.mu.Unlock()
			return nil
		}
		m := ch.messages[0]
		if wait := time.Until(m.due); wait > 0 {
			ch.mu.Unlock()
			return time.After(wait)
		}
		ch.messages = ch.messages[1:]
		ch.mu.Unlock()
		ch.perform(m.Request)
	}
	return nil
}

// perform carries out one sendmsg. One without a call-command, or with an
// unknown one, does nothing.
func (ch *channel) perform(req *esl.Request) {
	if !ch.alive() {
		return
	}
	if strings.EqualFold(req.Get("event-lock"), "true") {
		ch.mu.Lock()
		outer := ch.locked
		ch.locked = true
		ch.mu.Unlock()
		defer func() {
			ch.mu.Lock()
			ch.locked = outer
			ch.mu.Unlock()
			ch.nudge()
		}()
	}
	switch strings.ToLower(req.Get("call-command")) {
	case "execute":
		ch.performExecute(req)
	case "hangup":
		ch.hangup(req.Get("hangup-cause"), "")
	case "xferext":
		var apps []Action
		for _, h := range req.Headers {
			if strings.EqualFold(h.Name, "application") {
				app, data, _ := strings.Cut(h.Value, " ")
				apps = append(apps, Action{App: app, Data: data})
			}
		}
		ch.redirect("", "", "", apps)
	}
}

func (ch *channel) performExecute(req *esl.Request) {
	arg := req.Get("execute-app-arg")
	if arg == "" && len(req.Body) > 0 {
		arg = string(req.Body)
	}
	loops, err := strconv.Atoi(req.Get("loops"))
	if err != nil || loops == 0 {
		loops = 1
	}
	for i := 1; (i <= loops || loops < 0) && ch.alive(); i++ {
		ch.mu.Lock()
		ch.set("current_loop", strconv.Itoa(i))
		ch.set("total_loops", strconv.Itoa(loops))
		ch.mu.Unlock()
		if !ch.execute(req.Get("execute-app-name"), ch.expand(arg), req.Get("Event-UUID")) || ch.transferring() {
			break
		}
	}
	ch.mu.Lock()
	ch.set("current_loop", "")
	ch.set("total_loops", "")
	ch.mu.Unlock()
}
