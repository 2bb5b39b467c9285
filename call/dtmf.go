package call

import (
	"context"
	"fmt"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/genesis-esl/genesis/esl"
)

// DTMF is a digit that the other party pressed.
type DTMF struct {
	// Digit is one of 0-9, *, #, A-D.
	Digit string
	// Duration is how long the digit was pressed, from FreeSWITCH's count of samples,
	// taken to be at 8 kHz; 0 if it gave none.
	Duration time.Duration
	// Source is RTP, INBAND_AUDIO, APP … or UNKNOWN.
	Source string
	// Event is the whole DTMF event.
	Event *esl.Event
}

// OnDTMF calls fn for every digit from now on, one after the other on a goroutine of
// its own, until the call ends or stop is called. A panic in fn is logged, and fn is
// not called again. fn may use the channel.
func (c *Channel) OnDTMF(fn func(context.Context, DTMF)) (stop func()) {
	ctx, cancel := context.WithCancel(c.ctx)
	s := c.Events("DTMF")
	go func() {
		defer s.Close()
		defer cancel()
		defer c.contain("OnDTMF")
		for {
			ev, err := s.Next(ctx)
			if err != nil {
				return
			}
			c.deliver(ctx, fn, ev)
		}
	}()
	return cancel
}

func (c *Channel) deliver(ctx context.Context, fn func(context.Context, DTMF), ev *esl.Event) {
	if in := c.tells; in != nil {
		var done func(error)
		ctx, done = in.begin(ctx, opDTMF, attr("channel.uuid", c.uuid))
		defer done(nil)
	}
	samples, _ := strconv.Atoi(ev.Get("DTMF-Duration"))
	fn(ctx, DTMF{
		Digit:    ev.Get("DTMF-Digit"),
		Duration: time.Duration(samples) * time.Second / 8000,
		Source:   ev.Get("DTMF-Source"),
		Event:    ev,
	})
}

// contain keeps a panic of user code from ending the process.
func (c *Channel) contain(where string) {
	if r := recover(); r != nil {
		c.logger.Error("panic in a handler", "where", where, "call", c.uuid, "panic", r, "stack", string(debug.Stack()))
	}
}

// SendDTMF sends digits to the other party: 0-9, *, #, A-D, w for half a second of
// silence, W for one second. duration is the length of each digit; zero is
// FreeSWITCH's default (250 ms). Anything else in digits is an ErrUnencodable.
func (c *Channel) SendDTMF(ctx context.Context, digits string, duration time.Duration) (err error) {
	ctx, done := c.begin(ctx, opSendDTMF)
	defer func() { done(err) }()
	if digits == "" || strings.Trim(digits, "0123456789*#ABCDabcdwWF") != "" {
		return fmt.Errorf("call: DTMF %q: %w", digits, ErrUnencodable)
	}
	if duration > 0 {
		digits += "@" + milliseconds(duration)
	}
	if c.mode.Full() && c.mode.Async() {
		return c.api(ctx, "uuid_send_dtmf "+c.uuid+" "+digits)
	}
	_, err = c.execute(ctx, "send_dtmf", digits)
	return err
}
