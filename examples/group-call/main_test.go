package main

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/genesis-esl/genesis"
	"github.com/genesis-esl/genesis/call/ring"
	"github.com/genesis-esl/genesis/esl/esltest"
)

// run runs the app, and a simulated FreeSWITCH whose calls go to it.
func run(t *testing.T, g *group, endpoints ...esltest.Endpoint) (ctx context.Context, fs *esltest.Server, dial func() *esltest.Call) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	app, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- genesis.RunContext(app, g, genesis.Listener(l), genesis.NoObservability()) }()
	fs = esltest.NewUnstartedServer(esltest.Config{Endpoints: endpoints})
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
	return ctx, fs, func() *esltest.Call {
		c, err := fs.Call(ctx, esltest.CallConfig{To: "team", Outbound: l.Addr().String()})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
}

// TestShared has two callers speak at a time: with the two who are not busy, one each.
func TestShared(t *testing.T) {
	g, err := newGroup(ring.NewMemory(), "busy", "1001", "1002")
	if err != nil {
		t.Fatal(err)
	}
	ctx, fs, dial := run(t, g)
	calls := []*esltest.Call{dial(), dial()}
	members := map[string]bool{}
	for _, c := range calls {
		s, err := c.Wait(ctx, func(s esltest.State) bool { return s.BridgedTo != "" })
		if err != nil {
			t.Fatal(err)
		}
		members[fs.Leg(s.BridgedTo).State().Name] = true
	}
	if len(members) != 2 {
		t.Errorf("both calls went to %v", members)
	}
	for _, c := range calls {
		c.Hangup("")
		if err := c.WaitEnded(ctx); err != nil {
			t.Error(err)
		}
	}
	for _, leg := range fs.Legs() {
		if _, err := leg.WaitHangup(ctx); err != nil {
			t.Errorf("a member is still there: %v", err)
		}
	}
}

func TestNobodyThere(t *testing.T) {
	g, err := newGroup(ring.NewMemory(), "busy", "reject")
	if err != nil {
		t.Fatal(err)
	}
	ctx, _, dial := run(t, g)
	if cause, err := dial().WaitHangup(ctx); err != nil || cause != "NO_ANSWER" {
		t.Errorf("ended with %s, %v", cause, err)
	}
}

// TestCallerGivesUp ends the caller while a member rings.
func TestCallerGivesUp(t *testing.T) {
	g, err := newGroup(ring.NewMemory(), "1001")
	if err != nil {
		t.Fatal(err)
	}
	ctx, fs, dial := run(t, g, esltest.Endpoint{Match: "user/1001", Answer: -1})
	c := dial()
	if err := c.WaitApp(ctx, "ring_ready"); err != nil {
		t.Fatal(err)
	}
	c.Hangup("ORIGINATOR_CANCEL")
	if err := c.WaitEnded(ctx); err != nil {
		t.Fatal(err)
	}
	for _, leg := range fs.Legs() {
		if _, err := leg.WaitHangup(ctx); err != nil {
			t.Errorf("somebody still rings: %v", err)
		}
	}
}

func TestBalancer(t *testing.T) {
	for url, ok := range map[string]bool{"": true, "redis://127.0.0.1:6379/1": true, "nonsense": false} {
		if _, err := balancerAt(url); (err == nil) != ok {
			t.Errorf("%q: %v", url, err)
		}
	}
}
