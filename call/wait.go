package call

import (
	"context"
	"errors"
	"slices"

	"github.com/genesis-esl/genesis/esl"
)

// waiter is somebody who waits for one event.
type waiter struct {
	match func(name string, ev *esl.Event) bool
	found chan *esl.Event // holds one; nil when it may have been missed
}

// wake gives the event to those who wait for it. c.mu is held.
func (c *Channel) wake(name string, ev *esl.Event) {
	if len(c.waiters) == 0 {
		return
	}
	c.waiters = slices.DeleteFunc(c.waiters, func(w *waiter) bool {
		if !w.match(name, ev) {
			return false
		}
		w.found <- ev
		return true
	})
}

// await registers a wait for an event that match accepts. match runs while the
// channel is locked and must not call its methods.
func (c *Channel) await(match func(name string, ev *esl.Event) bool) *waiter {
	w := &waiter{match: match, found: make(chan *esl.Event, 1)}
	c.mu.Lock()
	c.waiters = append(c.waiters, w)
	c.mu.Unlock()
	return w
}

func (c *Channel) forget(w *waiter) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiters = slices.DeleteFunc(c.waiters, func(other *waiter) bool { return other == w })
}

// receive waits for the event, the end of the channel, or the end of ctx.
func (c *Channel) receive(ctx context.Context, w *waiter) (*esl.Event, error) {
	select {
	case ev := <-w.found:
		return c.found(ev)
	case <-c.ctx.Done():
		if ev, came, err := c.forgetUnlessCame(w); came {
			return ev, err
		}
		return nil, c.Err()
	case <-ctx.Done():
		c.forget(w)
		return nil, c.ended(ctx)
	}
}

// forgetUnlessCame forgets a waiter because the channel has ended. What came before the end
// counts: then it says so, with what receive returns for it.
func (c *Channel) forgetUnlessCame(w *waiter) (ev *esl.Event, came bool, err error) {
	c.forget(w)
	select {
	case ev := <-w.found:
		ev, err := c.found(ev)
		return ev, true, err
	default:
		return nil, false, nil
	}
}

// errMissed is the error of whoever waited for an event while the connection was
// lost.
var errMissed = &esl.DisconnectedError{Sent: true, Cause: errors.New("events may have been missed")}

// found is what a wait returns for what it was woken with. A hangup that had come before the
// loss is the reason, even if nobody had the time to look.
func (c *Channel) found(ev *esl.Event) (*esl.Event, error) {
	if ev != nil {
		return ev, nil
	}
	if hangup, over := c.hangupError(); over {
		return nil, hangup
	}
	return nil, errMissed
}

// Interrupt makes every operation that waits for an event fail with esl.ErrDisconnected,
// because the connection was lost and the event may have been missed. The channel lives on.
func (c *Channel) Interrupt() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range c.waiters {
		w.found <- nil
	}
	c.waiters = nil
	for _, x := range c.running {
		x.done <- nil
	}
	c.running = nil
	c.peer = "" // it may be with somebody else by then
}

// anyEvent matches whatever comes.
func anyEvent(string, *esl.Event) bool { return true }

// named matches the events with one of these names, or CUSTOM subclasses.
func named(names []string) func(string, *esl.Event) bool {
	return func(name string, ev *esl.Event) bool {
		return slices.Contains(names, name) || name == "CUSTOM" && slices.Contains(names, ev.Subclass())
	}
}

// Wait waits for the next event of this channel with one of the given names, or
// CUSTOM subclasses. Events that came before the call do not count. It fails with
// the *HangupError when the call ends first, and with ctx's cause when ctx does.
func (c *Channel) Wait(ctx context.Context, names ...string) (ev *esl.Event, err error) {
	w := c.await(named(names))
	ctx, done := c.begin(ctx, opWait, attr("wait.target", joined(names)))
	defer func() { done(err) }()
	return c.receive(ctx, w)
}

// WaitState waits until the channel is in one of the given states; it may be already. A
// wait for a state after hangup (State.Over) goes on past the hangup, given a ctx that
// does not end with the call, until no more events come; it then fails with what ended
// the channel. Any other wait fails with the *HangupError when the call ends.
// StateDestroy comes for the channels of a Controller; the connection of a session
// usually ends before it (recording h1_async_full).
func (c *Channel) WaitState(ctx context.Context, states ...State) (err error) {
	ctx, done := c.begin(ctx, opWait, attr("wait.target", joined(states)))
	defer func() { done(err) }()
	reached := func() bool { return slices.Contains(states, c.State()) }
	return c.waitUntil(ctx, reached, slices.ContainsFunc(states, State.Over))
}

// waitUntil waits for events until reached says that they have led there; past the hangup
// if over is set.
func (c *Channel) waitUntil(ctx context.Context, reached func() bool, over bool) error {
	for {
		w := c.await(anyEvent) // first: what comes while we look is not missed
		if reached() {
			c.forget(w)
			return nil
		}
		if err := c.waitOn(ctx, w, over); err != nil {
			return err
		}
	}
}

// waitOn waits for any event; past the hangup if over is set.
func (c *Channel) waitOn(ctx context.Context, w *waiter, over bool) error {
	if !over {
		_, err := c.receive(ctx, w)
		return err
	}
	ended := c.Done()
	for {
		select {
		case ev := <-w.found:
			if ev == nil { // the hangup is no reason here
				return errMissed
			}
			return nil
		case <-c.over:
			if _, came, err := c.forgetUnlessCame(w); came {
				return err
			}
			return c.Err()
		case <-ended:
			if !isHangup(c.Err()) {
				c.forget(w)
				return c.Err()
			}
			ended = nil
		case <-ctx.Done():
			c.forget(w)
			return context.Cause(ctx)
		}
	}
}

// WaitAnswer waits until the call is answered; it may be already. It fails with the
// *HangupError when the call ends first, and with ctx's cause when ctx does.
func (c *Channel) WaitAnswer(ctx context.Context) (err error) {
	ctx, done := c.begin(ctx, opWait, attr("wait.target", "answer"))
	defer func() { done(err) }()
	return c.waitUntil(ctx, c.Answered, false)
}

// WaitPark waits until the call has been parked; it may have been already. A call that
// Originate made is parked a moment after it is answered.
func (c *Channel) WaitPark(ctx context.Context) (err error) {
	ctx, done := c.begin(ctx, opWait, attr("wait.target", "park"))
	defer func() { done(err) }()
	return c.waitUntil(ctx, c.hasBeenParked, false)
}

func (c *Channel) hasBeenParked() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.beenParked
}

// WaitHangup waits until the call has ended and returns the hangup cause. When the
// connection or ctx ends first, it returns the error of that instead.
func (c *Channel) WaitHangup(ctx context.Context) (cause Cause, err error) {
	ctx, done := c.begin(ctx, opWait, attr("wait.target", "hangup"))
	defer func() { done(err) }()
	select {
	case <-c.ctx.Done():
	case <-ctx.Done():
		// Contexts made from the channel's own end with it.
		if c.ctx.Err() == nil {
			return "", context.Cause(ctx)
		}
	}
	if hangup, ok := c.hangupError(); ok {
		return hangup.Cause, nil
	}
	return "", c.Err()
}
