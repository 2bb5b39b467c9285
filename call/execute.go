package call

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/genesis-esl/genesis/esl"
)

// application is a sendmsg that executes one.
type application struct {
	uuid  string // of the channel; empty on its own socket
	app   string
	arg   string
	id    string // comes back as Application-UUID
	lock  bool   // queue behind the running application
	loops int

	made *atomic.Bool // set when it is about to be sent; may be nil
}

// longArgument is where an argument moves from a header into the body.
const longArgument = 2048

// BuildMessage writes the message.
func (a application) BuildMessage() string {
	if a.made != nil {
		a.made.Store(true)
	}
	var b strings.Builder
	b.Grow(len(a.app) + len(a.arg) + 192)
	b.WriteString("sendmsg")
	if a.uuid != "" {
		b.WriteString(" " + a.uuid)
	}
	b.WriteString("\ncall-command: execute\nexecute-app-name: " + a.app)
	if a.id != "" {
		b.WriteString("\nEvent-UUID: " + a.id)
	}
	if a.loops > 1 {
		b.WriteString("\nloops: " + strconv.Itoa(a.loops))
	}
	if a.lock {
		b.WriteString("\nevent-lock: true")
	}
	switch {
	case a.arg == "":
	case len(a.arg) > longArgument || a.arg[0] == ' ' || a.arg[len(a.arg)-1] == ' ':
		// A header would lose its outer spaces.
		b.WriteString("\ncontent-type: text/plain\ncontent-length: " + strconv.Itoa(len(a.arg)) + "\n\n" + a.arg)
	default:
		b.WriteString("\nexecute-app-arg: " + a.arg)
	}
	return b.String()
}

// execution is an application that runs.
type execution struct {
	id      string
	started chan struct{}   // closed at CHANNEL_EXECUTE
	halt    halt            // nil for a break alone
	peer    string          // whom the call was connected with since it began; guarded by the channel's mutex
	done    chan *esl.Event // holds its CHANNEL_EXECUTE_COMPLETE; nil when that may have been missed
	left    bool            // its caller has gone while it waits for its turn
	made    atomic.Bool     // its message may have been sent
}

// halt stops what more than a break has to stop. peer is whom the application has
// connected the call with, if it has.
type halt func(ctx context.Context, peer string)

// start notes CHANNEL_EXECUTE. The channel is locked.
func (x *execution) start() {
	select {
	case <-x.started:
	default:
		close(x.started)
	}
}

func (x *execution) hasStarted() bool {
	select {
	case <-x.started:
		return true
	default:
		return false
	}
}

// Execute runs a dialplan application and waits for its end. It returns the
// CHANNEL_EXECUTE_COMPLETE event, whose Application-Response and variables tell how it went.
// The argument is passed on as it is. FreeSWITCH expands ${…} in it, so build it from your
// own text only.
//
// When the call ends, it fails at once with a *HangupError. When ctx ends, Execute stops the
// application (uuid_break, or break where only applications are allowed), waits for that up
// to Config.BreakTimeout, and returns ctx's cause. An application that has not begun because
// another one runs is stopped when its turn comes. Execute does not wait for that, unless
// somebody else started the other one: then it waits up to Config.BreakTimeout. Without async
// nothing can stop an application: then the error is also ErrMode, and the next operation
// waits for its end.
func (c *Channel) Execute(ctx context.Context, app, arg string) (ev *esl.Event, err error) {
	ctx, done := c.begin(ctx, opExecute, attr("application", app))
	defer func() { done(err) }()
	return c.execute(ctx, app, arg)
}

func (c *Channel) execute(ctx context.Context, app, arg string) (*esl.Event, error) {
	return c.executeHalting(ctx, app, arg, nil)
}

// executeHalting is execute of an application that more than a break has to stop.
func (c *Channel) executeHalting(ctx context.Context, app, arg string, stop halt) (*esl.Event, error) {
	if err := checkToken("application", app); err != nil {
		return nil, err
	}
	if strings.ContainsAny(arg, "\r\n\x00") {
		return nil, fmt.Errorf("call: argument of %s holds a line break: %w", app, esl.ErrInjection)
	}
	if err := c.ready(ctx); err != nil {
		return nil, err
	}
	if err := c.takeTurn(ctx); err != nil {
		return nil, err
	}
	defer c.giveTurn()
	x, err := c.expect(ctx)
	if err != nil {
		return nil, err
	}
	x.halt = stop
	defer func() {
		if !x.left {
			c.drop(x)
		}
	}()
	msg := application{uuid: c.address(), app: app, arg: arg, id: x.id, lock: c.mode != AsyncSingle, made: &x.made}
	if _, err = c.t.Send(ctx, msg); err != nil {
		return nil, c.sendFailed(ctx, x, err)
	}
	select {
	case ev := <-x.done:
		return c.found(ev)
	case <-c.ctx.Done():
		return x.late(c.Err())
	case <-ctx.Done():
		return nil, c.stop(ctx, x)
	}
}

// late prefers an end that came before the channel's.
func (x *execution) late(err error) (*esl.Event, error) {
	select {
	case ev := <-x.done:
		if ev != nil {
			return ev, nil
		}
	default:
	}
	return nil, err
}

// address is what sendmsg calls the channel: nothing on its own socket.
func (c *Channel) address() string {
	if c.mode == Remote {
		return c.uuid
	}
	return ""
}

// ended says why an operation whose context has ended goes no further. A context
// made from the channel's own ends with it, and then the channel is the reason.
func (c *Channel) ended(ctx context.Context) error {
	if c.ctx.Err() != nil {
		return c.Err()
	}
	return context.Cause(ctx)
}

