package call

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/genesis-esl/genesis/esl"
)

// launch runs originate to its end, whatever that is. When ctx ends, it kills the
// legs until FreeSWITCH has given up.
func (k *Controller) launch(ctx context.Context, arg string, legs namedLegs) (uuid string, err error) {
	type result struct {
		output string
		err    error
	}
	finished := make(chan result, 1)
	job, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	go func() {
		output, err := k.t.BgAPI(job, "originate "+arg)
		finished <- result{output, err}
	}()
	done, cancelled := ctx.Done(), false
	ups := k.upsSoFar()
	var again, giveUp <-chan time.Time // nil until ctx has ended
	for {
		select {
		case r := <-finished:
			uuid, err := originated(r.output, r.err)
			if maybeRun(err) { // they ring on, or are answered
				k.retract(ctx, legs)
			}
			if cancelled { // what has come of it is not wanted
				if err == nil {
					k.drop(ctx, uuid)
				}
				return "", context.Cause(ctx)
			}
			return uuid, err
		case <-done:
			done, cancelled = nil, true
			tick := time.NewTicker(killAgain)
			defer tick.Stop()
			again, giveUp = tick.C, time.After(cancelTimeout)
			_ = k.cancel(ctx, legs) // it is tried again
		case <-again:
			_ = k.cancel(ctx, legs)
		case <-giveUp:
			cancel(context.Cause(ctx))
			k.owe(ctx, legs, ups)
			return "", context.Cause(ctx)
		}
	}
}

const (
	// killAgain is how often a cancelled originate is killed: its legs may not exist
	// yet at the first time.
	killAgain = 100 * time.Millisecond
	// cancelTimeout bounds all of that.
	cancelTimeout = 5 * time.Second
)

// originated reads the outcome of originate.
func originated(output string, err error) (uuid string, _ error) {
	var refused *esl.ReplyError
	if errors.As(err, &refused) {
		cause, _, _ := strings.Cut(refused.Text, " ")
		if cause = strings.TrimSpace(cause); cause == strings.ToUpper(cause) && cause != "" {
			return "", &HangupError{Cause: Cause(strings.Clone(cause))}
		}
		return "", err
	}
	if err != nil {
		return "", err
	}
	uuid, ok := strings.CutPrefix(strings.TrimSpace(output), "+OK ")
	if !ok {
		return "", fmt.Errorf("call: originate answered %q: %w", output, esl.ErrProtocol)
	}
	return strings.Clone(uuid), nil
}

// cancelCause is what the called party is told: the context's cause, if that is one.
func cancelCause(over context.Context) Cause {
	if cause, ok := context.Cause(over).(Cause); ok && checkToken("hangup cause", string(cause)) == nil {
		return cause
	}
	return OriginatorCancel
}
