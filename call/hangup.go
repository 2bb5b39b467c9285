package call

import (
	"context"
	"errors"
	"strings"

	"github.com/genesis-esl/genesis/esl"
)

// hangupCommand is a sendmsg that hangs up.
type hangupCommand struct {
	uuid  string
	cause Cause
}

// BuildMessage writes the message.
func (h hangupCommand) BuildMessage() string {
	var b strings.Builder
	b.WriteString("sendmsg")
	if h.uuid != "" {
		b.WriteString(" " + h.uuid)
	}
	b.WriteString("\ncall-command: hangup\nhangup-cause: " + string(h.cause))
	return b.String()
}

// Hangup hangs the call up and waits until it has ended. An empty cause is NormalClearing.
// A call that has ended already, whatever the cause, is no error. Without async Hangup
// waits for the application that runs. A channel that has ended for another reason, such
// as Server.Close or Controller.Close, is hung up all the same as long as its connection
// is open; no event reports its end then, and Hangup does not wait for it.
func (c *Channel) Hangup(ctx context.Context, cause Cause) (err error) {
	if cause == "" {
		cause = NormalClearing
	}
	if _, over := c.hangupError(); over {
		return nil // and none of our operations
	}
	ctx, done := c.begin(ctx, opHangup, attr("hangup.cause", cause.label()))
	defer func() { done(err) }()
	if err := checkToken("hangup cause", string(cause)); err != nil {
		return err
	}
	if c.unreachable() {
		return c.Err()
	}
	abandoned := c.ctx.Err() != nil
	err = c.ask(ctx, cause)
	if abandoned {
		if isGone(err) {
			return nil
		}
		return err
	}
	if err != nil {
		if err = c.explain(ctx, err); !isHangup(err) {
			return err
		}
		return nil
	}
	return c.gone(ctx)
}

// unreachable tells whether there is no call any more, or no connection to control it.
// A channel can also end because we let go of it, and then both are still there.
func (c *Channel) unreachable() bool {
	return c.ctx.Err() != nil && (isHangup(c.Err()) || errors.Is(c.Err(), esl.ErrDisconnected))
}

// Discard is Hangup for a call that nobody wants any more. If it fails because the
// connection is lost, and the channel is a Controller's, the next Controller.Up hangs the
// call up. The error is that of Hangup all the same.
func (c *Channel) Discard(ctx context.Context, cause Cause) error {
	k := c.cfg.of
	if k == nil {
		return c.Hangup(ctx, cause)
	}
	if cause == "" {
		cause = NormalClearing
	}
	ups := k.upsSoFar()
	err := c.Hangup(ctx, cause)
	if err != nil && !isRefused(err) && checkToken("hangup cause", string(cause)) == nil {
		k.owe(ctx, namedLegs{uuids: []string{c.uuid}, cause: cause}, ups)
	}
	return err
}

// ask sends the hangup and notes its cause, unless it is known that nothing was sent: the
// end of the connection would be taken for this hangup.
func (c *Channel) ask(ctx context.Context, cause Cause) error {
	late := ctx.Err() != nil
	c.mu.Lock()
	before := c.asked
	c.asked = cause // first: the end can come before the reply
	c.mu.Unlock()
	err := c.sendHangup(ctx, cause)
	var lost *esl.DisconnectedError
	if err != nil && (late || errors.As(err, &lost) && !lost.Sent) {
		c.mu.Lock()
		if c.asked == cause {
			c.asked = before
		}
		c.mu.Unlock()
	}
	return err
}

// sendHangup asks for the end. uuid_kill works while an event-locked application
// runs; a message would wait for it.
func (c *Channel) sendHangup(ctx context.Context, cause Cause) error {
	if c.mode.Full() && c.mode.Async() {
		_, err := c.t.API(ctx, "uuid_kill "+c.uuid+" "+string(cause))
		return err
	}
	_, err := c.t.Send(ctx, hangupCommand{uuid: c.address(), cause: cause})
	return err
}

// gone waits for the end that was asked for.
func (c *Channel) gone(ctx context.Context) error {
	select {
	case <-c.ctx.Done():
	case <-ctx.Done():
		if c.ctx.Err() == nil {
			return context.Cause(ctx)
		}
	}
	if err := c.Err(); !isHangup(err) {
		return err
	}
	return nil
}

// hangupError is how the call ended, if it has.
func (c *Channel) hangupError() (*HangupError, bool) {
	var hangup *HangupError
	ok := c.ctx.Err() != nil && errors.As(c.Err(), &hangup)
	return hangup, ok
}

func isHangup(err error) bool {
	var hangup *HangupError
	return errors.As(err, &hangup)
}
