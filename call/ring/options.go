package ring

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/genesis-esl/genesis/call"
)

// defaultRingTime is how long a destination rings that says nothing else.
const defaultRingTime = 30 * time.Second

// Option changes one Ring.
type Option func(*options)

type options struct {
	timeout    time.Duration
	ringTime   time.Duration
	group      string
	caller     *call.Channel
	vars       call.Vars
	callerName string
	callerID   string
	confirm    *Confirm
}

func newOptions(opts []Option) options {
	o := options{ringTime: defaultRingTime}
	for _, opt := range opts {
		opt(&o)
	}
	return o
}

// For names the caller's leg: when it hangs up, all attempts are cancelled, and Ring returns its
// *call.HangupError. A context that ends with the call, such as a session's, does the same.
func For(caller *call.Channel) Option { return func(o *options) { o.caller = caller } }

// Timeout bounds the whole Ring. Zero, the default, leaves it to the destinations.
func Timeout(d time.Duration) Option { return func(o *options) { o.timeout = d } }

// RingTime is how long a destination without a Timeout of its own rings. Default 30 s.
func RingTime(d time.Duration) Option { return func(o *options) { o.ringTime = d } }

// Group names the group for which RoundRobin counts turns. The default name is made from the
// destinations.
func Group(name string) Option { return func(o *options) { o.group = name } }

// Vars are set on all legs.
func Vars(vars call.Vars) Option { return func(o *options) { o.vars = vars } }

// CallerID sets the caller's name and number that the destinations see.
func CallerID(name, number string) Option {
	return func(o *options) { o.callerName, o.callerID = name, number }
}

// Confirmed asks whoever answers to accept the call by a digit, while the others ring on, so that an answering
// machine does not win.
func Confirmed(c Confirm) Option { return func(o *options) { o.confirm = &c } }

// Confirm says how Confirmed asks. Only File is required.
type Confirm struct {
	// File is the prompt: "a call for sales, press 1 to accept".
	File string
	// Digit accepts. Empty means "1". Any other declines.
	Digit string
	// Timeout is how long to wait for the digit after the prompt. Zero means 5 s.
	Timeout time.Duration
	// Tries is how often to ask. Zero means 1.
	Tries int
}

// bound makes the context in which is rung: it ends with the caller and with the time-out.
func (o options) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	cancel, expire := func() {}, func() {}
	if o.caller != nil {
		ctx, cancel = until(ctx, o.caller.Context())
	}
	if o.timeout > 0 {
		ctx, expire = context.WithTimeoutCause(ctx, o.timeout, errTimeout)
	}
	return ctx, func() {
		expire()
		cancel()
	}
}

// until returns a copy of ctx that ends with the other context too, for its reason.
func until(ctx, other context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	if other.Err() != nil { // so that who comes too late does not even begin
		cancel(context.Cause(other))
	}
	stop := context.AfterFunc(other, func() { cancel(context.Cause(other)) })
	return ctx, func() {
		stop()
		cancel(nil)
	}
}

// turnOf names the group for RoundRobin.
func (o options) turnOf(destinations []Destination) string {
	if o.group != "" {
		return o.group
	}
	ids := make([]string, 0, len(destinations))
	for _, d := range destinations {
		ids = append(ids, d.id())
	}
	slices.Sort(ids)
	return strings.Join(ids, "\n")
}
