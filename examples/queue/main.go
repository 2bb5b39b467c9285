// Command queue is a hotline with one agent. Callers hear music and, every 20 seconds, which number they are, until it is
// their turn to speak with the agent, one at a time. With REDIS_URL set, several of these processes share the queue.
//
//	genesis outbound --simulate ./examples/queue
package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel"

	"github.com/genesis-esl/genesis"
	"github.com/genesis-esl/genesis/call"
	"github.com/genesis-esl/genesis/call/queue"
	"github.com/genesis-esl/genesis/outbound"
)

func main() {
	backend, err := backendAt(os.Getenv("REDIS_URL"))
	if err != nil {
		slog.Error("queue", "error", err)
		os.Exit(78)
	}
	line, err := newHotline(backend, call.User("1000", ""))
	if err != nil {
		slog.Error("queue", "error", err)
		os.Exit(1)
	}
	genesis.Run(line)
}

// hotline is the app: a queue in front of an agent.
type hotline struct {
	queues   *queue.Queues
	agent    call.Dial
	patience time.Duration // of the callers
	every    time.Duration // between announcements
}

func newHotline(backend queue.Backend, agent call.Leg) (*hotline, error) {
	queues, err := queue.New(queue.Config{
		Backend: backend, Limit: 1, MeterProvider: otel.GetMeterProvider(), TracerProvider: otel.GetTracerProvider(),
	})
	return &hotline{queues: queues, agent: call.To(agent), patience: 30 * time.Minute, every: 20 * time.Second}, err
}

// HandleSession handles one call.
func (h *hotline) HandleSession(ctx context.Context, s *outbound.Session) error {
	if err := s.Answer(ctx); err != nil {
		return err
	}
	ticket, err := h.queues.Join(ctx, "hotline", queue.Timeout(h.patience))
	if err != nil {
		return err
	}
	if err := h.entertain(ctx, s, ticket); err != nil {
		return err
	}
	slot, err := ticket.Wait(ctx)
	if errors.Is(err, queue.ErrTimeout) {
		_, err := s.Playback(ctx, "ivr/ivr-please_try_again_later.wav")
		return err
	}
	if err != nil {
		return err // the caller has hung up
	}
	defer slot.Release(ctx)
	slog.InfoContext(ctx, "connecting", "call", s.UUID(), "waited", slot.Waited())
	_, err = s.BridgeTo(ctx, h.agent)
	return err
}

// entertain plays music and announcements until the wait is over.
func (h *hotline) entertain(ctx context.Context, s *outbound.Session, ticket *queue.Ticket) error {
	ctx, stop := ticket.Context(ctx)
	defer stop()
	for ctx.Err() == nil {
		if err := h.announce(ctx, s, ticket.Position()); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil // it is the caller's turn, or they have gone: Wait tells
}

// announce says where the caller stands, and plays music for a while.
func (h *hotline) announce(ctx context.Context, s *outbound.Session, at queue.Position) error {
	slog.InfoContext(ctx, "waiting", "call", s.UUID(), "place", at.Place, "of", at.Of, "estimate", at.Wait)
	if _, err := s.Playback(ctx, "ivr/ivr-you_are_number.wav"); err != nil {
		return err
	}
	if err := s.Say(ctx, call.Say{Text: strconv.Itoa(at.Place)}); err != nil {
		return err
	}
	music, stop := context.WithTimeout(ctx, h.every)
	defer stop()
	_, err := s.Playback(music, "local_stream://moh")
	if music.Err() != nil {
		return nil
	}
	return err
}

// backendAt keeps the queue in Redis, or in memory without a URL.
func backendAt(url string) (queue.Backend, error) {
	if url == "" {
		return queue.NewMemory(), nil
	}
	opts, err := redis.ParseURL(url)
	if err != nil {
		return nil, err
	}
	opts.ContextTimeoutEnabled = true
	return queue.NewRedis(redis.NewClient(opts), queue.RedisConfig{Prefix: "hotline"})
}
