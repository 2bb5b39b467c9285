package call

import (
	"context"
	"errors"
	"strings"
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

// Hangup ends the call and waits until it has ended. An empty cause is
// NormalClearing. It is no error when the call has ended already, whatever the cause.
// Without async it waits for the application that runs.
func (c *Channel) Hangup(ctx context.Context, cause Cause) (err error) {
	if cause == "" {
		cause = NormalClearing
	}
	ctx, done := c.begin(ctx, opHangup, attr("hangup.cause", cause.label()))
	defer func() { done(err) }()
	if err := checkToken("hangup cause", string(cause)); err != nil {
		return err
	}
	if _, over := c.hangupError(); over {
		return nil
	}
	if c.ctx.Err() != nil {
		return c.Err()
	}
	// The handler's own context may be the channel's, which is about to end.
	c.mu.Lock()
	c.asked = cause
	c.mu.Unlock()
	if err := c.sendHangup(ctx, cause); err != nil {
		if err = c.explain(ctx, err); !isHangup(err) {
			return err
		}
		return nil
	}
	return c.gone(ctx)
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
