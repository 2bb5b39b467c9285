package call

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/genesis-esl/genesis/esl"
)

const (
	// lookers is how many channels are looked at together: one after the other takes long
	// where there are thousands, and an answer has all variables of a call.
	lookers = 8
	// lookTries is how often a channel is looked at whose events come meanwhile.
	lookTries = 3
)

// look asks FreeSWITCH for what no event has told: how the channel is, and whether there
// is one. Where it may not be asked, the channel works all the same.
func (k *Controller) look(ctx context.Context, c *Channel) error {
	err := k.ask(ctx, c)
	if isGone(err) {
		_ = c.explain(ctx, err) // ends the channel
	}
	if isRefused(err) {
		return nil
	}
	return err
}

// lookAgain looks at channels whose events have been missed, and ends those that are no
// more: no event will say so.
func (k *Controller) lookAgain(ctx context.Context, channels []*Channel) {
	var looks sync.WaitGroup
	turn := make(chan struct{}, lookers)
	for _, c := range channels {
		if c.unborn() {
			continue // it may come yet
		}
		turn <- struct{}{}
		looks.Go(func() {
			defer func() { <-turn }()
			if err := k.ask(ctx, c); isGone(err) || isRefused(err) && !k.mayExist(ctx, c) {
				c.Ended()
				k.release(c)
			}
		})
	}
	looks.Wait()
}

// exists asks whether there is a channel.
func exists(ctx context.Context, t Transport, uuid string) (bool, error) {
	out, err := t.API(ctx, "uuid_exists "+uuid)
	return strings.TrimSpace(out) != "false", err
}

// mayExist is exists for a channel that is taken to be there unless it is known that it is not.
func (k *Controller) mayExist(ctx context.Context, c *Channel) bool {
	there, err := exists(ctx, &k.t, c.uuid)
	return there || err != nil
}

// ask is look that returns the error when FreeSWITCH has no such channel, or refuses to describe it.
func (k *Controller) ask(ctx context.Context, c *Channel) error {
	for range lookTries {
		before := c.eventsSoFar()
		out, err := k.t.API(ctx, "uuid_dump "+c.uuid+" json")
		switch {
		case isRefused(err):
			return err
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, esl.ErrDisconnected):
			return err
		}
		ev, err := esl.ParseEvent(esl.JSON, []byte(out))
		if err != nil || c.catchUp(ev, before) {
			return nil
		}
	}
	return nil // its events tell
}

func (c *Channel) eventsSoFar() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.events
}

// catchUp takes from a dump what the events have not told that were missed. It reports
// false when events have come since: which of the two is newer cannot be known.
func (c *Channel) catchUp(dump *esl.Event, before uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state.Over() { // told by an event since
		return true
	}
	if c.events != before {
		return false
	}
	c.follow(dump)
	c.place(dump)
	c.wake("", dump) // it is no event: only those who look at the channel itself care
	return true
}

// place takes from a dump whom the channel talks to, and whether it is parked. An
// application that runs on a parked call hides the park, and then what was known
// stays. c.mu is held.
func (c *Channel) place(dump *esl.Event) {
	state, app := State(dump.Get("Channel-State")), dump.Variable("current_application")
	c.peer = ""
	switch {
	case state == StateExchangeMedia, state == StateHibernate, state == StateExecute && app == "bridge":
		c.peer = c.otherLeg(dump)
		c.parked = false
	case state == StatePark, state == StateExecute && app == "park":
		c.parked, c.beenParked, c.apps = true, true, 0
	case state != StateExecute:
		c.parked = false
	}
}
