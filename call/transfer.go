package call

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/genesis-esl/genesis/esl"
)

// Extension is a place in FreeSWITCH's dialplan.
type Extension struct {
	// Number is the destination number. Required.
	Number string
	// Dialplan is the dialplan module. Default "XML".
	Dialplan string
	// Context of the dialplan. Default "default".
	Context string
}

// check refuses what would be more than a number.
func (e Extension) check() error {
	if e.Number == "" || strings.HasPrefix(e.Number, "&") || strings.EqualFold(e.Number, "undef") {
		return fmt.Errorf("call: extension %q: %w", e.Number, ErrUnencodable)
	}
	if strings.HasPrefix(e.Number, "-") || strings.Contains(e.Number, "::") || strings.Contains(e.Number, groupDelim) {
		return fmt.Errorf("call: extension %q would be an option: %w", e.Number, ErrUnencodable)
	}
	if err := checkData("extension", e.Number); err != nil {
		return err
	}
	for what, s := range map[string]string{"dialplan": e.Dialplan, "context": e.Context} {
		if s == "" {
			continue
		}
		if err := checkToken(what, s); err != nil {
			return err
		}
	}
	return nil
}

// encode writes the extension as arguments separated by blanks.
func (e Extension) encode() (string, error) {
	if err := e.check(); err != nil {
		return "", err
	}
	return word(e.Number) + " " + cmp.Or(e.Dialplan, "XML") + " " + cmp.Or(e.Context, "default"), nil
}

// Transfer sends the call to an extension of the dialplan and lets go of it (blind
// transfer). In an outbound session that ends the connection: the handler should
// return.
func (c *Channel) Transfer(ctx context.Context, to Extension) (err error) {
	ctx, done := c.begin(ctx, opTransfer, attr("transfer.to", to.Number))
	defer func() { done(err) }()
	arg, err := to.encode()
	if err != nil {
		return err
	}
	if err := c.ready(ctx); err != nil {
		return err
	}
	if err := c.letGo(ctx); err != nil {
		return err
	}
	if c.mode.Full() && c.mode.Async() {
		err = c.api(ctx, "uuid_transfer "+c.uuid+" "+arg)
	} else {
		_, err = c.execute(ctx, "transfer", arg)
	}
	if err != nil && !c.left() {
		c.setAway(false)
		return err
	}
	if isHangup(err) {
		return err
	}
	return nil
}

// letGo sees that the call outlives the connection: without resume FreeSWITCH hangs
// up what the socket application leaves behind.
func (c *Channel) letGo(ctx context.Context) error {
	if c.mode != Remote {
		if _, err := c.t.Send(ctx, esl.Line("resume")); err != nil {
			return c.explain(ctx, err)
		}
	}
	c.setAway(true)
	return nil
}

// left tells whether the connection has ended under a call that went elsewhere.
func (c *Channel) left() bool {
	_, hungUp := c.hangupError()
	return c.ctx.Err() != nil && !hungUp
}

// AttendedTransfer calls a third party for a consultation, while the leg that this
// one is bridged with waits. When this leg hangs up, those two are connected
// (att_xfer). It returns when that is decided, with the result of the call as
// BridgeTo does: when nobody answers that is an error, and this call goes on. During
// the consultation FreeSWITCH's digits apply:
// # cancels, 0 makes it a conference.
func (c *Channel) AttendedTransfer(ctx context.Context, to Dial) (b Bridged, err error) {
	ctx, done := c.begin(ctx, opTransfer, attr("transfer.to", to.String()))
	defer func() { done(err) }()
	legs := to.name()
	arg, err := legs.dial.Encode()
	if err != nil {
		return b, err
	}
	ev, err := c.executeHalting(ctx, "att_xfer", arg, func(ctx context.Context, peer string) { c.killLegs(ctx, legs, peer) })
	if err != nil {
		return b, err
	}
	return c.outcome(ctx, ev)
}
