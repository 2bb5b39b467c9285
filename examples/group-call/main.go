// Command group-call connects each caller with the member of a team who has the fewest calls; whoever is busy or does
// not answer within 15 seconds is passed over. With REDIS_URL set, several of these processes count calls together.
//
//	genesis outbound --simulate ./examples/group-call
package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel"

	"github.com/genesis-esl/genesis"
	"github.com/genesis-esl/genesis/call"
	"github.com/genesis-esl/genesis/call/ring"
	"github.com/genesis-esl/genesis/outbound"
)

func main() {
	balancer, err := balancerAt(os.Getenv("REDIS_URL"))
	if err != nil {
		slog.Error("group-call", "error", err)
		os.Exit(78)
	}
	group, err := newGroup(balancer, "1001", "1002", "1003")
	if err != nil {
		slog.Error("group-call", "error", err)
		os.Exit(1)
	}
	genesis.Run(group)
}

// group is the app: a team that shares its calls.
type group struct {
	ringer *ring.Ringer
	team   []ring.Destination
}

func newGroup(balancer ring.Balancer, extensions ...string) (*group, error) {
	ringer, err := ring.New(ring.Config{
		Balancer: balancer, MeterProvider: otel.GetMeterProvider(), TracerProvider: otel.GetTracerProvider(),
	})
	g := &group{ringer: ringer}
	for _, extension := range extensions {
		g.team = append(g.team, ring.Destination{ID: extension, To: call.To(call.User(extension, ""))})
	}
	return g, err
}

// HandleSession handles one call.
func (g *group) HandleSession(ctx context.Context, s *outbound.Session) error {
	if err := s.RingReady(ctx); err != nil {
		return err
	}
	answer, _, err := g.ringer.Connect(ctx, s, g.team, ring.Balancing,
		ring.RingTime(15*time.Second), ring.CallerID(s.Get("Caller-Caller-ID-Name"), s.Get("Caller-Caller-ID-Number")))
	if errors.Is(err, ring.ErrNoAnswer) {
		slog.InfoContext(ctx, "nobody took the call", "call", s.UUID(), "reason", err)
		return s.Hangup(ctx, call.NoAnswer)
	}
	if answer != nil {
		slog.InfoContext(ctx, "call over", "call", s.UUID(), "taken by", answer.Destination.ID, "busy", len(answer.Missed))
	}
	return err
}

// balancerAt counts in Redis, or in memory without a URL.
func balancerAt(url string) (ring.Balancer, error) {
	if url == "" {
		return ring.NewMemory(), nil
	}
	opts, err := redis.ParseURL(url)
	if err != nil {
		return nil, err
	}
	opts.ContextTimeoutEnabled = true
	return ring.NewRedis(redis.NewClient(opts), ring.RedisConfig{Prefix: "group-call"})
}
