package ring

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/genesis-esl/genesis/call"
)

// errTimeout is the end of the time that the Timeout option gives.
var errTimeout = errors.New("ring: the time is over")

// patience bounds what is done for a call that nobody waits for any more.
const patience = 5 * time.Second

// race is one Ring. Its fields are used by the goroutine of run alone; attempts speak to it by outcomes.
type race struct {
	options
	counts       *tally
	with         call.Originator
	destinations []Destination
	mode         Mode
	begun        time.Time
	pending      []int // whom to try yet, in order
	running      map[*attempt]struct{}
	outcomes     chan outcome
	missed       []Attempt
	endings      sync.WaitGroup // hangups of those who lost
}

// outcome is what became of an attempt: a channel or an error.
type outcome struct {
	attempt *attempt
	channel *call.Channel
	err     error
}

func newRace(r *Ringer, with call.Originator, destinations []Destination, mode Mode, o options) *race {
	return &race{
		options: o, counts: &tally{balancer: r.balancer, log: r.log}, with: with,
		destinations: slices.Clone(destinations), mode: mode,
		running: make(map[*attempt]struct{}), outcomes: make(chan outcome), begun: time.Now(),
	}
}

// run starts who is due and takes outcomes until one wins, none is left, or ctx ends.
func (r *race) run(ctx context.Context) (*Answer, error) {
	if ctx.Err() != nil {
		return nil, r.stopped(ctx)
	}
	defer r.counts.settle()
	r.pending = r.order(ctx)
	alarm := time.NewTimer(0)
	defer alarm.Stop()
	for {
		if wait, ok := r.startDue(ctx); ok {
			alarm.Reset(wait)
		}
		if len(r.running) == 0 && ctx.Err() == nil {
			return nil, &NoAnswerError{Attempts: r.missed}
		}
		select {
		case o := <-r.outcomes:
			delete(r.running, o.attempt)
			if answer := r.take(o); answer != nil {
				r.finish(call.LoseRace)
				return answer, nil
			}
		case <-alarm.C:
		case <-ctx.Done():
			cause := call.OriginatorCancel
			if errors.Is(context.Cause(ctx), errTimeout) {
				cause = call.NoAnswer
			}
			r.finish(cause)
			return nil, r.stopped(ctx)
		}
	}
}

// startDue starts those whose time has come, and one more when nobody rings. In parallel it tells when the next one
// is due.
func (r *race) startDue(ctx context.Context) (wait time.Duration, ok bool) {
	for len(r.pending) > 0 && ctx.Err() == nil {
		if r.mode == Parallel {
			delay := r.destinations[r.pending[0]].Delay
			if wait = time.Until(r.begun.Add(delay)); wait > 0 && len(r.running) > 0 {
				return wait, true
			}
		} else if len(r.running) > 0 {
			return 0, false
		}
		a := r.pick(ctx)
		if a == nil {
			return 0, false
		}
		r.running[a] = struct{}{}
		go a.run(r.with, r.counts, r.outcomes)
	}
	return 0, false
}

// pick chooses the next one. Where the balancer chooses it is asked here, while nobody rings; otherwise the attempt
// itself has it counted, so that one does not wait for another. It is nil when ctx has ended meanwhile.
func (r *race) pick(ctx context.Context) *attempt {
	at, end := 0, (func())(nil)
	if rule := r.mode.rule(); rule != First {
		ids := make([]string, len(r.pending))
		for i, c := range r.pending {
			ids[i] = r.destinations[c].id()
		}
		r.counts.settle() // who has just failed is not on a call any more
		taken := r.counts.take(ctx, rule, ids)
		if ctx.Err() != nil {
			r.counts.beside(taken.End)
			return nil
		}
		at, end = taken.Index, taken.End
	}
	index := r.pending[at]
	r.pending = slices.Delete(slices.Clone(r.pending), at, at+1)
	return newAttempt(ctx, r, index, end)
}

// take decides about an outcome: the first who has answered, and is still there, wins.
func (r *race) take(o outcome) *Answer {
	a := o.attempt
	if o.err == nil {
		o.err = o.channel.Err()
	}
	if o.err != nil {
		r.counts.beside(a.end)
		r.miss(a, o.err)
		return nil
	}
	context.AfterFunc(o.channel.Context(), a.end) // counted until the hangup
	return &Answer{Channel: o.channel, Destination: a.destination, Index: a.index, Missed: r.missed}
}

func (r *race) miss(a *attempt, err error) {
	r.missed = append(r.missed, Attempt{Destination: a.destination, Index: a.index, Err: err})
}

// finish ends those who still ring, and waits until they do not.
func (r *race) finish(cause call.Cause) {
	for a := range r.running {
		a.cancel(cause)
	}
	for range len(r.running) {
		o := <-r.outcomes
		if o.channel != nil {
			r.endings.Go(func() { hangUp(o.channel, cause) })
		}
		r.counts.beside(o.attempt.end)
		r.miss(o.attempt, cause)
	}
	clear(r.running)
	r.endings.Wait()
}

// stopped is the error of a race that ctx has ended.
func (r *race) stopped(ctx context.Context) error {
	if cause := context.Cause(ctx); !errors.Is(cause, errTimeout) {
		return cause
	}
	return &NoAnswerError{TimedOut: true, Attempts: r.missed}
}
