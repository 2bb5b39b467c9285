package queue

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

//go:embed exchange.lua
var exchangeSource string

// MinLease is the shortest lease. A shorter one would have to be renewed more often than once a second.
const MinLease = 3 * time.Second

// RedisConfig configures a Redis backend.
type RedisConfig struct {
	// Prefix of all keys; give different ones to apps that share a Redis. Empty means "genesis".
	Prefix string
	// Lease is how long the places of a process live after it has crashed or can no longer reach
	// Redis. Less a fifth, it is also how long Redis may be away without the loss of a slot: an owner
	// counts a slot as lost, and closes Slot.Done, before Redis gives it away. Zero means 10 seconds;
	// the minimum is MinLease.
	Lease time.Duration
}

// Redis keeps queues in Redis, 6.0 or newer, or in a Redis Cluster. All processes that use the same prefix
// share them. Each exchange is one Lua script on keys of one hash slot; all times are those of the Redis
// server.
//
// After a restart or failover of Redis nothing is granted for one lease, because Redis may have forgotten
// slots that are held. Callers keep their places and slots meanwhile, as every owner knows its own and
// restores them. This needs permission for the command INFO. Redis must not evict keys (maxmemory-policy
// noeviction), and its clock must not be set back or forward by more than a fraction of the lease.
//
// A Redis is safe for concurrent use and needs no closing: it subscribes only while somebody waits.
type Redis struct {
	client redis.UniversalClient
	script *redis.Script
	prefix string
	lease  time.Duration
	news   *watcher
}

// NewRedis returns a backend that uses client; closing client remains the caller's job. NewRedis itself makes no
// connection. A *redis.Client or *redis.ClusterClient must have ContextTimeoutEnabled set, as otherwise it would wait
// past every deadline for a server that does not answer; without it NewRedis fails.
func NewRedis(client redis.UniversalClient, cfg RedisConfig) (*Redis, error) {
	bounded := true
	switch c := client.(type) {
	case nil:
		return nil, errors.New("queue: NewRedis needs a client")
	case *redis.Client:
		bounded = c.Options().ContextTimeoutEnabled
	case *redis.ClusterClient:
		bounded = c.Options().ContextTimeoutEnabled
	}
	if !bounded {
		return nil, errors.New("queue: the redis client needs ContextTimeoutEnabled, to keep to deadlines")
	}
	if cfg.Lease == 0 {
		cfg.Lease = 10 * time.Second
	}
	if cfg.Lease < MinLease {
		return nil, fmt.Errorf("queue: a lease of %s is shorter than %s", cfg.Lease, MinLease)
	}
	if cfg.Prefix == "" {
		cfg.Prefix = "genesis"
	}
	return &Redis{
		client: client, script: redis.NewScript(exchangeSource), prefix: url.QueryEscape(cfg.Prefix),
		lease: cfg.Lease, news: newWatcher(client, max(minRenew, cfg.Lease/4)),
	}, nil
}

// Lease implements Backend.
func (r *Redis) Lease() time.Duration { return r.lease }

// key names one key of a queue. The braces make all keys of a queue live on one node of a cluster; the name is
// escaped so that it cannot hold braces of its own.
func (r *Redis) key(queue, part string) string {
	return r.prefix + ":queue:{" + url.QueryEscape(queue) + "}:" + part
}

// Watch implements Backend.
func (r *Redis) Watch(queue string, changed func([]string)) (stop func()) {
	return r.news.watch(r.key(queue, "news"), changed)
}

var kinds = map[OpKind]string{Enter: "enter", Hold: "hold", Leave: "leave"}

// Exchange implements Backend.
func (r *Redis) Exchange(ctx context.Context, queue string, limit int, ops []Op) (View, error) {
	keys := make([]string, 0, 6)
	for _, part := range []string{"meta", "waiting", "leases", "places", "slots", "grants"} {
		keys = append(keys, r.key(queue, part))
	}
	args := make([]any, 0, 3+6*len(ops))
	args = append(args, limit, r.lease.Milliseconds(), r.key(queue, "news"))
	for _, op := range ops {
		args = append(args, kinds[op.Kind], op.ID, op.Priority, op.Order, op.Fence, op.Since.UnixMilli())
	}
	answer, err := r.script.Run(ctx, r.client, keys, args...).StringSlice()
	if err != nil {
		return View{}, classify(err)
	}
	return parseAnswer(answer, len(ops))
}

// parseAnswer reads what exchange.lua returns.
func parseAnswer(answer []string, ops int) (View, error) {
	if len(answer) != 4+3*ops {
		return View{}, fmt.Errorf("queue: redis answered with %d values for %d operations", len(answer), ops)
	}
	var errs []error
	number := func(s string) int64 {
		n, err := strconv.ParseInt(s, 10, 64)
		errs = append(errs, err)
		return n
	}
	view := View{
		Waiting: int(number(answer[0])),
		Hold:    time.Duration(number(answer[1])) * time.Millisecond,
		Next:    time.Duration(number(answer[2])) * time.Millisecond,
		Granted: strings.Fields(answer[3]),
		States:  make([]State, ops),
	}
	for i := range view.States {
		fields, st := answer[4+3*i:7+3*i], &view.States[i]
		switch fields[0] {
		case "waiting":
			*st = State{Phase: Waiting, Order: fields[1], Place: int(number(fields[2]))}
		case "holding":
			*st = State{Phase: Holding, Fence: uint64(number(fields[1])), Since: time.UnixMilli(number(fields[2]))}
		}
	}
	return view, errors.Join(errs...)
}

// lasting are the replies that trying again does not mend: wrong credentials or permissions, keys of another
// kind under our names, an error in the script.
var lasting = []string{"NOAUTH", "WRONGPASS", "NOPERM", "WRONGTYPE", "ERR "}

// classify tells errors that pass from those that last.
func classify(err error) error {
	if errors.Is(err, redis.ErrClosed) {
		return fmt.Errorf("queue: redis: %w", err)
	}
	var reply redis.Error
	if errors.As(err, &reply) && !strings.Contains(reply.Error(), "max number of clients") {
		for _, prefix := range lasting {
			if strings.HasPrefix(reply.Error(), prefix) {
				return fmt.Errorf("queue: redis: %w", err)
			}
		}
	}
	return fmt.Errorf("%w: redis: %w", ErrUnavailable, err)
}
