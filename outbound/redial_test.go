package outbound_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/genesis-esl/genesis/call"
	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/outbound"
)

// TestRedialWithTheSameUUID calls somebody who is busy and at once somebody else, with the
// same UUID: the session hears of the second leg, although it lets go of the first.
func TestRedialWithTheSameUUID(t *testing.T) {
	redial := func(ctx context.Context, s *outbound.Session) error {
		uuid := esl.NewUUID()
		_, err := s.Originate(ctx, call.Originate{To: call.To(call.User("busy", "")), UUID: uuid})
		if !errors.Is(err, call.UserBusy) {
			return err
		}
		// FreeSWITCH answers before the busy channel is gone altogether, and has one of a UUID.
		leg, err := s.Originate(ctx, call.Originate{To: call.To(call.User("1000", "")), UUID: uuid})
		for errors.Is(err, call.DestinationOutOfOrder) && ctx.Err() == nil {
			leg, err = s.Originate(ctx, call.Originate{To: call.To(call.User("1000", "")), UUID: uuid})
		}
		if err != nil {
			return err
		}
		if _, err := s.API(ctx, "uuid_kill "+uuid); err != nil {
			return err
		}
		_, err = leg.WaitHangup(ctx)
		return err
	}
	done := make(chan struct{})
	w := serve(t, scenarioConfig(), func(ctx context.Context, s *outbound.Session) error {
		defer close(done)
		ctx, cancel := context.WithTimeout(ctx, patience/2)
		defer cancel()
		var callers sync.WaitGroup
		for range 8 {
			callers.Go(func() {
				for range 25 {
					if err := redial(ctx, s); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		callers.Wait()
		return nil
	})
	w.place(asyncFull)
	result(t, w, done)
}
