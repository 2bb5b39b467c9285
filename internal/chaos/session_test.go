package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/esl/esltest"
	"github.com/genesis-esl/genesis/internal/faultproxy"
	"github.com/genesis-esl/genesis/observability"
	"github.com/genesis-esl/genesis/outbound"
)

// exchange is an outbound server with its probes, a FreeSWITCH that has calls for it,
// and a network between them that fails.
type exchange struct {
	*world // what is common: FreeSWITCH, the network, health and metrics
	server *outbound.Server
	handle chan outbound.HandlerFunc // for the calls to come, in turn
	ended  chan error                // how sessions' handlers ended
	call   *esltest.Call             // the one that the fault is for
}

const (
	commandPatience = time.Second // the deadline of a handler's commands
	// greetingPatience is how long either end waits for the other to begin: a call that is given up is not made again.
	greetingPatience = 5 * time.Second
)

func newExchange(t *testing.T) *exchange {
	t.Helper()
	x := &exchange{world: &world{t: t}, handle: make(chan outbound.HandlerFunc, 10), ended: make(chan error, 10)}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if x.proxy, err = faultproxy.NewReversed(l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	if x.obs, err = observability.New(observability.Config{Mode: observability.Outbound, Logger: log}); err != nil {
		t.Fatal(err)
	}
	x.serve()
	x.server = &outbound.Server{
		Hooks: x.obs.Hooks(), Logger: log, HandshakeTimeout: greetingPatience, CloseTimeout: commandPatience,
		Handler: outbound.HandlerFunc(func(ctx context.Context, s *outbound.Session) (err error) {
			defer func() { x.ended <- err }()
			err = errDeliberate // of a handler that panics
			return (<-x.handle)(ctx, s)
		}),
	}
	served := make(chan error, 1)
	go func() { served <- x.server.Serve(l) }()
	x.srv = esltest.NewUnstartedServer(esltest.Config{ConnectTimeout: greetingPatience}) // which its Shutdown waits for
	x.must(x.srv.Start())
	t.Cleanup(func() {
		x.srv.Close()
		x.proxy.Close()
		x.server.Close()
		if err := receive(t, served, "Serve"); !errors.Is(err, outbound.ErrServerClosed) {
			t.Errorf("Serve: %v", err)
		}
		x.http.Close()
		if err := x.obs.Shutdown(context.Background()); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	})
	return x
}

// ring makes a call that comes to the server by way of the proxy.
func (x *exchange) ring(ctx context.Context, handler outbound.HandlerFunc) {
	x.t.Helper()
	x.handle <- handler
	var err error
	x.call, err = x.srv.Call(ctx, esltest.CallConfig{Outbound: x.proxy.Addr()})
	x.must(err)
}

// converse sets variables and asks for them until something fails or stop is closed:
// each answer must be its own.
func converse(stop <-chan struct{}) outbound.HandlerFunc {
	return func(ctx context.Context, s *outbound.Session) error {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return nil
			default:
			}
			limited, cancel := context.WithTimeout(ctx, commandPatience)
			answer, err := s.API(limited, fmt.Sprintf("eval answer-%d", i))
			cancel()
			if err != nil {
				return err
			}
			if want := fmt.Sprintf("answer-%d", i); answer != want {
				return fmt.Errorf("%w: %q, not %q", errAnother, answer, want)
			}
		}
	}
}

var errAnother = errors.New("another's answer")

// sessionPhases are what a session does when the fault strikes. Its handler is told
// to end by closing stop.
var sessionPhases = map[string]func(entered chan<- struct{}, stop <-chan struct{}) outbound.HandlerFunc{
	"session idle": func(entered chan<- struct{}, stop <-chan struct{}) outbound.HandlerFunc {
		return func(ctx context.Context, s *outbound.Session) error {
			err := s.Answer(ctx)
			close(entered)
			select {
			case <-stop:
			case <-ctx.Done():
				err = context.Cause(ctx)
			}
			return err
		}
	},
	"session busy": func(entered chan<- struct{}, stop <-chan struct{}) outbound.HandlerFunc {
		return func(ctx context.Context, s *outbound.Session) error {
			close(entered)
			return converse(stop)(ctx, s)
		}
	},
	"session's command pending": func(entered chan<- struct{}, _ <-chan struct{}) outbound.HandlerFunc {
		return func(ctx context.Context, s *outbound.Session) error {
			if err := s.Answer(ctx); err != nil {
				return err
			}
			close(entered)
			ctx, cancel := context.WithTimeout(ctx, commandPatience)
			defer cancel()
			_, err := s.Execute(ctx, "sleep", "300")
			return err
		}
	},
	"session slow to handle": func(entered chan<- struct{}, stop <-chan struct{}) outbound.HandlerFunc {
		return func(context.Context, *outbound.Session) error {
			close(entered)
			<-stop // whatever its context says
			return nil
		}
	},
	"session panicking": func(entered chan<- struct{}, stop <-chan struct{}) outbound.HandlerFunc {
		return func(context.Context, *outbound.Session) error {
			close(entered)
			<-stop
			panic(errDeliberate)
		}
	},
}

