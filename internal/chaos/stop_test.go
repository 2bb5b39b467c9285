package chaos_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/esl"
)

// everyFaultWhileShuttingDown: under load, with handlers that are slow and some
// that fail, the app is stopped in both ways while a fault strikes. Serve returns, what
// was taken is handled or counted as dropped, and commands are refused.
func everyFaultWhileShuttingDown(t *testing.T) {
	for way, stop := range map[string]func(*world){
		"closed":  func(w *world) { w.closed.Store(true); w.client.Close() },
		"stopped": func(w *world) { w.halt() },
	} {
		for fault, f := range faults {
			t.Run("shutting down, "+way+", "+fault, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, cellQueue)
				leave := producing("", "slow", "", "panics")(w, context.Background())
				until(t, "work", func() bool { return w.delivered.Load() > 20 })
				done := make(chan struct{})
				go func() { defer close(done); stop(w) }()
				f.strike(w)
				receive(t, done, "the end")
				if err := leave(); err != nil {
					t.Error(err)
				}
				if _, err := w.client.API(context.Background(), "status"); !errors.Is(err, esl.ErrClosed) {
					t.Errorf("afterwards: %v", err)
				}
			})
		}
	}
}

// TestShutDownWhileHalfOpen: nobody at the other end is waited for, neither by the app
// nor by a command under way.
func TestShutDownWhileHalfOpen(t *testing.T) {
	t.Parallel()
	w := newWorld(t, cellQueue)
	if _, err := w.client.API(context.Background(), "status"); err != nil { // opens the command socket
		t.Fatal(err)
	}
	w.proxy.Freeze()
	ended := make(chan error, 1)
	go func() {
		_, err := w.client.API(context.Background(), "status")
		ended <- err
	}()
	began := time.Now()
	w.halt()
	err := receive(t, ended, "the command")
	if took := time.Since(began); took > silence || !errors.Is(err, esl.ErrClosed) && !errors.Is(err, esl.ErrDisconnected) {
		t.Errorf("after %v: %v", took, err)
	}
}
