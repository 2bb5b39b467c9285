package outbound_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/esl/esltest"
	"github.com/genesis-esl/genesis/internal/testbed"
	"github.com/genesis-esl/genesis/outbound"
)

// TestGivesUpAsItsTurnComes has contexts end just when an application may be sent: who has sent nothing has nothing to
// stop, and does not keep the turn.
func TestGivesUpAsItsTurnComes(t *testing.T) {
	testbed.OnProcessors(t, func(t *testing.T) {
		done := make(chan struct{})
		w := serve(t, esltest.Config{Frame: -1}, func(ctx context.Context, s *outbound.Session) error {
			defer close(done)
			for range 60 {
				var all sync.WaitGroup
				for range 24 {
					impatient, cancel := context.WithTimeout(ctx, rand.N(12*time.Millisecond))
					all.Go(func() {
						defer cancel()
						_, err := s.Execute(impatient, "set", "a=b")
						end, _ := impatient.Deadline()
						if late := time.Since(end); late > time.Second {
							t.Errorf("ended %v late with %v", late, err)
						}
					})
				}
				if all.Wait(); t.Failed() {
					return nil
				}
			}
			return nil
		})
		w.place(asyncSingle)
		result(t, w, done)
	}, 2, 8)
}

// TestCommandsCannotBeSent has no connection for commands: an application that was never sent is not waited for.
func TestCommandsCannotBeSent(t *testing.T) {
	w := serve(t, esltest.Config{}, func(context.Context, *outbound.Session) error { return nil })
	dials := 0
	ctl := control(t, w, func(cfg *esl.ClientConfig) {
		cfg.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if dials++; dials > 1 {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return new(net.Dialer).DialContext(ctx, network, addr)
		}
	})
	c := ctl.Attach(w.parked(), nil)
	enough := errors.New("enough")
	ctx, cancel := context.WithTimeoutCause(w.ctx, 50*time.Millisecond, enough)
	defer cancel()
	start := time.Now()
	_, err := c.Execute(ctx, "set", "a=b")
	if took := time.Since(start); !errors.Is(err, enough) || took > time.Second {
		t.Errorf("%v after %v", err, took)
	}
}
