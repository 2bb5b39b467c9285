package outbound_test

import (
	"context"
	"errors"
	"testing"

	"github.com/genesis-esl/genesis/call"
	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/esl/esltest"
	"github.com/genesis-esl/genesis/outbound"
)

// TestWaitStateDestroy waits for the very end, before and after the hangup.
func TestWaitStateDestroy(t *testing.T) {
	overBoth(t, func(t *testing.T, ctx context.Context, s *subject) {
		c, err := s.orig.Originate(ctx, call.Originate{To: call.To(call.User("1000", ""))})
		if err != nil {
			t.Fatal(err)
		}
		background := context.WithoutCancel(ctx)
		destroyed := make(chan error, 1)
		go func() { destroyed <- c.WaitState(background, call.StateDestroy) }()
		s.fs.Leg(c.UUID()).Hangup("")
		if err := result(t, s.world, destroyed); err != nil || c.State() != call.StateDestroy {
			t.Errorf("waited: %v, state %s", err, c.State())
		}
		if err := c.WaitState(background, call.StateDestroy); err != nil {
			t.Errorf("waiting for what has been: %v", err)
		}
		if c.HangupComplete() == nil {
			t.Error("no CHANNEL_HANGUP_COMPLETE")
		}
	})
}

// TestWaitStateLost ends the connection under a wait past the hangup.
func TestWaitStateLost(t *testing.T) {
	for name, end := range map[string]func(w *world){
		"cut":   func(w *world) { w.fs.CutConnections() },
		"close": func(w *world) { _ = w.srv.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			waiting, done := make(chan struct{}), make(chan error, 1)
			w := serve(t, esltest.Config{}, func(ctx context.Context, s *outbound.Session) error {
				close(waiting)
				err := s.WaitState(context.WithoutCancel(ctx), call.StateReporting, call.StateDestroy)
				done <- err
				return err
			})
			w.place(asyncFull)
			result(t, w, waiting)
			end(w)
			if err := result(t, w, done); !errors.Is(err, esl.ErrDisconnected) && !errors.Is(err, outbound.ErrServerClosed) {
				t.Errorf("ended with %v", err)
			}
		})
	}
}

// TestLastEventMissing looks that a channel whose CHANNEL_DESTROY never comes is let go
// of all the same, and that its UUID can be used again at once.
func TestLastEventMissing(t *testing.T) {
	w := serve(t, scenarioConfig(), func(context.Context, *outbound.Session) error { return nil })
	ctl := controlBut(t, w, func(ev *esl.Event) bool {
		return ev.Name() == "CHANNEL_DESTROY" || ev.Get("Channel-State") == "CS_DESTROY"
	})
	request := call.Originate{To: call.To(call.User("1000", "")), UUID: esl.NewUUID()}
	first, err := ctl.Originate(w.ctx, request)
	if err != nil {
		t.Fatal(err)
	}
	leg := w.fs.Leg(request.UUID)
	leg.Hangup("")
	if err := leg.WaitEnded(w.ctx); err != nil {
		t.Fatal(err)
	}
	w.untilTrue(func() bool { return first.HangupComplete() != nil })
	second, err := ctl.Originate(w.ctx, request)
	if err != nil || second == first || second.Err() != nil {
		t.Fatalf("the same UUID again: %v, %v", second.Err(), err)
	}
	if err := second.Hangup(w.ctx, ""); err != nil {
		t.Error(err)
	}
	if err := second.WaitState(w.ctx, call.StateDestroy); !isHangup(err) {
		t.Errorf("waiting for what never comes: %v", err)
	}
	if _, ok := ctl.Channel(request.UUID); ok {
		t.Error("the controller keeps the channel")
	}
}
