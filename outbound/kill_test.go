package outbound_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/call"
	"github.com/genesis-esl/genesis/esl/esltest"
	"github.com/genesis-esl/genesis/outbound"
)

// ivr is a menu with all that a menu has. step is called before each step.
func ivr(ctx context.Context, s *outbound.Session, step func()) error {
	steps := []func() error{
		func() error { return s.RingReady(ctx) },
		func() error { return s.Answer(ctx) },
		func() error { return s.Set(ctx, "language", "en") },
		func() error { _, err := s.Playback(ctx, "tone_stream://%(200,0,440)"); return err },
		func() error {
			_, err := s.PlayAndGetDigits(ctx, call.Digits{File: "tone_stream://%(200,0,440)", Timeout: 200 * time.Millisecond})
			if errors.Is(err, call.ErrNoDigits) {
				return nil
			}
			return err
		},
		func() error { return s.Say(ctx, call.Say{Text: "12"}) },
		func() error { return s.Sleep(ctx, 200*time.Millisecond) },
		func() error {
			_, err := s.Record(ctx, call.Recording{File: "/tmp/none.wav", Limit: time.Second})
			return err
		},
		func() error {
			_, err := s.BridgeTo(ctx, call.To(call.User("busy", "")))
			if errors.Is(err, call.UserBusy) {
				return nil
			}
			return err
		},
		func() error {
			b, err := s.Originate(ctx, call.Originate{To: call.To(call.User("1000", ""))})
			if err != nil {
				return err
			}
			return b.Hangup(ctx, call.NormalClearing)
		},
		func() error { _, err := s.GetVariable(ctx, "language"); return err },
		func() error { return s.Hangup(ctx, call.NormalClearing) },
	}
	for i, run := range steps {
		step()
		if err := run(); err != nil {
			return fmt.Errorf("step %d: %w", i, err)
		}
	}
	return nil
}

// TestCallerHangsUpAtEveryStep ends the call before and during each step of an IVR:
// nothing hangs, nothing is left, and the error is the hangup.
func TestCallerHangsUpAtEveryStep(t *testing.T) {
	const steps = 12
	for _, delay := range []time.Duration{0, 3 * time.Millisecond} {
		for kill := range steps - 1 {
			t.Run(fmt.Sprintf("step %d after %v", kill, delay), func(t *testing.T) {
				killAt(t, kill, delay)
			})
		}
	}
}

func killAt(t *testing.T, kill int, delay time.Duration) {
	type end struct{ handler, cause error }
	ended := make(chan end, 1)
	var at atomic.Int32
	at.Store(-1)
	var w *world
	ready, killed := make(chan struct{}), make(chan struct{})
	w = serve(t, scenarioConfigPaced(10), func(ctx context.Context, s *outbound.Session) error {
		<-ready
		err := ivr(ctx, s, func() {
			if int(at.Add(1)) != kill {
				return
			}
			hangup := func() {
				defer close(killed)
				_, _ = w.by.API(w.ctx, "uuid_kill "+s.UUID()+" CALL_REJECTED") // a quick step may have ended the call
			}
			if delay == 0 {
				hangup()
			} else {
				time.AfterFunc(delay, hangup)
			}
		})
		<-ctx.Done()
		ended <- end{err, context.Cause(ctx)}
		return err
	})
	close(ready)
	w.place(asyncFull)
	e := result(t, w, ended)
	result(t, w, killed)
	if e.handler != nil && !errors.Is(e.handler, call.CallRejected) {
		t.Errorf("the handler failed with %v", e.handler)
	}
	if e.handler == nil && at.Load() < 11 {
		t.Errorf("the handler stopped at step %d without an error", at.Load())
	}
	if !errors.Is(e.cause, call.CallRejected) && !errors.Is(e.cause, call.NormalClearing) {
		t.Errorf("the context ended with %v", e.cause)
	}
}

func scenarioConfigPaced(pace float64) esltest.Config {
	cfg := scenarioConfig()
	cfg.Pace = pace
	return cfg
}
