package outbound_test

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"

	"github.com/genesis-esl/genesis/call"
	"github.com/genesis-esl/genesis/esl/esltest"
	"github.com/genesis-esl/genesis/outbound"
)

// TestPanicInOnDTMF panics where digits are taken: it is logged, and the call goes on.
func TestPanicInOnDTMF(t *testing.T) {
	var logged atomic.Int32
	done := make(chan error, 1)
	pressed := make(chan struct{})
	w := newWorld(t, &outbound.Server{
		Logger: slog.New(countHandler{slog.DiscardHandler, &logged}),
		Handler: outbound.HandlerFunc(func(ctx context.Context, s *outbound.Session) error {
			s.OnDTMF(func(context.Context, call.DTMF) {
				defer close(pressed)
				panic("at the disco")
			})
			_, err := s.Wait(ctx, "DTMF")
			<-pressed
			done <- errors.Join(err, s.Answer(ctx))
			return nil
		}),
	}, esltest.Config{})
	caller := w.place(asyncFull)
	w.pressUntil(caller, pressed)
	if err := result(t, w, done); err != nil {
		t.Errorf("the call suffered: %v", err)
	}
	w.untilTrue(func() bool { return logged.Load() == 1 })
}

// countHandler counts error records.
type countHandler struct {
	slog.Handler
	n *atomic.Int32
}

func (h countHandler) Enabled(context.Context, slog.Level) bool { return true }

func (h countHandler) Handle(_ context.Context, r slog.Record) error {
	if r.Level >= slog.LevelError {
		h.n.Add(1)
	}
	return nil
}

// pressUntil presses a digit on the leg behind the caller, again until it is taken.
func (w *world) pressUntil(caller string, taken <-chan struct{}) {
	w.t.Helper()
	w.untilTrue(func() bool {
		if other, err := w.by.API(w.ctx, "uuid_getvar "+caller+" other_loopback_leg_uuid"); err == nil {
			_, _ = w.by.API(w.ctx, "uuid_recv_dtmf "+other+" 1") // it may not be up yet
		}
		select {
		case <-taken:
			return true
		default:
			return false
		}
	})
}
