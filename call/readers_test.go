package call_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/call"
	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/internal/testbed"
)

// TestEveryReaderOfAStream has several goroutines read one stream: no event waits for a reader who rests, and the end is
// told to all of them.
func TestEveryReaderOfAStream(t *testing.T) {
	testbed.OnProcessors(t, func(t *testing.T) {
		for range 300 {
			if readTogether(t); t.Failed() {
				return
			}
		}
	}, 1, 2, 8)
}

func readTogether(t *testing.T) {
	const readers = 4
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	c := call.New(ctx, nil, call.Config{UUID: aUUID})
	stream := c.Events("DTMF")
	var together atomic.Int32
	met := make(chan struct{})
	var all sync.WaitGroup
	for range readers {
		all.Go(func() {
			_, err := stream.Next(ctx)
			if together.Add(1) == readers {
				close(met) // each has read one
			}
			select {
			case <-met:
				_, err = stream.Next(ctx)
			case <-ctx.Done():
			}
			if !errors.Is(err, esl.ErrClosed) {
				t.Errorf("a reader ended with %v", err)
			}
		})
	}
	for range readers {
		c.HandleEvent(told("DTMF"))
	}
	select {
	case <-met:
	case <-ctx.Done():
	}
	c.Lost(esl.ErrClosed)
	all.Wait()
}

// told is an event of the channel.
func told(name string) *esl.Event {
	return esl.NewEvent([]esl.Header{{Name: "Event-Name", Value: name}, {Name: "Unique-ID", Value: aUUID}}, "")
}
