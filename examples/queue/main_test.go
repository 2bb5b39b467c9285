package main

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/genesis-esl/genesis"
	"github.com/genesis-esl/genesis/call"
	"github.com/genesis-esl/genesis/call/queue"
	"github.com/genesis-esl/genesis/esl/esltest"
)

// run runs the app, and a simulated FreeSWITCH whose calls go to it.
func run(t *testing.T, h *hotline) (ctx context.Context, dial func() *esltest.Call) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	app, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- genesis.RunContext(app, h, genesis.Listener(l), genesis.NoObservability()) }()
	fs := esltest.NewUnstartedServer(esltest.Config{Pace: 10})
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
		c, err := fs.Call(ctx, esltest.CallConfig{To: "hotline", Outbound: l.Addr().String()})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
}

func bridged(s esltest.State) bool { return s.BridgedTo != "" }

// TestOneAtATime has three callers: they are served in order, one hanging up while waiting.
func TestOneAtATime(t *testing.T) {
	h, err := newHotline(queue.NewMemory(), call.User("1000", ""))
	if err != nil {
		t.Fatal(err)
	}
	h.every = 50 * time.Millisecond
	ctx, dial := run(t, h)
	first := dial()
	if _, err := first.Wait(ctx, bridged); err != nil {
		t.Fatal(err)
	}
	var waiting []*esltest.Call
	for range 3 {
		c := dial()
		if _, err := c.Wait(ctx, func(s esltest.State) bool { return s.App == "playback" && s.Data == "local_stream://moh" }); err != nil {
			t.Fatal(err)
		}
		waiting = append(waiting, c)
	}
	if err := waiting[2].WaitApp(ctx, "say"); err != nil {
		t.Errorf("the position was not announced again: %v", err)
	}
	waiting[0].Hangup("")
	for _, c := range []*esltest.Call{first, waiting[1], waiting[2]} {
		if _, err := c.Wait(ctx, bridged); err != nil {
			t.Fatal(err)
		}
		for _, other := range waiting {
			if other != c && bridged(other.State()) && !other.State().HungUp {
				t.Error("two speak with the agent")
			}
		}
		c.Hangup("")
	}
}

func TestPatienceEnds(t *testing.T) {
	h, err := newHotline(queue.NewMemory(), call.User("1000", ""))
	if err != nil {
		t.Fatal(err)
	}
	h.patience = 100 * time.Millisecond
	ctx, dial := run(t, h)
	if _, err := dial().Wait(ctx, bridged); err != nil {
		t.Fatal(err)
	}
	late := dial()
	_, err = late.Wait(ctx, func(s esltest.State) bool { return s.Data == "ivr/ivr-please_try_again_later.wav" })
	if err != nil {
		t.Fatal(err)
	}
	if cause, err := late.WaitHangup(ctx); err != nil || cause != "NORMAL_CLEARING" {
		t.Errorf("ended with %s, %v", cause, err)
	}
}

func TestBackend(t *testing.T) {
	for url, ok := range map[string]bool{"": true, "redis://127.0.0.1:6379/1": true, "nonsense": false} {
		if _, err := backendAt(url); (err == nil) != ok {
			t.Errorf("%q: %v", url, err)
		}
	}
}
