package esl_test

import (
	"context"
	"errors"
	"net"
	"testing"

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
