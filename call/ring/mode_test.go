package ring_test

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/genesis-esl/genesis/call/ring"
)

// first rings and tells who answered, as everybody answers at once.
func (w *world) first(r *ring.Ringer, list []ring.Destination, mode ring.Mode) *ring.Answer {
	w.t.Helper()
	answer, err := r.Ring(w.ctx, w.calls, list, mode)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer
}

func (w *world) hangUp(answers ...*ring.Answer) {
	w.t.Helper()
	for _, answer := range answers {
		if err := answer.Channel.Hangup(w.ctx, ""); err != nil {
			w.t.Error(err)
		}
	}
}

// told is a Balancer that tells of the counts that have ended: they end a moment after the hangup.
type told struct {
	ring.Balancer
	ended chan struct{}
}

func newTold() *told { return &told{Balancer: ring.NewMemory(), ended: make(chan struct{}, 100)} }

func (b *told) Take(ctx context.Context, rule ring.Rule, ids []string) (ring.Taken, error) {
	taken, err := b.Balancer.Take(ctx, rule, ids)
	end := taken.End
	taken.End = func() {
		end()
		b.ended <- struct{}{}
	}
	return taken, err
}

// hangUp hangs up one after the other, and waits until each is not counted any more.
func (b *told) hangUp(w *world, answers ...*ring.Answer) {
	w.t.Helper()
	for _, answer := range answers {
		w.hangUp(answer)
		select {
		case <-b.ended:
		case <-w.ctx.Done():
			w.t.Fatal("a call is counted after its hangup")
		}
	}
}

// TestBalancing counts a call from the ring to the hangup, not only while it rings.
func TestBalancing(t *testing.T) {
	w := newWorld(t)
	balancer := newTold()
	r := newRinger(t, ring.Config{Balancer: balancer})
	list := users("a", "b", "c")
	var talking []*ring.Answer
	for i := range 6 {
		answer := w.first(r, list, ring.Balancing)
		if answer.Index != i%3 {
			t.Errorf("call %d went to %s", i, answer.Destination.ID)
		}
		talking = append(talking, answer)
	}
	balancer.hangUp(w, talking[1])
	for _, want := range []int{1, 0} {
		answer := w.first(r, list, ring.Balancing)
		if answer.Index != want {
			t.Errorf("after b hung up: %s, want %s", answer.Destination.ID, list[want].ID)
		}
		talking = append(talking, answer)
	}
	talking = append(talking[:1], talking[2:]...)
	balancer.hangUp(w, talking...)
	if answer := w.first(r, users("c", "busy"), ring.Balancing); answer.Destination.ID != "c" {
		t.Errorf("all have hung up: %s", answer.Destination.ID)
	}
}

func TestLongestIdle(t *testing.T) {
	w := newWorld(t)
	balancer := newTold()
	r := newRinger(t, ring.Config{Balancer: balancer})
	list := users("a", "b", "c")
	a, b, c := w.first(r, list, ring.LongestIdle), w.first(r, list, ring.LongestIdle), w.first(r, list, ring.LongestIdle)
	if a.Index != 0 || b.Index != 1 || c.Index != 2 {
		t.Errorf("picked %d, %d, %d", a.Index, b.Index, c.Index)
	}
	balancer.hangUp(w, c, a, b)
	for _, want := range []string{"c", "a", "b"} {
		answer := w.first(r, list, ring.LongestIdle)
		if answer.Destination.ID != want {
			t.Errorf("picked %s, want %s", answer.Destination.ID, want)
		}
		balancer.hangUp(w, answer)
	}
}

func TestRoundRobin(t *testing.T) {
	w := newWorld(t)
	r := newRinger(t, ring.Config{})
	for i := range 6 {
		answer := w.first(r, users("a", "busy", "c"), ring.RoundRobin)
		if want := []int{0, 2, 2}[i%3]; answer.Index != want {
			t.Errorf("call %d went to %d, want %d", i, answer.Index, want)
		}
		w.hangUp(answer)
	}
}

// TestGroup has turns counted by the group's name, whoever is in it at the time.
func TestGroup(t *testing.T) {
	w := newWorld(t)
	r := newRinger(t, ring.Config{})
	for i, tt := range []struct {
		group string
		list  []ring.Destination
		want  string
	}{
		{"sales", users("a", "b", "c"), "a"},
		{"sales", users("a", "b", "c"), "b"},
		{"support", users("a", "b", "c"), "a"}, // the same people, another group
		{"sales", users("d", "e", "f"), "f"},   // other people, the same group
		{"support", users("a", "b", "c"), "b"},
	} {
		answer, err := r.Ring(w.ctx, w.calls, tt.list, ring.RoundRobin, ring.Group(tt.group))
		if err != nil {
			t.Fatal(err)
		}
		if got := answer.Destination.ID; got != tt.want {
			t.Errorf("call %d, to %s, went to %s, want %s", i, tt.group, got, tt.want)
		}
		w.hangUp(answer)
	}
}

func TestShares(t *testing.T) {
	w := newWorld(t)
	r := newRinger(t, ring.Config{})
	list := users("often", "seldom")
	list[0].Weight = 9
	for mode, atLeast := range map[ring.Mode]int{ring.Weighted: 30, ring.Random: 5} {
		const calls = 50
		got := [2]int{}
		for range calls {
			answer := w.first(r, list, mode)
			got[answer.Index]++
			w.hangUp(answer)
		}
		if got[0] < atLeast || mode == ring.Random && got[0] > calls-atLeast {
			t.Errorf("%s: %v of %d", mode, got, calls)
		}
	}
}

// TestBalancerDown has a Redis that is not there: the call is made all the same.
func TestBalancerDown(t *testing.T) {
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", ContextTimeoutEnabled: true, MaxRetries: -1})
	defer client.Close()
	balancer, err := ring.NewRedis(client, ring.RedisConfig{})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	r := newRinger(t, ring.Config{Balancer: balancer})
	start := time.Now()
	for _, mode := range []ring.Mode{ring.Balancing, ring.RoundRobin, ring.Parallel} {
		answer := w.first(r, users("busy", "a"), mode)
		if answer.Destination.ID != "a" {
			t.Errorf("%s: %s", mode, answer.Destination.ID)
		}
		w.hangUp(answer)
	}
	if took := time.Since(start); took > soon {
		t.Errorf("took %s", took)
	}
}

func TestNewRedisRefuses(t *testing.T) {
	unbounded := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"})
	defer unbounded.Close()
	bounded := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", ContextTimeoutEnabled: true})
	defer bounded.Close()
	for name, try := range map[string]func() (*ring.Redis, error){
		"nothing":   func() (*ring.Redis, error) { return ring.NewRedis(nil, ring.RedisConfig{}) },
		"unbounded": func() (*ring.Redis, error) { return ring.NewRedis(unbounded, ring.RedisConfig{}) },
		"lease":     func() (*ring.Redis, error) { return ring.NewRedis(bounded, ring.RedisConfig{Lease: time.Second}) },
	} {
		if _, err := try(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
