package call

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/genesis-esl/genesis/esl"
)

// run executes an application of the vocabulary: its argument is data.
func (c *Channel) run(ctx context.Context, op operation, app, arg string) (ev *esl.Event, err error) {
	ctx, done := c.begin(ctx, op)
	defer func() { done(err) }()
	if err := checkArgument("argument of "+app, arg); err != nil {
		return nil, err
	}
	return c.execute(ctx, app, arg)
}

// Answer answers the call. On a call that is answered already it does nothing.
func (c *Channel) Answer(ctx context.Context) error {
	_, err := c.run(ctx, opAnswer, "answer", "")
	return err
}

// PreAnswer starts early media (SIP 183): the caller hears what is played, but the
// call is not answered yet.
func (c *Channel) PreAnswer(ctx context.Context) error {
	_, err := c.run(ctx, opPreAnswer, "pre_answer", "")
	return err
}

// RingReady signals ringing to the caller (SIP 180).
func (c *Channel) RingReady(ctx context.Context) error {
	_, err := c.run(ctx, opRingReady, "ring_ready", "")
	return err
}

// Park parks the call until ctx or the call ends, and returns ctx's cause or the
// *HangupError. A call of an outbound session is parked whenever no application
// runs; any other call is taken out of whatever it does (uuid_park).
func (c *Channel) Park(ctx context.Context) (err error) {
	ctx, done := c.begin(ctx, opPark)
	defer func() { done(err) }()
	if c.mode == Remote {
		if err := c.api(ctx, "uuid_park "+c.uuid); err != nil {
			return err
		}
	}
	select {
	case <-c.ctx.Done():
		return c.Err()
	case <-ctx.Done():
		return c.ended(ctx)
	}
}

// Sleep lets the caller wait in silence for d, in whole milliseconds. Use it
// instead of time.Sleep: it ends with the call and with ctx.
func (c *Channel) Sleep(ctx context.Context, d time.Duration) error {
	_, err := c.run(ctx, opSleep, "sleep", strconv.FormatInt(max(0, d.Milliseconds()), 10))
	return err
}

// Log writes a line to FreeSWITCH's log. The levels are FreeSWITCH's: CONSOLE,
// ALERT, CRIT, ERR, WARNING, NOTICE, INFO, DEBUG.
func (c *Channel) Log(ctx context.Context, level, message string) error {
	if err := checkToken("log level", level); err != nil {
		return err
	}
	_, err := c.run(ctx, opLog, "log", level+" "+message)
	return err
}

// Conference is what Channel.Conference joins.
type Conference struct {
	// Name of the conference room. Required.
	Name string
	// Profile of conference.conf.xml; empty means "default".
	Profile string
	// PIN that the caller is asked for; empty means none.
	PIN string
	// Flags of the member, such as "mute" or "moderator".
	Flags []string
}

func (c Conference) encode() (string, error) {
	for what, s := range map[string]string{"conference name": c.Name, "conference profile": c.Profile, "PIN": c.PIN} {
		if strings.ContainsAny(s, "@+ {}:'") {
			return "", fmt.Errorf("call: %s %q holds a character of its own meaning: %w", what, s, ErrUnencodable)
		}
	}
	if c.Name == "" {
		return "", fmt.Errorf("call: conference without a name: %w", ErrUnencodable)
	}
	s := c.Name + "@" + cmp.Or(c.Profile, "default")
	if c.PIN != "" || len(c.Flags) > 0 {
		s += "+" + c.PIN
	}
	if len(c.Flags) > 0 {
		for _, f := range c.Flags {
			if strings.ContainsAny(f, "|{} ") {
				return "", fmt.Errorf("call: conference flag %q: %w", f, ErrUnencodable)
			}
		}
		s += "+flags{" + strings.Join(c.Flags, "|") + "}"
	}
	return s, nil
}

// Conference joins the call to a conference, and returns when the call has left it.
func (c *Channel) Conference(ctx context.Context, conference Conference) error {
	arg, err := conference.encode()
	if err != nil {
		return err
	}
	_, err = c.run(ctx, opConference, "conference", arg)
	return err
}

// Hold puts the other party on hold, where the endpoint can (SIP re-INVITE).
func (c *Channel) Hold(ctx context.Context) error {
	return c.hold(ctx, opHold, "hold", "uuid_hold "+c.uuid)
}

// Unhold takes the other party off hold.
func (c *Channel) Unhold(ctx context.Context) error {
	return c.hold(ctx, opUnhold, "unhold", "uuid_hold off "+c.uuid)
}

// hold uses the api command where it may, because it does not wait for the
// application that runs.
func (c *Channel) hold(ctx context.Context, op operation, app, cmd string) (err error) {
	if !c.mode.Full() {
		_, err := c.run(ctx, op, app, "")
		return err
	}
	ctx, done := c.begin(ctx, op)
	defer func() { done(err) }()
	return c.api(ctx, cmd)
}

// api runs an api command about this channel.
func (c *Channel) api(ctx context.Context, cmd string) error {
	if err := c.ready(ctx); err != nil {
		return err
	}
	_, err := c.t.API(ctx, cmd)
	return c.explain(ctx, err)
}
