package esl_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/esl/esltest"
)

// TestServeReturnsClosed: when ctx ends, OnDown is told that we closed the connection, and
// it is closed when Serve returns.
func TestServeReturnsClosed(t *testing.T) {
	srv := simulated(t, esltest.Config{Heartbeat: -1})
	for range 100 {
		var socket *lingering
		up, down := make(chan struct{}), make(chan error, 1)
		client, err := esl.NewClient(esl.ClientConfig{
			Addr: srv.Addr(),
			Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
				nc, err := new(net.Dialer).DialContext(ctx, network, addr)
				socket = &lingering{Conn: nc}
				return socket, err
			},
			OnUp:   func(context.Context, esl.Up) { close(up) },
			OnDown: func(err error) { down <- err },
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		end := start(func() (bool, error) {
			err := client.Serve(ctx, esl.HandlerFunc(func(context.Context, *esl.Event) {}))
			return socket.closed.Load(), err
		})
		receive(t, up, "the connection")
		cancel()
		if got := receive(t, end, "Serve"); !got.value || got.err != nil {
			t.Fatalf("Serve returned %v, with the connection closed: %v", got.err, got.value)
		}
		if err := receive(t, down, "OnDown"); !errors.Is(err, esl.ErrClosed) {
			t.Fatalf("down with %v, want ErrClosed", err)
		}
		client.Close()
	}
}

// TestCloseIsNoLoss: whoever closes the Client is not told that it will dial again.
func TestCloseIsNoLoss(t *testing.T) {
	l := listen(t)
	retries := make(chan error, 10)
	var client *esl.Client
	client, err := esl.NewClient(esl.ClientConfig{
		Addr:  l.Addr().String(),
		Hooks: &esl.Hooks{Retry: func(_ time.Duration, err error) { retries <- err }},
	})
	if err != nil {
		t.Fatal(err)
	}
	end := start(func() (struct{}, error) {
		return struct{}{}, client.Serve(within(t), esl.HandlerFunc(func(context.Context, *esl.Event) { client.Close() }))
	})
	far := accept(t, l)
	far.enter()
	far.send(event("NOTIFY"))
	if got := receive(t, end, "Serve"); !errors.Is(got.err, esl.ErrClosed) {
		t.Errorf("Serve returned %v, want ErrClosed", got.err)
	}
	nothing(t, retries, "the reason to dial again")
}

// fate counts what becomes of events.
type fate struct{ handed, dropped atomic.Int64 }

// hooks count, and close queued at a reply to nothing.
func (f *fate) hooks(queued chan struct{}) *esl.Hooks {
	return &esl.Hooks{
		Events: func(batch []*esl.Event) { f.handed.Add(int64(len(batch))) },
		Dropped: func(reason string, n int) {
			switch reason {
			case "shutdown":
				f.dropped.Add(int64(n))
			case "unexpected_reply":
				close(queued)
			}
		},
	}
}

// TestShutdownCountsOnce: when ctx ends, each event that came has been handed over or is
// dropped, and what the hooks saw handed over is what the handler got.
func TestShutdownCountsOnce(t *testing.T) {
	const events = 1000
	l := listen(t)
	var handled atomic.Int64
	var fate fate
	queued, first := make(chan struct{}), make(chan struct{})
	client, err := esl.NewClient(esl.ClientConfig{Addr: l.Addr().String(), Hooks: fate.hooks(queued)})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	end := start(func() (struct{}, error) {
		return struct{}{}, client.Serve(ctx, esl.HandlerFunc(func(ctx context.Context, _ *esl.Event) {
			if handled.Add(1) == 1 {
				close(first)
				<-ctx.Done()
			}
		}))
	})
	far := accept(t, l)
	far.enter()
	far.send(event("CHANNEL_CREATE"))
	receive(t, first, "the first event")
	for range events - 1 {
		far.send(event("CHANNEL_CREATE"))
	}
	far.reply("+OK") // to nothing; events that came before it are in the queue when it is read
	receive(t, queued, "the last event, in the queue")
	cancel()
	if got := receive(t, end, "Serve"); got.err != nil {
		t.Error(got.err)
	}
	if fate.handed.Load() != handled.Load() || fate.handed.Load()+fate.dropped.Load() != events {
		t.Errorf("%d events came: %d were handed over, %d handled, %d dropped", events, fate.handed.Load(), handled.Load(), fate.dropped.Load())
	}
}

// TestShutdownWithinABatch: a handler of single events is given no more of those that came
// together, once ctx has ended or the Client is closed; what it was not given is dropped.
func TestShutdownWithinABatch(t *testing.T) {
	const events, last = 200, 10
	for name, end := range map[string]func(*esl.Client, context.CancelFunc){
		"context": func(_ *esl.Client, cancel context.CancelFunc) { cancel() },
		"Close":   func(client *esl.Client, _ context.CancelFunc) { client.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			l := listen(t)
			var handled atomic.Int64
			var fate fate
			queued, first := make(chan struct{}), make(chan struct{})
			client, err := esl.NewClient(esl.ClientConfig{Addr: l.Addr().String(), Hooks: fate.hooks(queued)})
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			served := start(func() (struct{}, error) {
				return struct{}{}, client.Serve(ctx, esl.HandlerFunc(func(ctx context.Context, _ *esl.Event) {
					switch handled.Add(1) {
					case 1: // alone; the others come together
						close(first)
						<-queued
					case last:
						end(client, cancel)
						<-ctx.Done()
					}
				}))
			})
			far := accept(t, l)
			far.enter()
			far.send(event("CHANNEL_CREATE"))
			receive(t, first, "the first event")
			far.send(bytes.Repeat(event("CHANNEL_CREATE"), events-1))
			far.reply("+OK") // to nothing; events that came before it are in the queue when it is read
			receive(t, served, "Serve")
			if handled.Load() != last || fate.handed.Load() != last || fate.dropped.Load() != events-last {
				t.Errorf("%d events came: %d were handed over, %d handled, %d dropped", events, fate.handed.Load(), handled.Load(), fate.dropped.Load())
			}
		})
	}
}