// sessionFaults strike at the connection of a call.
var sessionFaults = map[string]func(*exchange){
	"FIN":           func(x *exchange) { x.proxy.Cut(faultproxy.FIN) },
	"RST":           func(x *exchange) { x.proxy.Cut(faultproxy.RST) },
	"half-open":     func(x *exchange) { x.proxy.Freeze() },
	"stall":         func(x *exchange) { x.proxy.Freeze(); x.proxy.Thaw() },
	"split writes":  func(x *exchange) { x.proxy.Split(1) },
	"merged writes": func(x *exchange) { x.proxy.Merge(time.Millisecond) },
	"garbage":       func(x *exchange) { x.proxy.Inject([]byte("\n\nContent-Length: what\n\n")) },
	"truncation":    func(x *exchange) { x.proxy.Inject([]byte("Content-Length: 999\n\nabc")); x.proxy.Cut(faultproxy.FIN) },
	"server's cut":  func(x *exchange) { x.srv.CutConnections() },
	"restart":       func(x *exchange) { x.must(x.srv.Restart()) },
	"notice":        func(x *exchange) { x.srv.Shutdown(); x.must(x.srv.Resume()) },
	"hangup":        func(x *exchange) { x.call.Hangup("") },
	"clock jumps":   func(x *exchange) { x.proxy.Jump(true); x.call.SetVariable("a", "b"); x.call.Answer() },
}

// everyFaultInASession: whatever happens to a call's connection, its handler ends
// with its deadline at the latest, with answers of its own alone, and the next call is
// served as if nothing had been. Health and metrics know.
func everyFaultInASession(t *testing.T) {
	for phase, handler := range sessionPhases {
		for fault, strike := range sessionFaults {
			t.Run(phase+", "+fault, func(t *testing.T) {
				t.Parallel()
				x := newExchange(t)
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				defer cancel()
				entered, stop := make(chan struct{}), make(chan struct{})
				end := sync.OnceFunc(func() { close(stop) })
				defer end()
				x.ring(ctx, handler(entered, stop))
				receive(t, entered, "the session")
				strike(x)
				end()
				if err := receive(t, x.ended, "the handler's end"); errors.Is(err, errAnother) {
					t.Error(err)
				}
				x.proxy.Cut(faultproxy.RST) // what is half-open, frozen, or was told to close
				x.proxy.Thaw()
				until(t, "the session's end", func() bool { return x.server.Sessions() == 0 })
				x.next(ctx)
			})
		}
	}
}

// everyFaultInTheHandshake: a call whose connection fails before FreeSWITCH has
// told its data leaves no session.
func everyFaultInTheHandshake(t *testing.T) {
	for _, n := range []int{0, 1, 500} { // bytes of the call's data that come
		for fault, strike := range sessionFaults {
			t.Run(fmt.Sprintf("handshake after %d bytes, %s", n, fault), func(t *testing.T) {
				t.Parallel()
				x := newExchange(t)
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				defer cancel()
				x.proxy.Hold(n)
				x.ring(ctx, converse(nil))
				until(t, "the handshake", func() bool { return x.proxy.Held() == 1 })
				strike(x)
				x.proxy.Cut(faultproxy.FIN)
				x.proxy.Release()
				x.proxy.Thaw()
				until(t, "the session's end", func() bool { return x.server.Sessions() == 0 })
				select {
				case err := <-x.ended:
					t.Errorf("a session was begun, and ended with %v", err)
				case <-x.handle:
				default:
					t.Error("a session was begun")
				}
				x.next(ctx)
			})
		}
	}
}

// next makes a call that is served well, and compares health and metrics.
func (x *exchange) next(ctx context.Context) {
	x.t.Helper()
	x.srv.Heal()
	stop := make(chan struct{})
	x.ring(ctx, func(ctx context.Context, s *outbound.Session) error {
		_, err := s.API(ctx, "eval first")
		x.agree(map[string]func() float64{`genesis_connections_active{type="outbound"}`: func() float64 { return 1 }})
		close(stop)
		return errors.Join(err, converse(stop)(ctx, s))
	})
	if err := receive(x.t, x.ended, "the next session's end"); err != nil {
		x.t.Errorf("the next session: %v", err)
	}
	until(x.t, "the next session's end", func() bool { return x.server.Sessions() == 0 })
	x.healthy(true)
	x.agree(map[string]func() float64{
		`genesis_connections_active`: func() float64 { return 0 },
		// Garbage is counted as what it is.
		`genesis_events_dropped_total{reason="slow_consumer"}`: func() float64 { return 0 },
	})
}
