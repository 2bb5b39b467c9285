package outbound_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/call"
	"github.com/genesis-esl/genesis/esl/esltest"
	"github.com/genesis-esl/genesis/outbound"
)

// TestThousandCalls answers, plays to and hangs up a thousand calls, a hundred at a
// time, without an error.
func TestThousandCalls(t *testing.T) {
	const calls, together = 1000, 100
	var failed atomic.Int32
	ended := make(chan struct{}, calls)
	w := newWorld(t, &outbound.Server{
		Handler: outbound.HandlerFunc(func(ctx context.Context, s *outbound.Session) error {
			if err := s.Answer(ctx); err != nil {
				return err
			}
			_, err := s.Playback(ctx, "tone_stream://%(20,0,440)")
			return err
		}),
		SessionHooks: &outbound.Hooks{SessionEnd: func(s *outbound.Session, _ time.Duration, err error) {
			if err != nil || !errors.Is(s.Err(), call.NormalClearing) {
				failed.Add(1)
				t.Errorf("a call ended with %v, its handler with %v", s.Err(), err)
			}
			ended <- struct{}{}
		}},
	}, esltest.Config{Pace: 20})
	w.ctx = context.WithoutCancel(w.ctx) // it takes as long as it takes, within the test's limit
	var batch sync.WaitGroup
	for range together {
		batch.Go(func() {
			for range calls / together {
				_, _ = w.by.BgAPI(w.ctx, "originate {ignore_early_media=true}loopback/"+asyncFull+"/default &park()")
			}
		})
	}
	batch.Wait()
	for range calls {
		result(t, w, ended)
	}
	if n := failed.Load(); n > 0 {
		t.Errorf("%d of %d calls failed", n, calls)
	}
}

// BenchmarkSession is a call from connect over answer and a variable to hangup, on a
// simulated FreeSWITCH in the same process.
func BenchmarkSession(b *testing.B) {
	benchmarkCalls(b, func(ctx context.Context, s *outbound.Session) error {
		if err := s.Answer(ctx); err != nil {
			return err
		}
		return s.Hangup(ctx, call.NormalClearing)
	})
}

// BenchmarkOriginateBridge is a call that makes another one and is connected with it.
func BenchmarkOriginateBridge(b *testing.B) {
	benchmarkCalls(b, func(ctx context.Context, s *outbound.Session) error {
		if err := s.Answer(ctx); err != nil {
			return err
		}
		other, err := s.Originate(ctx, call.Originate{To: call.To(call.User("1000", ""))})
		if err != nil {
			return err
		}
		if err := s.Connect(ctx, other); err != nil {
			return err
		}
		return s.Hangup(ctx, call.NormalClearing)
	})
}

func benchmarkCalls(b *testing.B, handler outbound.HandlerFunc) {
	const together = 20
	ended := make(chan error, together)
	w := newWorld(b, &outbound.Server{
		Handler: handler,
		SessionHooks: &outbound.Hooks{SessionEnd: func(_ *outbound.Session, _ time.Duration, err error) {
			ended <- err
		}},
	}, esltest.Config{Pace: 1000})
	w.ctx = context.WithoutCancel(w.ctx)
	b.ReportAllocs()
	b.ResetTimer()
	var next atomic.Int64
	var callers sync.WaitGroup
	for range together {
		callers.Go(func() {
			for next.Add(1) <= int64(b.N) {
				_, _ = w.by.BgAPI(w.ctx, "originate loopback/"+asyncFull+"/default &park()")
			}
		})
	}
	for range b.N {
		if err := <-ended; err != nil {
			b.Error(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
	callers.Wait()
}