// ready fails when there is no use in sending anything.
func (c *Channel) ready(ctx context.Context) error {
	if c.ctx.Err() != nil {
		return c.Err()
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// takeTurn waits for its turn where applications cannot be queued in FreeSWITCH: an
// event-locked application could not be broken by another one.
func (c *Channel) takeTurn(ctx context.Context) error {
	if c.turn == nil {
		return nil
	}
	select {
	case c.turn <- struct{}{}:
		return nil
	case <-c.ctx.Done():
		return c.Err()
	case <-ctx.Done():
		return c.ended(ctx)
	}
}

func (c *Channel) giveTurn() {
	if c.turn != nil {
		<-c.turn
	}
}

// connected notes whom the call is connected with: by the application that runs, and not
// by one that waits for its turn. The channel is locked.
func (x *execution) connected(peer string) {
	if x.hasStarted() {
		x.peer = peer
	}
}

func (c *Channel) peerOf(x *execution) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return x.peer
}

func (c *Channel) drop(x *execution) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.Index(c.running, x); i >= 0 {
		c.running = slices.Delete(c.running, i, i+1)
	}
}

// sendFailed makes sense of an error of sendmsg.
func (c *Channel) sendFailed(ctx context.Context, x *execution, err error) error {
	if ctx.Err() != nil && c.ctx.Err() == nil {
		if !x.made.Load() { // it ended before
			return c.ended(ctx)
		}
		return c.stop(ctx, x)
	}
	return c.explain(ctx, err)
}

// goneGrace is how long the hangup event may take when a command has found the
// channel gone: a Client's replies and events come on two sockets.
const goneGrace = time.Second

// explain turns the error of a command into that of the channel, if that is the
// reason.
func (c *Channel) explain(ctx context.Context, err error) error {
	gone := isGone(err)
	if !gone && !errors.Is(err, esl.ErrDisconnected) {
		return err
	}
	if c.ctx.Err() == nil {
		timer := time.NewTimer(goneGrace)
		defer timer.Stop()
		select {
		case <-c.ctx.Done():
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	if c.ctx.Err() != nil {
		return c.Err()
	}
	if gone {
		c.Ended()
		if c.cfg.gone != nil {
			c.cfg.gone()
		}
		return c.Err()
	}
	return err
}

// Break stops the application that runs on the channel, if one does; the operation that waits
// for it then returns. Without async the error is a *ModeError.
func (c *Channel) Break(ctx context.Context) (err error) {
	ctx, done := c.begin(ctx, opBreak)
	defer func() { done(err) }()
	if err := c.ready(ctx); err != nil {
		return err
	}
	return c.sendBreak(ctx)
}

func (c *Channel) sendBreak(ctx context.Context) error {
	switch {
	case !c.mode.Async():
		return &ModeError{Operation: "stopping an application", Mode: c.mode, Needs: "async"}
	case c.mode.Full():
		_, err := c.t.API(ctx, "uuid_break "+c.uuid)
		return c.explain(ctx, err)
	default:
		_, err := c.t.Send(ctx, application{app: "break"})
		return c.explain(ctx, err)
	}
}

// breakAgain is how often a stop is repeated: a break that comes before the
// application has got as far as to look for one is lost.
const breakAgain = 100 * time.Millisecond

// stop breaks an application whose caller has gone, and waits for its end, so that
// the channel is free again. It returns ctx's cause.
func (c *Channel) stop(ctx context.Context, x *execution) error {
	cause := c.ended(ctx)
	if c.ctx.Err() != nil {
		return cause
	}
	if !c.mode.Async() {
		return fmt.Errorf("%w (the application goes on: %w)", cause,
			&ModeError{Operation: "stopping an application", Mode: c.mode, Needs: "async"})
	}
	if c.waitsInTurn(x) { // a break would stop the one that runs
		x.left = true
		go c.stopInTurn(x)
		return cause
	}
	err := c.breakUntilDone(ctx, x, cause)
	if !x.hasStarted() && c.expects(x) { // behind what somebody else has executed
		x.left = true
		go c.stopInTurn(x)
	}
	return err
}

// expects tells whether nothing has been heard of an application's end.
func (c *Channel) expects(x *execution) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Contains(c.running, x)
}

// waitsInTurn tells whether others that we have executed are to end before x begins.
func (c *Channel) waitsInTurn(x *execution) bool {
	if x.hasStarted() {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	at := slices.Index(c.running, x)
	return at > 0 || slices.ContainsFunc(c.running, (*execution).hasStarted)
}

// stopInTurn stops what nobody waits for any more as soon as it begins: FreeSWITCH
// cannot take it out of the queue.
func (c *Channel) stopInTurn(x *execution) {
	defer c.drop(x)
	select {
	case <-x.started:
		_ = c.breakUntilDone(context.Background(), x, nil) // nobody is left to tell
	case <-x.done:
	case <-c.ctx.Done():
	}
}

// breakUntilDone breaks an application until it has ended, once it has begun: before that a
// break would be lost, or stop what somebody else has executed.
func (c *Channel) breakUntilDone(ctx context.Context, x *execution, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.cfg.BreakTimeout)
	defer cancel()
	started := x.started
	if x.hasStarted() {
		started = nil
	}
	tick := time.NewTicker(breakAgain)
	defer tick.Stop()
	for {
		if x.halt != nil {
			x.halt(ctx, c.peerOf(x))
		}
		if x.hasStarted() {
			if err := c.sendBreak(ctx); err != nil && c.ctx.Err() != nil {
				return c.Err()
			}
		}
		select {
		case <-x.done:
			return cause
		case <-c.ctx.Done():
			return c.Err()
		case <-ctx.Done():
			return cause
		case <-started:
			started = nil // begun since: break at once
		case <-tick.C:
		}
	}
}
