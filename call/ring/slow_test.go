package ring_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/genesis-esl/genesis/call/ring"
	"github.com/genesis-esl/genesis/esl/esltest"
)

// line is the way to a Redis server, which can be slow or dead. It is a redis.Hook.
type line struct {
	latency time.Duration
	dead    atomic.Bool
	asked   chan struct{} // has one for every command that a dead one has swallowed
}

func (l *line) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (l *line) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (l *line) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if l.dead.Load() {
			l.asked <- struct{}{}
			<-ctx.Done()
			return ctx.Err()
		}
		if l.latency > 0 {
			select {
			case <-time.After(l.latency):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return next(ctx, cmd)
	}
}

// slowRedis is a balancer at the end of the line, and a client that sees what it counts.
func slowRedis(t *testing.T, l *line) (ring.Balancer, *redis.Client) {
	t.Helper()
	server := miniredis.RunT(t)
	options := &redis.Options{Addr: server.Addr(), ContextTimeoutEnabled: true, MaxRetries: -1}
	far, near := redis.NewClient(options), redis.NewClient(options)
	far.AddHook(l)
	t.Cleanup(func() { _, _ = far.Close(), near.Close() })
	balancer, err := ring.NewRedis(far, ring.RedisConfig{})
	if err != nil {
		t.Fatal(err)
	}
	return balancer, near
}

// counted are the calls that Redis counts, by destination.
func counted(t *testing.T, client *redis.Client) map[string]string {
	t.Helper()
	loads, err := client.HGetAll(t.Context(), "{genesis:ring}:loads").Result()
	if err != nil {
		t.Fatal(err)
	}
	return loads
}

// many are destinations that ring until they are answered, as many as n.
func many(n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprint("rings", i))
	}
	return names
}

// TestSlowBalancer has a Redis far away: all ring at once, and the answer waits for nobody's count.
func TestSlowBalancer(t *testing.T) {
	w := newWorld(t, esltest.Endpoint{Match: "user/rings", Answer: -1})
	balancer, client := slowRedis(t, &line{latency: 100 * time.Millisecond})
	start := time.Now()
	answer := w.first(newRinger(t, ring.Config{Balancer: balancer}), users(append(many(24), "answers")...), ring.Parallel)
	if took := time.Since(start); took > 2500*time.Millisecond || answer.Destination.ID != "answers" {
		t.Errorf("%q won after %s", answer.Destination.ID, took)
	}
	w.alone(answer)
	poll(t, func() bool {
		loads := counted(t, client)
		return len(loads) == 1 && loads["answers"] == "1"
	})
	w.hangUp(answer)
	poll(t, func() bool { return len(counted(t, client)) == 0 })
}

// TestBalancerDies has a Redis that does not answer any more while they ring: nobody waits for it one by one.
func TestBalancerDies(t *testing.T) {
	const others = 6
	w := newWorld(t, esltest.Endpoint{Match: "user/", Ring: time.Millisecond, Answer: -1})
	l := &line{asked: make(chan struct{}, 100)}
	balancer, _ := slowRedis(t, l)
	r := newRinger(t, ring.Config{Balancer: balancer})
	ended := make(chan *ring.Answer)
	go func() {
		answer, err := r.Ring(w.ctx, w.calls, users(many(others+1)...), ring.Parallel)
		if err != nil {
			t.Error(err)
		}
		ended <- answer
	}()
	for _, name := range many(others + 1) {
		w.await("CHANNEL_PROGRESS", name, 0)
	}
	l.dead.Store(true)
	start := time.Now()
	w.fs.Legs()[0].Answer()
	answer := <-ended
	if answer == nil {
		return
	}
	if took := time.Since(start); took > others*time.Second/2 {
		t.Errorf("answered after %s", took)
	}
	w.alone(answer)
	for range others { // each is told, whether it hears it or not
		<-l.asked
	}
	w.hangUp(answer)
	<-l.asked
}

// stuck is a Balancer that answers only when it is let.
type stuck struct {
	*told
	asked, let chan struct{}
}

func (b stuck) Take(ctx context.Context, rule ring.Rule, ids []string) (ring.Taken, error) {
	b.asked <- struct{}{}
	<-b.let
	return b.told.Take(ctx, rule, ids)
}

func (b stuck) Turn(ctx context.Context, group string) (uint64, error) {
	b.asked <- struct{}{}
	<-b.let
	return b.told.Turn(ctx, group)
}

// TestBalancerIsStuck ends the context while the balancer is asked: Ring ends at once, nobody was rung, and what is
// counted later is taken back.
func TestBalancerIsStuck(t *testing.T) {
	w := newWorld(t)
	enough := errors.New("enough")
	for _, mode := range []ring.Mode{ring.Parallel, ring.Sequential, ring.Balancing, ring.RoundRobin} {
		b := stuck{newTold(), make(chan struct{}, 2), make(chan struct{})}
		ctx, cancel := context.WithCancelCause(w.ctx)
		ended := make(chan error)
		go func() {
			_, err := newRinger(t, ring.Config{Balancer: b}).Ring(ctx, w.calls, users("a"), mode)
			ended <- err
		}()
		<-b.asked
		cancel(enough)
		if err := <-ended; !errors.Is(err, enough) {
			t.Errorf("%s: got %v", mode, err)
		}
		if legs := w.fs.Legs(); len(legs) > 0 {
			t.Errorf("%s: %d were rung", mode, len(legs))
		}
		close(b.let)
		if mode == ring.RoundRobin {
			continue // it was not even asked to count
		}
		select {
		case <-b.ended:
		case <-w.ctx.Done():
			t.Fatalf("%s: a call that was not made is counted", mode)
		}
	}
}

// holding is a redis.Hook that holds the first renewal until it is let.
type holding struct {
	line
	once            sync.Once
	held, let, sent chan struct{}
}

func (h *holding) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) (err error) {
		process := func() { err = next(ctx, cmd) }
		if slices.Contains(cmd.Args(), any("renew")) {
			h.once.Do(func() {
				close(h.held)
				<-h.let
				process()
				close(h.sent)
				process = func() {}
			})
		}
		process()
		return err
	}
}

// testRenewalComesLate has a call end before its renewal reaches Redis: it is not counted for another lease.
func testRenewalComesLate(t *testing.T, addr string) {
	options := &redis.Options{Addr: addr, ContextTimeoutEnabled: true, MaxRetries: -1}
	client, other := redis.NewClient(options), openRedis(t, addr, t.Name())
	defer client.Close()
	h := &holding{held: make(chan struct{}), let: make(chan struct{}), sent: make(chan struct{})}
	client.AddHook(h)
	const lease = 12 * time.Second
	balancer, err := ring.NewRedis(client, ring.RedisConfig{Prefix: t.Name(), Lease: lease})
	if err != nil {
		t.Fatal(err)
	}
	late := take(t, balancer, ring.First, 0, "late")
	<-h.held
	late.End()
	close(h.let)
	<-h.sent
	start := time.Now()
	poll(t, func() bool { // "free" is always the one whose last call has just ended
		taken, err := other.Take(t.Context(), ring.LeastLoaded, []string{"late", "free"})
		if err != nil {
			t.Fatal(err)
		}
		defer taken.End()
		return taken.Index == 0
	})
	if took := time.Since(start); took > lease/2 {
		t.Errorf("a call that has ended was counted for %s", took)
	}
}
