package ring

import (
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

//go:embed balance.lua
var balanceSource string

const (
	// minLease is such that renewing a quarter of a lease before its end is at most once a second.
	minLease = 4 * time.Second
	// redisTimeout bounds each request: a call is waiting.
	redisTimeout = time.Second
	// renewSize is how many calls one request renews.
	renewSize = 500
)

// RedisConfig configures a Redis balancer.
type RedisConfig struct {
	// Prefix of all keys; processes with the same prefix count together. Empty means "genesis".
	Prefix string
	// Lease is how long the calls of a crashed process are counted. Zero means 15 seconds; the minimum is 4
	// seconds.
	Lease time.Duration
}

// Redis counts the calls of all processes that use the same prefix, in Redis 6.0 or newer, or in a Redis Cluster.
// Each process renews the leases of its calls; the leases of a crashed process expire. When Redis has lost its
// data, every process restores its calls with the next renewal. A Redis is safe for concurrent use and needs no
// closing: it has a goroutine only while there are calls.
type Redis struct {
	client redis.UniversalClient
	script *redis.Script
	keys   []string
	lease  time.Duration

	mu      sync.Mutex
	calls   map[string]string // by their leases: destinations
	running bool
	idle    chan struct{} // has room for one: no call is left
}

// NewRedis returns a balancer that uses client; closing client remains the caller's job. NewRedis itself
// makes no connection. A *redis.Client or *redis.ClusterClient must have ContextTimeoutEnabled set, as
// otherwise a server that does not answer would hold calls up.
func NewRedis(client redis.UniversalClient, cfg RedisConfig) (*Redis, error) {
	bounded := client != nil
	switch c := client.(type) {
	case *redis.Client:
		bounded = c.Options().ContextTimeoutEnabled
	case *redis.ClusterClient:
		bounded = c.Options().ContextTimeoutEnabled
	}
	if !bounded {
		return nil, errors.New("ring: NewRedis needs a client with ContextTimeoutEnabled")
	}
	if cfg.Lease == 0 {
		cfg.Lease = 15 * time.Second
	}
	if cfg.Lease < minLease {
		return nil, fmt.Errorf("ring: a lease of %s is shorter than %s", cfg.Lease, minLease)
	}
	if cfg.Prefix == "" {
		cfg.Prefix = "genesis"
	}
	r := &Redis{
		client: client, script: redis.NewScript(balanceSource), lease: cfg.Lease,
		calls: make(map[string]string), idle: make(chan struct{}, 1),
	}
	for _, part := range []string{"leases", "calls", "loads", "ended", "turns"} {
		r.keys = append(r.keys, "{"+url.QueryEscape(cfg.Prefix)+":ring}:"+part) // one hash slot
	}
	return r, nil
}

var ruleNames = map[Rule]string{First: "first", LeastLoaded: "load", MostIdle: "idle"}

// Take implements Balancer. It fails within a second when Redis cannot be reached.
func (r *Redis) Take(ctx context.Context, rule Rule, ids []string) (Taken, error) {
	id := rand.Text()
	args := []any{ruleNames[rule], id}
	for _, destination := range ids {
		args = append(args, destination)
	}
	index, err := r.run(ctx, "take", args)
	if err != nil {
		return Taken{}, err
	}
	if index < 0 || index >= int64(len(ids)) {
		return Taken{}, fmt.Errorf("ring: redis picked %d of %d", index, len(ids))
	}
	r.keep(id, ids[index])
	return Taken{Index: int(index), End: func() { r.end(id) }}, nil
}

// Turn implements Balancer. It fails within a second when Redis cannot be reached.
func (r *Redis) Turn(ctx context.Context, group string) (uint64, error) {
	turn, err := r.run(ctx, "turn", []any{group})
	return uint64(max(0, turn)), err
}

func (r *Redis) run(ctx context.Context, operation string, args []any) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	all := append([]any{operation, r.lease.Milliseconds()}, args...)
	answer, err := r.script.Run(ctx, r.client, r.keys, all...).Int64()
	if err != nil {
		return 0, fmt.Errorf("ring: redis: %w", err)
	}
	return answer, nil
}

// keep renews the lease from now on.
func (r *Redis) keep(id, destination string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls[id] = destination
	if !r.running {
		r.running = true
		go r.renew()
	}
}

// end gives the lease back. When Redis cannot be told, the lease ends by itself.
func (r *Redis) end(id string) {
	r.mu.Lock()
	delete(r.calls, id)
	if len(r.calls) == 0 {
		select {
		case r.idle <- struct{}{}:
		default:
		}
	}
	r.mu.Unlock()
	_, _ = r.run(context.Background(), "end", []any{id})
}

// renew renews all leases until none is left.
func (r *Redis) renew() {
	tick := time.NewTicker(r.lease / 4)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-r.idle:
		}
		batches, ok := r.batches()
		if !ok {
			return
		}
		for _, args := range batches {
			_, err := r.run(context.Background(), "renew", args)
			if late := r.gone(args); len(late) > 0 {
				_, _ = r.run(context.Background(), "end", late)
			}
			if err != nil {
				break // the next tick is another try
			}
		}
	}
}

// gone are those of a renewed batch that have ended meanwhile: their end may have come before the renewal, which then
// has brought them back.
func (r *Redis) gone(batch []any) (ids []any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := 0; i < len(batch); i += 2 {
		if _, lives := r.calls[batch[i].(string)]; !lives {
			ids = append(ids, batch[i])
		}
	}
	return ids
}

// batches are the calls to renew; ok is false when there is none, and the goroutine ends.
func (r *Redis) batches() (batches [][]any, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.calls) == 0 {
		r.running = false
		return nil, false
	}
	var args []any
	for id, destination := range r.calls {
		if args = append(args, id, destination); len(args) >= 2*renewSize {
			batches, args = append(batches, args), nil
		}
	}
	if len(args) > 0 {
		batches = append(batches, args)
	}
	return batches, true
}
