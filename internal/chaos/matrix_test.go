package chaos_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/esl/esltest"
	"github.com/genesis-esl/genesis/internal/faultproxy"
)

// faults go wrong once, and are over when their function returns; some leave the
// connection as it was.
var faults = map[string]struct {
	strike   func(*world)
	survives bool // the connection does
}{
	"FIN":                {func(w *world) { w.proxy.Cut(faultproxy.FIN) }, false},
	"RST":                {func(w *world) { w.proxy.Cut(faultproxy.RST) }, false},
	"half-open":          {func(w *world) { w.proxy.Freeze(); w.downByItself(); w.proxy.Cut(faultproxy.FIN); w.proxy.Thaw() }, false},
	"stall":              {func(w *world) { w.proxy.Freeze(); w.proxy.Thaw() }, true},
	"split writes":       {func(w *world) { w.proxy.Split(1) }, true},
	"merged writes":      {func(w *world) { w.proxy.Merge(time.Millisecond) }, true},
	"garbage":            {func(w *world) { w.proxy.Inject([]byte("\n\nContent-Length: what\n\n")); w.proxy.Cut(faultproxy.FIN) }, false},
	"truncation":         {func(w *world) { w.proxy.Inject([]byte("Content-Length: 999\n\nabc")); w.proxy.Cut(faultproxy.FIN) }, false},
	"server's cut":       {func(w *world) { w.srv.CutConnections() }, false},
	"restart":            {func(w *world) { w.must(w.srv.Restart()) }, false},
	"lost events":        {func(w *world) { w.must(w.srv.Inject(esltest.Fault{Kind: esltest.FaultLostEvents, Count: 1})) }, true},
	"no heartbeats":      {func(w *world) { w.must(w.srv.Inject(esltest.Fault{Kind: esltest.FaultNoHeartbeat, Count: 3})) }, true},
	"heartbeats at once": {func(w *world) { w.srv.Beat(); w.srv.Beat() }, true},
	"refusals":           {func(w *world) { w.proxy.Refuse(true); w.proxy.Cut(faultproxy.RST); w.proxy.Refuse(false) }, false},
}

// phases put a client into a state in which the fault is to meet it. What they
// return is awaited afterwards: an answer of one's own, or an error that tells.
var phases = map[string]func(*world, context.Context) func() error{
	"idle": func(*world, context.Context) func() error { return func() error { return nil } },
	"streaming": func(w *world, ctx context.Context) func() error {
		ctx, cancel := context.WithCancel(ctx)
		done := make(chan struct{})
		go func() { defer close(done); w.produce(ctx) }()
		return func() error { cancel(); <-done; return nil }
	},
	"command pending": func(w *world, ctx context.Context) func() error {
		return pending(ctx, func(ctx context.Context) (string, error) { return w.client.API(ctx, "msleep 50") }, "")
	},
	"job pending": func(w *world, ctx context.Context) func() error {
		return pending(ctx, func(ctx context.Context) (string, error) { return w.client.BgAPI(ctx, "eval mine") }, "mine")
	},
	"subscribing": func(w *world, ctx context.Context) func() error {
		return pending(ctx, func(ctx context.Context) (string, error) {
			return "", w.client.Subscribe(ctx, "TRAP", "my::event")
		}, "")
	},
	"reconnecting": func(w *world, _ context.Context) func() error {
		w.proxy.Cut(faultproxy.FIN)
		return func() error { return nil }
	},
}

// pending runs a command; its answer must be its own.
func pending(ctx context.Context, do func(context.Context) (string, error), want string) func() error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	done := make(chan error, 1)
	go func() {
		answer, err := do(ctx)
		if err == nil && want != "" && strings.TrimSpace(answer) != want {
			err = errors.New("another's answer: " + answer)
		}
		if errors.Is(err, esl.ErrDisconnected) {
			err = nil
		}
		done <- err
	}()
	return func() error { defer cancel(); return <-done }
}

func (w *world) must(err error) {
	if err != nil {
		w.t.Fatal(err)
	}
}

// downByItself waits until the client has noticed that nothing comes any more.
func (w *world) downByItself() {
	until(w.t, "the silence is noticed", func() bool { return !w.client.Connected() })
}

// TestEveryFaultInEveryPhase: whatever happens whenever, pending commands end, the
// client comes back, its events flow in order and once, and its commands work.
func TestEveryFaultInEveryPhase(t *testing.T) {
	for phase, enter := range phases {
		for fault, f := range faults {
			t.Run(phase+", "+fault, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				defer cancel()
				leave := enter(w, ctx)
				f.strike(w)
				if err := leave(); err != nil {
					t.Error(err)
				}
				if phase != "reconnecting" && !f.survives {
					receive(t, w.ups, "the connection's return")
				}
				w.srv.Heal()
				next := 1_000_000
				until(t, "events flow", func() bool {
					next++
					if err := w.fire(1, next); err != nil {
						t.Fatal(err)
					}
					return w.newest.Load() > 1_000_000
				})
				answer, err := w.client.BgAPI(ctx, "eval fine")
				if errors.Is(err, esl.ErrDisconnected) { // the loss was not yet noticed
					answer, err = w.client.BgAPI(ctx, "eval fine")
				}
				if strings.TrimSpace(answer) != "fine" || err != nil {
					t.Errorf("afterwards: %q, %v", answer, err)
				}
			})
		}
	}
}

// TestEveryFaultWhileShuttingDown: whatever happens meanwhile, Serve returns.
func TestEveryFaultWhileShuttingDown(t *testing.T) {
	for fault, f := range faults {
		if fault == "half-open" {
			continue // its end is the silence's, which stopping does not wait for
		}
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			stopped := make(chan struct{})
			go func() { defer close(stopped); w.client.Close() }()
			f.strike(w)
			receive(t, stopped, "Close")
			if _, err := w.client.API(context.Background(), "status"); !errors.Is(err, esl.ErrClosed) {
				t.Errorf("after Close: %v", err)
			}
			w.closed = true
		})
	}
}
