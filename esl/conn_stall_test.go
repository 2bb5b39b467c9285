package esl_test

import (
	"slices"
	"testing"

	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/internal/testbed"
)

// TestRoomMadeWhileStalling takes an event just as the queue is found to be full, and then waits for
// the answer to a command: whoever misses that there is room now has no other chance to learn of it.
func TestRoomMadeWhileStalling(t *testing.T) {
	testbed.OnProcessors(t, func(t *testing.T) {
		roomWhileStalling(t, 2_000)
	}, 2, 8)
}

func roomWhileStalling(t *testing.T, rounds int) {
	full := make(chan bool, 1)
	c, far := connected(t, esl.ConnConfig{
		Queue: esl.QueueLimits{Events: 2},
		Hooks: &esl.Hooks{Stalled: func(stalled bool) {
			if stalled {
				full <- true
			}
		}},
	})
	ended := start(func() (struct{}, error) {
		one, answer := event("DTMF"), esl.AppendAPIResponse(nil, "+OK")
		answers := map[string][]byte{"api fill": slices.Concat(one, one, answer, one), "api go on": answer}
		for {
			request, err := far.requests.Next()
			if err != nil {
				return struct{}{}, nil
			}
			if _, err := far.nc.Write(answers[request.Line]); err != nil {
				return struct{}{}, err
			}
		}
	})
	ask := func(round int, command string) {
		if _, err := c.API(within(t), command); err != nil {
			t.Fatalf("round %d: %s: %v", round, command, err)
		}
	}
	for round := range rounds {
		ask(round, "fill")
		receive(t, full, "the stall")
		readNames(t, c, 1)
		ask(round, "go on")
		readNames(t, c, 2)
	}
	c.Close()
	if got := receive(t, ended, "the peer"); got.err != nil {
		t.Error(got.err)
	}
}
