package consumer_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/consumer"
	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/esl/esltest"
)

// serve serves the app with the simulator until the test ends or stop is called;
// stop returns what Serve did.
func serve(t *testing.T, app *consumer.App, server *esltest.Server) (stop func() error) {
	t.Helper()
	return serveAs(t, app, esl.ClientConfig{
		Addr: server.Addr(), Password: server.Password(),
		Backoff: esl.Backoff{Min: time.Millisecond, Max: 20 * time.Millisecond},
	})
}

// serveAs is serve with a client of one's own.
func serveAs(t *testing.T, app *consumer.App, cfg esl.ClientConfig) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- app.Serve(ctx, cfg) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return await(t, done, "Serve to return")
	})
	t.Cleanup(func() { _ = stop() })
	return stop
}

func simulator(t *testing.T) *esltest.Server {
	t.Helper()
	server := esltest.NewServer()
	t.Cleanup(server.Close)
	return server
}

func TestServe(t *testing.T) {
	server := simulator(t)
	app := newApp()
	answered := make(chan *esl.Event, 10)
	versions := make(chan string, 10)
	up := make(chan esl.Up, 10)
	app.OnUp(func(ctx context.Context, u esl.Up) {
		if consumer.ClientFrom(ctx) == nil || app.Client() == nil {
			t.Error("OnUp has no client")
		}
		up <- u
	})
	app.HandleFunc("CHANNEL_ANSWER", func(ctx context.Context, ev *esl.Event) error {
		answered <- ev
		version, err := consumer.ClientFrom(ctx).API(ctx, "version")
		versions <- version
		return err
	}, consumer.Where("Call-Direction", "inbound"))
	stop := serve(t, app, server)
	if first := await(t, up, "the connection"); !first.First {
		t.Errorf("OnUp got %+v", first)
	}
	if out := server.API(t.Context(), "originate loopback/9196 &park"); !strings.HasPrefix(out, "+OK") {
		t.Fatalf("originate: %q", out)
	}
	if ev := await(t, answered, "a call"); ev.Get("Call-Direction") != "inbound" {
		t.Errorf("got %v", ev)
	}
	if version := await(t, versions, "a reply"); !strings.Contains(version, "FreeSWITCH") {
		t.Errorf("version is %q", version)
	}
	if err := stop(); err != nil {
		t.Errorf("Serve returned %v", err)
	}
	if app.Client() != nil {
		t.Error("there is a client after Serve")
	}
	if len(answered) > 0 {
		t.Error("the outbound leg passed the filter")
	}
}

func TestServeFinalErrors(t *testing.T) {
	server := simulator(t)
	app := newApp()
	err := app.Serve(t.Context(), esl.ClientConfig{Addr: server.Addr(), Password: "wrong"})
	if !errors.Is(err, esl.ErrAuthentication) {
		t.Errorf("a wrong password gives %v", err)
	}
	if err := app.Serve(t.Context(), esl.ClientConfig{Addr: "nonsense"}); err == nil {
		t.Error("a bad address gives no error")
	}
}

// TestHandlersRunOnceAfterReconnects cuts the connection and restarts FreeSWITCH;
// a new event then reaches its handler once.
func TestHandlersRunOnceAfterReconnects(t *testing.T) {
	server := simulator(t)
	app := newApp()
	up := make(chan esl.Up, 100)
	app.OnUp(func(_ context.Context, u esl.Up) { up <- u })
	var mu sync.Mutex
	seen := map[string]int{}
	got := make(chan string, 100)
	app.HandleFunc("test::mark", func(_ context.Context, ev *esl.Event) error {
		mu.Lock()
		defer mu.Unlock()
		seen[ev.Get("Mark")]++
		got <- ev.Get("Mark")
		return nil
	})
	serve(t, app, server)
	await(t, up, "the connection")
	for i := range 10 {
		if i%3 == 2 {
			if err := server.Restart(); err != nil {
				t.Fatal(err)
			}
		} else {
			server.CutConnections()
		}
		if u := await(t, up, "the connection"); u.First || u.Restarted != (i%3 == 2) {
			t.Errorf("round %d: OnUp got %+v", i, u)
		}
		mark := callName(i)
		if _, err := app.Client().Send(t.Context(), sendMark(mark)); err != nil {
			t.Fatal(err)
		}
		await(t, got, "the mark")
	}
	mu.Lock()
	defer mu.Unlock()
	for mark, times := range seen {
		if times != 1 {
			t.Errorf("%s was handled %d times", mark, times)
		}
	}
}

type sendMark string

func (m sendMark) BuildMessage() string {
	return "sendevent CUSTOM\nEvent-Subclass: test::mark\nMark: " + string(m)
}

// TestStopUnderLoad stops the app while events pour in: each event whose handler
// began is finished.
func TestStopUnderLoad(t *testing.T) {
	server := simulator(t)
	app := newApp()
	var begun, ended atomic.Int64
	enough := make(chan struct{})
	app.HandleFunc("*", func(ctx context.Context, _ *esl.Event) error {
		if begun.Add(1) == 200 {
			close(enough)
		}
		timer := time.NewTimer(time.Millisecond)
		<-timer.C
		ended.Add(1)
		return ctx.Err()
	})
	up := make(chan esl.Up, 1)
	app.OnUp(func(_ context.Context, u esl.Up) { up <- u })
	stop := serve(t, app, server)
	await(t, up, "the connection")
	for range 30 {
		server.API(t.Context(), "originate loopback/9196 &park")
	}
	await(t, enough, "events")
	if err := stop(); err != nil {
		t.Error(err)
	}
	if begun.Load() != ended.Load() {
		t.Errorf("%d handlers began, %d ended", begun.Load(), ended.Load())
	}
}
