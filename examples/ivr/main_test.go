package main

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/genesis-esl/genesis"
	"github.com/genesis-esl/genesis/esl/esltest"
	"github.com/genesis-esl/genesis/outbound"
)

// dial runs the app, and a simulated FreeSWITCH whose calls go to it.
func dial(t *testing.T, endpoints ...esltest.Endpoint) (ctx context.Context, place func() *esltest.Call) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	app, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		ended <- genesis.RunContext(app, outbound.HandlerFunc(menu), genesis.Listener(l), genesis.NoObservability())
	}()
	fs := esltest.NewUnstartedServer(esltest.Config{Endpoints: endpoints, Pace: 50})
	if err := fs.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		fs.Close()
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		cancel()
	})
	return ctx, func() *esltest.Call {
		c, err := fs.Call(ctx, esltest.CallConfig{To: "menu", Outbound: l.Addr().String()})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
}

// choose presses a digit once the menu asks.
func choose(t *testing.T, ctx context.Context, c *esltest.Call, digits string) {
	t.Helper()
	if err := c.WaitApp(ctx, "play_and_get_digits"); err != nil {
		t.Fatal(err)
	}
	c.Press(digits)
}

func TestSales(t *testing.T) {
	ctx, place := dial(t, esltest.Endpoint{Match: "user/1000"})
	c := place()
	choose(t, ctx, c, "1")
	if _, err := c.Wait(ctx, func(s esltest.State) bool { return s.BridgedTo != "" }); err != nil {
		t.Fatalf("not connected: %v", err)
	}
	c.Hangup("NORMAL_CLEARING")
	if err := c.WaitEnded(ctx); err != nil {
		t.Error(err)
	}
}

func TestSalesAreBusy(t *testing.T) {
	ctx, place := dial(t, esltest.Endpoint{Match: "user/1000", Cause: "USER_BUSY"})
	c := place()
	choose(t, ctx, c, "1")
	if err := c.WaitApp(ctx, "playback"); err != nil {
		t.Fatalf("the caller was told nothing: %v", err)
	}
	choose(t, ctx, c, "2") // and is back in the menu
	if err := c.WaitApp(ctx, "say"); err != nil {
		t.Fatal(err)
	}
	c.Hangup("")
	if err := c.WaitEnded(ctx); err != nil {
		t.Error(err)
	}
}

func TestNobodyPresses(t *testing.T) {
	ctx, place := dial(t)
	c := place()
	if cause, err := c.WaitHangup(ctx); err != nil || cause != "NORMAL_CLEARING" {
		t.Errorf("ended with %s, %v", cause, err)
	}
	goodbye := c.Executed()[len(c.Executed())-1]
	if goodbye.App != "playback" {
		t.Errorf("the last thing was %v", goodbye)
	}
}
