package ring

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// settleTime bounds how long a Ring waits until the balancer knows who is not called any more: somebody has answered and
// hears nothing yet.
const settleTime = 200 * time.Millisecond

// tally is what one Ring asks the balancer and tells it. Every request has a goroutine of its own, so that nobody waits
// for a balancer longer than for the answer that is needed. It is safe for concurrent use.
type tally struct {
	balancer Balancer
	log      *slog.Logger
	failed   atomic.Bool // it is not asked any more, so that a call waits for a dead one only once

	mu   sync.Mutex
	open []<-chan struct{} // requests, closed when they are done
}

// take has the balancer pick one of ids and count it. Without an answer it is the first one, and counted nowhere.
func (t *tally) take(ctx context.Context, rule Rule, ids []string) Taken {
	nobody := Taken{End: func() {}}
	if t.failed.Load() {
		return nobody
	}
	request := func(ctx context.Context) (Taken, error) { return t.balancer.Take(ctx, rule, ids) }
	taken, err := ask(ctx, t, request, func(late Taken) { late.End() })
	if err != nil {
		return nobody
	}
	return taken
}

// turn is whose turn it is in the group; without an answer that of the first one.
func (t *tally) turn(ctx context.Context, group string) uint64 {
	request := func(ctx context.Context) (uint64, error) { return t.balancer.Turn(ctx, group) }
	turn, _ := ask(ctx, t, request, func(uint64) {})
	return turn
}

// ask waits for the answer as long as ctx lasts. An answer that comes later is undone.
func ask[T any](ctx context.Context, t *tally, request func(context.Context) (T, error), undo func(T)) (T, error) {
	type result struct {
		answer T
		err    error
	}
	answered := make(chan result)
	t.beside(func() {
		// Cut short, nobody would know whether it was counted.
		whole, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		answer, err := request(whole)
		select {
		case answered <- result{answer, err}:
		case <-ctx.Done():
			if err == nil {
				undo(answer)
			}
		}
	})
	select {
	case r := <-answered:
		if r.err != nil && !t.failed.Swap(true) {
			t.log.Warn("balancer failed; calling without it", "error", r.err)
		}
		return r.answer, r.err
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	}
}

// beside makes a request that settle waits for.
func (t *tally) beside(request func()) {
	done := make(chan struct{})
	t.mu.Lock()
	t.open = append(t.open, done)
	t.mu.Unlock()
	go func() {
		defer close(done)
		request()
	}()
}

// settle waits until all that was asked and told so far is done, for settleTime in all.
func (t *tally) settle() {
	t.mu.Lock()
	open := t.open
	t.open = nil
	t.mu.Unlock()
	limit := time.NewTimer(settleTime)
	defer limit.Stop()
	for _, done := range open {
		select {
		case <-done:
		case <-limit.C:
			return
		}
	}
}
