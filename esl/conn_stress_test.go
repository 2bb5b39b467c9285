package esl_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/internal/testbed"
)

// TestAnythingAtAnyTime has callers that give up at any moment, a queue with room for next to
// nothing, and a peer that tears what it sends and leaves after any byte, again and again: each
// answer is its command's, events come once and in order, and everybody who waits learns of the end.
func TestAnythingAtAnyTime(t *testing.T) {
	testbed.OnProcessors(t, func(t *testing.T) {
		for range 25 {
			anythingAtAnyTime(t, rand.Uint64())
		}
	}, 1, 2, 8)
}

func anythingAtAnyTime(t *testing.T, seed uint64) {
	chance := func(stream uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, stream)) }
	r := chance(0)
	c, far := connected(t, esl.ConnConfig{Queue: esl.QueueLimits{Events: 1 + r.IntN(4), Bytes: 1 + r.IntN(300)}})
	played := start(func() (struct{}, error) {
		tearing(far, chance(1))
		return struct{}{}, nil
	})
	read := start(func() (struct{}, error) { return struct{}{}, readInOrder(c, chance(2)) })
	var callers sync.WaitGroup
	for n := range uint64(1 + r.IntN(4)) {
		callers.Go(func() {
			if err := impatient(c, chance(3+n)); err != nil {
				t.Errorf("seed %d: %v", seed, err)
			}
		})
	}
	called := start(func() (struct{}, error) {
		callers.Wait()
		return struct{}{}, c.Close()
	})
	receive(t, called, fmt.Sprintf("seed %d: the callers", seed))
	if got := receive(t, read, fmt.Sprintf("seed %d: the reader", seed)); got.err != nil {
		t.Errorf("seed %d: %v", seed, got.err)
	}
	receive(t, played, "the peer")
}

// tearing answers each command with what it says, between events with numbers, in pieces, and
// leaves after some number of bytes.
func tearing(far *peer, r *rand.Rand) {
	defer far.nc.Close()
	number, left, piece := 0, r.IntN(20_000), 1+r.IntN(40)
	for {
		request, err := far.requests.Next()
		if err != nil {
			return
		}
		verb, text, _ := strings.Cut(request.Line, " ")
		frames := [][]byte{esl.AppendReply(nil, "+OK")}
		switch verb {
		case "api":
			frames[0] = esl.AppendAPIResponse(nil, text)
		case "bgapi":
			frames = append(frames, jobEvent(request.Get("Job-UUID"), text))
		}
		var out []byte
		for _, frame := range append(frames, nil) {
			for range r.IntN(3) {
				number++
				out = append(out, event("DTMF", esl.Header{Name: "Event-Sequence", Value: fmt.Sprint(number)})...)
			}
			out = append(out, frame...)
		}
		for out := bytes.NewBuffer(out[:min(len(out), left)]); out.Len() > 0; {
			n, err := far.nc.Write(out.Next(piece))
			if left -= n; err != nil {
				return
			}
		}
		if left == 0 {
			return
		}
	}
}

// readInOrder reads to the end of the connection, now and then for a moment only.
func readInOrder(c *esl.Conn, r *rand.Rand) error {
	batch := make([]*esl.Event, 3)
	for next := uint64(1); ; {
		ctx, cancel := context.WithCancel(context.Background())
		if r.IntN(3) == 0 {
			time.AfterFunc(time.Duration(r.IntN(100))*time.Microsecond, cancel)
		}
		n, err := c.ReadEvents(ctx, batch[:1+r.IntN(len(batch))])
		cancel()
		for _, e := range batch[:n] {
			if e.Sequence() != next {
				return fmt.Errorf("got event %d, want %d", e.Sequence(), next)
			}
			next++
		}
		if err != nil && err == c.Err() {
			return nil
		}
	}
}

// impatient calls until the connection ends, and does not always wait for the answer.
func impatient(c *esl.Conn, r *rand.Rand) error {
	for i := range 50 {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		gone := r.IntN(3) == 0
		if gone {
			time.AfterFunc(time.Duration(r.IntN(300))*time.Microsecond, cancel)
		}
		call, want := c.API, fmt.Sprintf("%d of %p", i, r)
		if r.IntN(3) == 0 {
			call = c.BgAPI
		}
		got, err := call(ctx, want)
		cancel()
		switch {
		case errors.Is(err, esl.ErrDisconnected):
			return nil
		case gone && errors.Is(err, context.Canceled):
		case err != nil || got != want:
			return fmt.Errorf("got %q, %v; want %q", got, err, want)
		}
	}
	return nil
}
