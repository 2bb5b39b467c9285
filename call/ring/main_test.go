package ring_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/genesis-esl/genesis/call"
	"github.com/genesis-esl/genesis/call/ring"
	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/esl/esltest"
	"github.com/genesis-esl/genesis/internal/faultproxy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a simulated FreeSWITCH and a controller of its calls.
type world struct {
	t     *testing.T
	ctx   context.Context
	fs    *esltest.Server
	cable *faultproxy.Proxy // between calls and fs
	calls *call.Controller
	line  *esl.Conn // that of observe

	mu   sync.Mutex
	seen []sight
	more chan struct{}     // closed and replaced when something is seen
	keys map[string]string // what users press when they are asked
}

// sight is an event of a user's leg.
type sight struct {
	event, user, cause string
}

// newWorld starts one whose addresses behave as given; others answer at once.
func newWorld(t *testing.T, endpoints ...esltest.Endpoint) *world {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	w := &world{t: t, ctx: ctx, more: make(chan struct{}), keys: map[string]string{}}
	w.fs = esltest.NewUnstartedServer(esltest.Config{Endpoints: endpoints, Pace: 20})
	if err := w.fs.Start(); err != nil {
		t.Fatal(err)
	}
	cable, err := faultproxy.New(w.fs.Addr())
	if err != nil {
		t.Fatal(err)
	}
	w.cable = cable
	up := make(chan struct{})
	cfg := esl.ClientConfig{
		Addr: cable.Addr(), Backoff: esl.Backoff{Min: time.Millisecond, Max: 20 * time.Millisecond},
		OnUp: func(_ context.Context, now esl.Up) {
			if now.First {
				close(up)
			}
		},
	}
	w.calls = call.NewController(context.Background(), nil, call.ControllerConfig{})
	w.calls.Join(&cfg)
	client, err := esl.NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	w.calls.Bind(client)
	served := make(chan error, 1)
	go func() {
		served <- client.Serve(context.Background(), esl.HandlerFunc(func(context.Context, *esl.Event) {}))
	}()
	t.Cleanup(func() {
		w.calls.Close(esl.ErrClosed)
		_ = client.Close()
		<-served
		cable.Close()
		w.fs.Close()
		cancel()
	})
	select {
	case <-up:
	case <-ctx.Done():
		t.Fatal("no connection")
	}
	w.observe()
	return w
}

// newRinger makes a Ringer for the test.
func newRinger(t *testing.T, cfg ring.Config) *ring.Ringer {
	t.Helper()
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	r, err := ring.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// users are destinations user/NAME.
func users(names ...string) []ring.Destination {
	var list []ring.Destination
	for _, name := range names {
		list = append(list, ring.Destination{To: call.To(call.User(name, "")), ID: name})
	}
	return list
}

// ring rings with a Ringer of its own and wants an answer.
func (w *world) ring(list []ring.Destination, mode ring.Mode, opts ...ring.Option) *ring.Answer {
	w.t.Helper()
	answer, err := newRinger(w.t, ring.Config{}).Ring(w.ctx, w.calls, list, mode, opts...)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer
}

// alone checks that the answer's leg is the only one left, up and answered.
func (w *world) alone(answer *ring.Answer) {
	w.t.Helper()
	for _, leg := range w.fs.Legs() {
		if leg.UUID() == answer.Channel.UUID() {
			if s := leg.State(); !s.Answered || s.HungUp {
				w.t.Errorf("the winner is %+v", s)
			}
			continue
		}
		if s := leg.State(); !s.HungUp {
			w.t.Errorf("somebody else is still there: %+v", s)
		}
	}
	if answer.Channel.Err() != nil {
		w.t.Errorf("the winner is gone: %v", answer.Channel.Err())
	}
}

// observe follows all legs from a connection of its own, and presses the keys of those who are asked.
func (w *world) observe() {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.ctx)
	conn, err := esl.Dial(ctx, w.fs.Addr(), esl.DialConfig{})
	if err != nil {
		w.t.Fatal(err)
	}
	w.line = conn
	if _, err := conn.Send(ctx, esl.Line("event plain CHANNEL_HANGUP CHANNEL_PROGRESS CHANNEL_EXECUTE")); err != nil {
		w.t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			ev, err := conn.ReadEvent(ctx)
			if err != nil {
				return
			}
			w.note(ev)
		}
	}()
	w.t.Cleanup(func() {
		cancel()
		_ = conn.Close()
		<-done
	})
}

func (w *world) note(ev *esl.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	user := ev.Get("Caller-Destination-Number")
	w.seen = append(w.seen, sight{ev.Name(), user, ev.Get("Hangup-Cause")})
	close(w.more)
	w.more = make(chan struct{})
	if leg := w.fs.Leg(ev.UUID()); leg != nil && ev.Get("Application") == "play_and_get_digits" {
		leg.Press(w.keys[user])
	}
}

// await waits for an event of that name and user, the given number or later, and returns the number to go on with.
func (w *world) await(event, user string, from int) (sight, int) {
	w.t.Helper()
	for {
		w.mu.Lock()
		seen, more := w.seen, w.more
		w.mu.Unlock()
		for i := from; i < len(seen); i++ {
			if seen[i].event == event && seen[i].user == user {
				return seen[i], i + 1
			}
		}
		select {
		case <-more:
		case <-w.ctx.Done():
			w.t.Fatalf("no %s of %s", event, user)
		}
	}
}

func (w *world) sights(from, to int) []sight {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen[from:to]
}
