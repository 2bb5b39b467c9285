package queue_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/genesis-esl/genesis/call/queue"
	"github.com/genesis-esl/genesis/internal/testbed"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	memory := queue.NewMemory()
	runConformance(t, always(func(*testing.T) queue.Backend { return memory }))
}

func TestMiniredis(t *testing.T) {
	t.Parallel()
	// One for each test, and leases long enough: it is much slower than the real one.
	runConformance(t, func(t *testing.T) store {
		server := miniredis.RunT(t)
		return store{open: func(t *testing.T) queue.Backend { return leased(t, server.Addr(), 20*time.Second) }}
	})
}

func TestRedisServer(t *testing.T) {
	t.Parallel()
	server := testbed.StartRedis(t)
	t.Run("Conformance", func(t *testing.T) {
		runConformance(t, always(func(t *testing.T) queue.Backend { return openRedis(t, server.Addr) }))
	})
}

// TestRedisCluster would find keys of one queue on different nodes.
func TestRedisCluster(t *testing.T) {
	t.Parallel()
	server := testbed.StartRedis(t, "--cluster-enabled", "yes")
	client := cluster(t, server)
	t.Run("Conformance", func(t *testing.T) {
		runConformance(t, always(func(t *testing.T) queue.Backend {
			backend, err := queue.NewRedis(client, queue.RedisConfig{Lease: testLease})
			if err != nil {
				t.Fatal(err)
			}
			return backend
		}))
	})
}

// TestRedisRefuses has errors that trying again does not mend: they are told at once.
func TestRedisRefuses(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	if err := server.Set("genesis:queue:{taken}:waiting", "something else"); err != nil {
		t.Fatal(err)
	}
	q := newQueues(t, queue.Config{Backend: openRedis(t, server.Addr()), Patience: patience})
	refused := func(name, want string) {
		t.Helper()
		_, err := q.Acquire(testContext(t), name)
		if err == nil || errors.Is(err, queue.ErrUnavailable) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	refused("taken", "WRONGTYPE")
	server.RequireAuth("secret")
	refused("locked", "NOAUTH")
}

func redisOptions(addr string) *redis.Options {
	return &redis.Options{Addr: addr, ContextTimeoutEnabled: true, MaxRetries: -1}
}

func openRedis(t *testing.T, addr string) *queue.Redis {
	t.Helper()
	return leased(t, addr, testLease)
}

func leased(t *testing.T, addr string, lease time.Duration) *queue.Redis {
	t.Helper()
	client := redis.NewClient(redisOptions(addr))
	t.Cleanup(func() { _ = client.Close() })
	backend, err := queue.NewRedis(client, queue.RedisConfig{Lease: lease})
	if err != nil {
		t.Fatal(err)
	}
	return backend
}

func TestNewRedisRefuses(t *testing.T) {
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"})
	defer client.Close()
	if _, err := queue.NewRedis(client, queue.RedisConfig{}); err == nil {
		t.Error("a client that does not keep to deadlines was accepted")
	}
	if _, err := queue.NewRedis(nil, queue.RedisConfig{}); err == nil {
		t.Error("no client was accepted")
	}
	bounded := redis.NewClient(redisOptions("127.0.0.1:1"))
	defer bounded.Close()
	if _, err := queue.NewRedis(bounded, queue.RedisConfig{Lease: queue.MinLease / 2}); err == nil {
		t.Error("a lease too short was accepted")
	}
}
