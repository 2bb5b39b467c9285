package outbound_test

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/call"
	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/esl/esltest"
	"github.com/genesis-esl/genesis/outbound"
)

// TestCommandsAreBackBeforeEvents loses both connections, and gets the one for commands back
// first: what is begun meanwhile ends as it does, and not unheard.
func TestCommandsAreBackBeforeEvents(t *testing.T) {
	for name, begin := range map[string]func(ctx context.Context, c, other *call.Channel) error{
		"execute": func(ctx context.Context, c, _ *call.Channel) error {
			_, err := c.Execute(ctx, "set", "begun=yes")
			return err
		},
		"connect": func(ctx context.Context, c, other *call.Channel) error { return c.Connect(ctx, other) },
	} {
		t.Run(name, func(t *testing.T) {
			w := serve(t, esltest.Config{}, func(context.Context, *outbound.Session) error { return nil })
			cut, waits, events := make(chan struct{}), make(chan struct{}), make(chan struct{})
			var dialled atomic.Bool
			ctl := control(t, w, func(cfg *esl.ClientConfig) {
				cfg.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
					select {
					case <-cut:
						if !dialled.Swap(true) { // for events: there has been no command
							close(waits)
							<-events
						}
					default:
					}
					return new(net.Dialer).DialContext(ctx, network, addr)
				}
			})
			c, other := ctl.Attach(w.parked(), nil), ctl.Attach(w.parked(), nil)
			close(cut)
			w.fs.CutConnections()
			result(t, w, waits)
			begun := make(chan error, 1)
			go func() { begun <- begin(w.ctx, c, other) }()
			// FreeSWITCH has the time to do what it is told.
			for start := time.Now(); time.Since(start) < 200*time.Millisecond; {
				if v, err := c.GetVariable(w.ctx, "begun"); err != nil || v != "" || w.fs.Leg(c.UUID()).State().BridgedTo != "" {
					break
				}
			}
			close(events)
			result(t, w, w.up)
			if err := result(t, w, begun); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestExecuteWhileClosing closes the connection for events, as an app does that stops: its
// last commands do not wait for another one.
func TestExecuteWhileClosing(t *testing.T) {
	w := serve(t, esltest.Config{}, func(context.Context, *outbound.Session) error { return nil })
	var cfg esl.ClientConfig
	ctl := call.NewController(w.ctx, w.by, call.ControllerConfig{})
	ctl.Join(&cfg)
	cfg.OnDown(esl.ErrClosed)
	c := ctl.Attach(w.parked(), nil)
	ctx, cancel := context.WithCancel(w.ctx)
	ended := make(chan error, 1)
	go func() {
		_, err := c.Execute(ctx, "set", "last=words")
		ended <- err
	}()
	w.untilTrue(func() bool { return w.api("uuid_getvar "+c.UUID()+" last") == "words" })
	cancel()
	if err := result(t, w, ended); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
