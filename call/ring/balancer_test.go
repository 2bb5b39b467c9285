package ring_test

import (
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/genesis-esl/genesis/call/ring"
	"github.com/genesis-esl/genesis/internal/testbed"
)

// balancers is what every Balancer must pass; open gives another process's view of it.
func balancers(t *testing.T, open func(t *testing.T, name string) ring.Balancer) {
	for name, test := range map[string]func(t *testing.T, one, two ring.Balancer){
		"LeastLoaded": testLeastLoaded,
		"MostIdle":    testMostIdle,
		"Turn":        testTurn,
		"AllAtOnce":   testAllAtOnce,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t, name), open(t, name)) })
	}
}

func TestMemoryBalancer(t *testing.T) {
	shared := map[string]ring.Balancer{}
	balancers(t, func(_ *testing.T, name string) ring.Balancer {
		if shared[name] == nil {
			shared[name] = ring.NewMemory()
		}
		return shared[name]
	})
}

func TestMiniredisBalancer(t *testing.T) {
	server := miniredis.RunT(t)
	balancers(t, func(t *testing.T, name string) ring.Balancer { return openRedis(t, server.Addr(), name) })
	t.Run("Leases", func(t *testing.T) { testLeases(t, server.Addr(), server.FlushAll) })
	t.Run("RenewalComesLate", func(t *testing.T) { testRenewalComesLate(t, server.Addr()) })
}

func TestRedisServerBalancer(t *testing.T) {
	addr := testbed.StartRedis(t).Addr
	balancers(t, func(t *testing.T, name string) ring.Balancer { return openRedis(t, addr, name) })
	t.Run("Leases", func(t *testing.T) {
		testLeases(t, addr, func() {
			client := redis.NewClient(&redis.Options{Addr: addr})
			defer client.Close()
			if err := client.FlushAll(t.Context()).Err(); err != nil {
				t.Error(err)
			}
		})
	})
	t.Run("RenewalComesLate", func(t *testing.T) { testRenewalComesLate(t, addr) })
}

const shortLease = 4 * time.Second

func openRedis(t *testing.T, addr, prefix string) *ring.Redis {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: addr, ContextTimeoutEnabled: true, MaxRetries: -1})
	t.Cleanup(func() { _ = client.Close() })
	b, err := ring.NewRedis(client, ring.RedisConfig{Prefix: prefix, Lease: shortLease})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func take(t *testing.T, b ring.Balancer, rule ring.Rule, want int, ids ...string) ring.Taken {
	t.Helper()
	taken, err := b.Take(t.Context(), rule, ids)
	if err != nil {
		t.Fatal(err)
	}
	if taken.Index != want {
		t.Errorf("picked %s, want %s", ids[taken.Index], ids[want])
	}
	return taken
}

func testLeastLoaded(t *testing.T, one, two ring.Balancer) {
	a := take(t, one, ring.LeastLoaded, 0, "a", "b", "c")
	b := take(t, two, ring.LeastLoaded, 1, "a", "b", "c")
	c := take(t, one, ring.LeastLoaded, 2, "a", "b", "c")
	first := take(t, two, ring.First, 0, "c", "b", "a")
	again := take(t, one, ring.LeastLoaded, 0, "a", "b", "c")
	b.End()
	take(t, two, ring.LeastLoaded, 1, "a", "b", "c").End()
	for _, taken := range []ring.Taken{a, c, first, again} {
		taken.End()
	}
}

func testMostIdle(t *testing.T, one, two ring.Balancer) {
	ids := []string{"a", "b", "c"}
	a := take(t, one, ring.MostIdle, 0, ids...)
	b := take(t, two, ring.MostIdle, 1, ids...)
	b.End()
	c := take(t, one, ring.MostIdle, 2, ids...)
	b = take(t, two, ring.MostIdle, 1, ids...) // the others are on a call
	c.End()
	apart(t)
	a.End()
	apart(t)
	b.End()
	for _, want := range []int{2, 0, 1} {
		apart(t)
		take(t, one, ring.MostIdle, want, ids...).End()
	}
}

// apart lets the clock of the server, which counts milliseconds, tell two moments apart.
func apart(t *testing.T) {
	t.Helper()
	select {
	case <-time.After(3 * time.Millisecond):
	case <-t.Context().Done():
	}
}

func testTurn(t *testing.T, one, two ring.Balancer) {
	for i := range uint64(6) {
		b := one
		if i%2 == 1 {
			b = two
		}
		if turn, err := b.Turn(t.Context(), "sales"); err != nil || turn != i {
			t.Errorf("turn %d, %v; want %d", turn, err, i)
		}
	}
	if turn, err := one.Turn(t.Context(), "support"); err != nil || turn != 0 {
		t.Errorf("another group's turn is %d, %v", turn, err)
	}
}

// testAllAtOnce asks from many goroutines: nobody gets a second call while somebody has none.
func testAllAtOnce(t *testing.T, one, two ring.Balancer) {
	ids := make([]string, 20)
	for i := range ids {
		ids[i] = strconv.Itoa(i)
	}
	picked := make(chan ring.Taken, len(ids))
	var wg sync.WaitGroup
	for i := range ids {
		b := one
		if i%2 == 1 {
			b = two
		}
		wg.Go(func() {
			taken, err := b.Take(t.Context(), ring.LeastLoaded, ids)
			if err != nil {
				t.Error(err)
				return
			}
			picked <- taken
		})
	}
	wg.Wait()
	close(picked)
	seen := map[int]bool{}
	for taken := range picked {
		if seen[taken.Index] {
			t.Errorf("%d was picked twice", taken.Index)
		}
		seen[taken.Index] = true
		taken.End()
	}
}

// testLeases has a process crash with a call, and Redis lose its data under a living one.
func testLeases(t *testing.T, addr string, flush func()) {
	crashed, living := openRedis(t, addr, t.Name()), openRedis(t, addr, t.Name())
	take(t, crashed, ring.First, 0, "a")
	ring.Crash(crashed)
	b := take(t, living, ring.LeastLoaded, 1, "a", "b")
	defer b.End()
	flush() // only the living one brings its call back
	poll(t, func() bool {
		taken, err := living.Take(t.Context(), ring.LeastLoaded, []string{"b", "a"})
		if err != nil {
			t.Fatal(err)
		}
		defer taken.End()
		return taken.Index == 1
	})
	other := openRedis(t, addr, t.Name()+"2")
	lost := openRedis(t, addr, t.Name()+"2")
	take(t, lost, ring.First, 0, "a")
	ring.Crash(lost)
	start := time.Now()
	poll(t, func() bool {
		taken, err := other.Take(t.Context(), ring.LeastLoaded, []string{"a", "b"})
		if err != nil {
			t.Fatal(err)
		}
		defer taken.End()
		return taken.Index == 0
	})
	if took := time.Since(start); took < shortLease/2 {
		t.Errorf("the count of a crashed process was gone after %s", took)
	}
}

// poll asks ten times a second until it is so.
func poll(t *testing.T, so func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("it did not happen")
		}
	}
}
