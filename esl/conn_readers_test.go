package esl_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/genesis-esl/genesis/esl"
)

// TestManyReaders share the events of one connection: each event goes to one of them,
// and the end to all, wherever they wait.
func TestManyReaders(t *testing.T) {
	const readers, events = 4, 40
	for range 20 {
		c, far := connected(t, esl.ConnConfig{})
		taken := make(chan uint64, events)
		ends := make(chan error, readers)
		for range readers {
			go func() {
				for {
					e, err := c.ReadEvent(context.Background())
					if err != nil {
						ends <- err
						return
					}
					taken <- e.Sequence()
				}
			}()
		}
		flood(far, events)
		seen := make(map[uint64]bool)
		for range events {
			seen[receive(t, taken, "an event")] = true
		}
		if len(seen) != events {
			t.Errorf("%d events were taken, want each of %d once", len(seen), events)
		}
		far.fin()
		for range readers {
			if err := receive(t, ends, "the end, at every reader"); !errors.Is(err, io.EOF) {
				t.Errorf("got %v, want io.EOF", err)
			}
		}
	}
}
