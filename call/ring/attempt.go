package ring

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"time"

	"github.com/genesis-esl/genesis/call"
)

// attempt is one destination being called.
type attempt struct {
	index       int
	destination Destination
	ringTime    time.Duration
	request     call.Originate
	confirm     *Confirm
	ctx         context.Context
	cancel      context.CancelCauseFunc
	end         func() // ends the balancer's count; nil when the balancer has not counted it yet
}

func newAttempt(ctx context.Context, r *race, index int, end func()) *attempt {
	d := r.destinations[index]
	a := &attempt{index: index, destination: d, ringTime: cmp.Or(d.Timeout, r.ringTime), confirm: r.confirm, end: end}
	vars := maps.Clone(r.vars)
	if vars == nil {
		vars = call.Vars{}
	}
	maps.Copy(vars, d.Vars)
	a.request = call.Originate{
		// FreeSWITCH gets the limit too, for the case that we are not there any more to cancel.
		To: d.To, Vars: vars, Timeout: a.ringTime + time.Second, CallerName: r.callerName, CallerNumber: r.callerID,
	}
	// The race cancels each attempt for a reason of its own, so a context that ended does not do it first.
	a.ctx, a.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	return a
}

// run calls, and says what has become of it. It ends when the call has ended or been answered.
func (a *attempt) run(with call.Originator, counts *tally, outcomes chan<- outcome) {
	defer a.cancel(nil)
	if a.end == nil {
		a.end = counts.take(a.ctx, First, []string{a.destination.id()}).End
	}
	channel, err := a.ring(with)
	if err == nil && a.confirm != nil {
		if err = a.ask(channel); err != nil {
			hangUp(channel, context.Cause(a.ctx))
			channel = nil
		}
	}
	outcomes <- outcome{attempt: a, channel: channel, err: err}
}

func (a *attempt) ring(with call.Originator) (*call.Channel, error) {
	if a.ctx.Err() != nil { // while it was counted
		return nil, context.Cause(a.ctx)
	}
	ctx, cancel := context.WithTimeoutCause(a.ctx, a.ringTime, call.NoAnswer)
	defer cancel()
	channel, err := with.Originate(ctx, a.request)
	if err != nil && channel != nil {
		hangUp(channel, nil)
		channel = nil
	}
	return channel, err
}

// ask is the confirmation. Whoever does not press the digit has not taken the call.
func (a *attempt) ask(channel *call.Channel) error {
	want := cmp.Or(a.confirm.Digit, "1")
	got, err := channel.PlayAndGetDigits(a.ctx, call.Digits{
		File: a.confirm.File, Min: len(want), Max: len(want), Tries: a.confirm.Tries, Timeout: a.confirm.Timeout,
		Terminators: "none",
	})
	switch {
	case errors.Is(err, call.ErrNoDigits), err == nil && got != want:
		return ErrNotConfirmed
	default:
		return err
	}
}

// hangUp ends a channel that nobody wants, for the reason given if it is a hangup cause.
func hangUp(channel *call.Channel, reason error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cause := call.NormalClearing
	_ = errors.As(reason, &cause)
	_ = channel.Discard(ctx, cause) // gone, or FreeSWITCH is: the next connection ends it
}
