package genesis_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/genesis-esl/genesis"
	"github.com/genesis-esl/genesis/consumer"
	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/esl/esltest"
	"github.com/genesis-esl/genesis/internal/testbed"
	"github.com/genesis-esl/genesis/observability"
	"github.com/genesis-esl/genesis/outbound"
	"github.com/genesis-esl/genesis/program"
)

// A stop turns /ready to 503 first; what runs is finished; then RunContext returns nil.
func TestShutdownOrder(t *testing.T) {
	sim := simulator(t, esltest.Config{Heartbeat: 50 * time.Millisecond})
	app := consumer.New()
	began, release, finished := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	app.HandleFunc("app::SLOW", func(ctx context.Context, _ *esl.Event) error {
		close(began)
		<-release
		finished <- ctx.Err()
		return nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	up, ended := make(chan genesis.Started, 1), make(chan error, 1)
	go func() {
		ended <- genesis.RunContext(ctx, app, genesis.FreeSWITCH(sim.Addr(), sim.Password()), quiet(),
			genesis.Observability("127.0.0.1:0"), genesis.OnStart(func(s genesis.Started) { up <- s }))
	}()
	s := <-up
	probe(t, s.Observability, "/ready", http.StatusOK)
	if err := sim.Fire("app::SLOW", nil, ""); err != nil {
		t.Fatal(err)
	}
	<-began
	cancel()
	if body := probe(t, s.Observability, "/ready", http.StatusServiceUnavailable); body != `{"status": "not ready"}` {
		t.Errorf("/ready says %q while stopping", body)
	}
	select {
	case err := <-ended:
		t.Fatalf("RunContext = %v before the handler was done", err)
	default:
	}
	close(release)
	if err := <-finished; err != nil {
		t.Errorf("the handler's context had ended: %v", err)
	}
	if err := <-ended; err != nil {
		t.Errorf("RunContext = %v, want nil", err)
	}
}

// Hooks that an app has are called besides those that count, and are its own again afterwards.
func TestOwnHooks(t *testing.T) {
	sim := simulator(t, esltest.Config{Heartbeat: 50 * time.Millisecond})
	failed := make(chan consumer.Failure, 1)
	own := &consumer.Hooks{HandlerEnd: func(_ context.Context, h *consumer.Handled) {
		select {
		case failed <- h.Failure:
		default:
		}
	}}
	app := consumer.New()
	app.Hooks = own
	app.HandleFunc("HEARTBEAT", func(context.Context, *esl.Event) error { panic("on purpose") })
	s, stop := start(t, app, genesis.FreeSWITCH(sim.Addr(), sim.Password()))
	if f := <-failed; f != consumer.FailurePanic {
		t.Errorf("failure %q, want panic", f)
	}
	probe(t, s.Observability, "/health", http.StatusOK)
	if text := probe(t, s.Observability, "/metrics", http.StatusOK); !strings.Contains(text, `genesis_handler_errors_total{error="panic",event_name="HEARTBEAT"`) {
		t.Error("the panic is not counted")
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if app.Hooks != own || app.Logger != nil {
		t.Error("the app was left with hooks or a logger that are not its own")
	}
}

// What a program has not read when it is made to end is counted as dropped, once.
func TestProgramThatDoesNotRead(t *testing.T) {
	sim := simulator(t, esltest.Config{Heartbeat: 50 * time.Millisecond})
	var log testbed.Log
	p := &program.Consumer{
		Path: "/bin/sh", Args: []string{"-c", "exec sleep 1000"}, Stop: program.Stop{Close: 50 * time.Millisecond},
		Events: []string{"HEARTBEAT"},
	}
	s, stop := start(t, p, genesis.FreeSWITCH(sim.Addr(), sim.Password()), genesis.Logger(slog.New(slog.NewTextHandler(&log, nil))))
	probe(t, s.Observability, "/metrics", http.StatusOK, `genesis_handler_duration_seconds_count{event_name="HEARTBEAT"`)
	if err := stop(); err != nil {
		t.Error(err)
	}
	if text := log.String(); strings.Count(text, `msg="events are dropped" reason=shutdown`) != 1 {
		t.Errorf("no drop in the log:\n%s", text)
	}
}

func TestCheckThatFailsMakesNotReady(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	broken := observability.Check{
		Name: "database", Critical: true, Threshold: 1, Interval: time.Hour,
		Run: func(context.Context) error { return errors.New("gone") },
	}
	s, stop := start(t, outbound.HandlerFunc(func(context.Context, *outbound.Session) error { return nil }),
		genesis.Listener(l), genesis.Check(broken))
	if s.Outbound.String() != l.Addr().String() {
		t.Errorf("listening on %v, was given %v", s.Outbound, l.Addr())
	}
	probe(t, s.Observability, "/ready", http.StatusServiceUnavailable)
	probe(t, s.Observability, "/health", http.StatusOK)
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// Calls that go on for longer than the deadline are ended, and that is no error.
func TestShutdownDeadline(t *testing.T) {
	attending, cause := make(chan struct{}), make(chan error, 1)
	s, stop := start(t, func(ctx context.Context, s *outbound.Session) error {
		close(attending)
		<-ctx.Done()
		cause <- context.Cause(ctx)
		return ctx.Err()
	}, genesis.Listen("127.0.0.1:0"), genesis.ShutdownTimeout(100*time.Millisecond))
	sim := simulator(t, esltest.Config{})
	if _, err := sim.Call(t.Context(), esltest.CallConfig{Outbound: s.Outbound.String()}); err != nil {
		t.Fatal(err)
	}
	<-attending
	if err := stop(); err != nil {
		t.Errorf("RunContext = %v, want nil", err)
	}
	if err := <-cause; !errors.Is(err, outbound.ErrServerClosed) {
		t.Errorf("the handler's context ended with %v, want ErrServerClosed", err)
	}
}
