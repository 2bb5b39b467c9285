package ring_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/call"
	"github.com/genesis-esl/genesis/call/ring"
	"github.com/genesis-esl/genesis/esl/esltest"
)

// tallied is a Balancer that knows how many calls it counts.
type tallied struct {
	ring.Balancer
	calls atomic.Int64
}

func (b *tallied) Take(ctx context.Context, rule ring.Rule, ids []string) (ring.Taken, error) {
	taken, err := b.Balancer.Take(ctx, rule, ids)
	if err != nil {
		return taken, err
	}
	end := taken.End
	b.calls.Add(1)
	taken.End = func() {
		end()
		b.calls.Add(-1)
	}
	return taken, nil
}

// TestWinsAsTheTimeEnds has answers, time-outs and the end of the context come at about the same moment, in every mode:
// only the leg of the winner is left, if there is one, and the balancer counts it alone.
func TestWinsAsTheTimeEnds(t *testing.T) {
	w := newWorld(t,
		esltest.Endpoint{Match: "user/slow", Ring: time.Millisecond, Answer: 40 * time.Millisecond},
		esltest.Endpoint{Match: "user/never", Answer: -1},
	)
	counted := &tallied{Balancer: ring.NewMemory()}
	ringer := newRinger(t, ring.Config{Balancer: counted})
	won := 0
	const rounds = 105
	for n := range rounds {
		ctx, cancel := context.WithTimeout(w.ctx, 5*time.Second)
		opts := []ring.Option{ring.Timeout(time.Second)}
		if span := rand.N(6 * time.Millisecond); n%2 == 0 {
			opts = []ring.Option{ring.Timeout(span + 1)}
		} else {
			time.AfterFunc(span, cancel)
		}
		answer, err := ringer.Ring(ctx, w.calls, users("never", "slow", "quick", "busy"), ring.Mode(n%7), opts...)
		cancel()
		if err == nil {
			won++
			w.alone(answer)
			err = answer.Channel.Hangup(w.ctx, call.NormalClearing)
		} else if errors.Is(err, ring.ErrNoAnswer) || errors.Is(err, context.Canceled) {
			err = nil
		}
		if err != nil {
			t.Errorf("round %d: %v", n, err)
		}
		for _, leg := range w.fs.Legs() {
			if s := leg.State(); !s.HungUp {
				t.Errorf("round %d: still there: %+v", n, s)
			}
		}
		poll(t, func() bool { return counted.calls.Load() == 0 })
	}
	if won == 0 || won == rounds {
		t.Errorf("%d of %d were answered in time", won, rounds)
	}
}
