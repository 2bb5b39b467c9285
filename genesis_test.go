package genesis_test

import (
	"context"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/genesis-esl/genesis"
	"github.com/genesis-esl/genesis/consumer"
	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/esl/esltest"
	"github.com/genesis-esl/genesis/outbound"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait in these tests.
const patience = 20 * time.Second

func environ(vars map[string]string) genesis.Option {
	return genesis.Environ(func(name string) (string, bool) {
		value, ok := vars[name]
		return value, ok
	})
}

func quiet() genesis.Option { return genesis.Logger(slog.New(slog.DiscardHandler)) }

func simulator(t *testing.T, cfg esltest.Config) *esltest.Server {
	t.Helper()
	sim := esltest.NewUnstartedServer(cfg)
	if err := sim.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sim.Close)
	return sim
}

// start runs an app until the function it returns is called, which returns what RunContext did.
func start(t *testing.T, app any, opts ...genesis.Option) (genesis.Started, func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	up, ended := make(chan genesis.Started, 1), make(chan error, 1)
	opts = append([]genesis.Option{
		quiet(), genesis.Observability("127.0.0.1:0"), genesis.OnStart(func(s genesis.Started) { up <- s }),
	}, opts...)
	go func() { ended <- genesis.RunContext(ctx, app, opts...) }()
	stop := func() error {
		cancel()
		select {
		case err := <-ended:
			return err
		case <-time.After(patience):
			t.Fatal("the app did not stop")
			return nil
		}
	}
	t.Cleanup(cancel)
	select {
	case s := <-up:
		return s, stop
	case err := <-ended:
		t.Fatalf("the app ended at once: %v", err)
	case <-time.After(patience):
		t.Fatal("the app did not start")
	}
	return genesis.Started{}, nil
}

// probe waits until GET path answers with a status and all of holds, and returns the body.
func probe(t *testing.T, addr net.Addr, path string, status int, holds ...string) string {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	deadline := time.Now().Add(patience)
	for {
		resp, err := client.Get("http://" + addr.String() + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode == status && !slices.ContainsFunc(holds, func(s string) bool { return !strings.Contains(string(body), s) }) {
			return string(body)
		}
		if time.Now().After(deadline) {
			t.Fatalf("GET %s: %d %s, want %d and %q", path, resp.StatusCode, body, status, holds)
		}
		<-time.After(5 * time.Millisecond)
	}
}

func TestConsumer(t *testing.T) {
	sim := simulator(t, esltest.Config{Heartbeat: 50 * time.Millisecond})
	app := consumer.New()
	answered := make(chan string, 100)
	app.HandleFunc("CHANNEL_ANSWER", func(_ context.Context, ev *esl.Event) error {
		answered <- ev.UUID()
		return nil
	})
	s, stop := start(t, app, genesis.FreeSWITCH(sim.Addr(), sim.Password()))
	if body := probe(t, s.Observability, "/ready", http.StatusOK); body != `{"status": "ready"}` {
		t.Errorf("/ready says %q", body)
	}
	if body := probe(t, s.Observability, "/health", http.StatusOK); body != `{"status": "ok"}` {
		t.Errorf("/health says %q", body)
	}
	sim.API(t.Context(), "originate user/1000 &park()")
	select {
	case <-answered:
	case <-time.After(patience):
		t.Fatal("no CHANNEL_ANSWER reached the handler")
	}
	probe(t, s.Observability, "/metrics", http.StatusOK,
		"genesis_events_received_total{", "genesis_handler_duration_seconds_count{", "freeswitch_up", "go_goroutines")
	if err := sim.Stop(); err != nil {
		t.Fatal(err)
	}
	if body := probe(t, s.Observability, "/health", http.StatusServiceUnavailable); body != `{"status": "unhealthy"}` {
		t.Errorf("/health says %q without FreeSWITCH", body)
	}
	if err := stop(); err != nil {
		t.Errorf("RunContext = %v, want nil after a stop on request", err)
	}
}

func TestOutbound(t *testing.T) {
	handled := make(chan error, 1)
	s, stop := start(t, func(ctx context.Context, s *outbound.Session) error {
		err := s.Answer(ctx)
		handled <- err
		return err
	}, genesis.Listen("127.0.0.1:0"))
	probe(t, s.Observability, "/ready", http.StatusOK)
	sim := simulator(t, esltest.Config{Extensions: []esltest.Extension{
		{Match: "^7000$", Actions: []esltest.Action{{App: "socket", Data: s.Outbound.String() + " async full"}}},
	}})
	sim.API(t.Context(), "originate user/1000 7000")
	select {
	case err := <-handled:
		if err != nil {
			t.Errorf("Answer = %v", err)
		}
	case <-time.After(patience):
		t.Fatal("no call reached the handler")
	}
	if err := stop(); err != nil {
		t.Errorf("RunContext = %v, want nil after a stop on request", err)
	}
}

// TestLostSessions counts those of a FreeSWITCH that dies in the midst of calls, and none that ends as calls do.
func TestLostSessions(t *testing.T) {
	started := make(chan struct{}, 10)
	s, stop := start(t, func(ctx context.Context, s *outbound.Session) error {
		started <- struct{}{}
		<-ctx.Done()
		return context.Cause(ctx)
	}, genesis.Listen("127.0.0.1:0"))
	sim := simulator(t, esltest.Config{})
	for _, dies := range []bool{false, true} {
		call, err := sim.Call(t.Context(), esltest.CallConfig{Outbound: s.Outbound.String()})
		if err != nil {
			t.Fatal(err)
		}
		select {
		case <-started:
		case <-time.After(patience):
			t.Fatal("no call reached the handler")
		}
		lost := `genesis_connections_errors_total{error="lost",type="outbound"} 0`
		if dies {
			lost = `genesis_connections_errors_total{error="lost",type="outbound"} 1`
			err = sim.Stop()
		} else {
			call.Hangup("NORMAL_CLEARING")
		}
		if err != nil {
			t.Fatal(err)
		}
		probe(t, s.Observability, "/metrics", http.StatusOK, `genesis_connections_active{type="outbound"} 0`, lost)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestExitCodes(t *testing.T) {
	sim := simulator(t, esltest.Config{})
	host, port, _ := net.SplitHostPort(sim.Addr())
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	_, taken, _ := net.SplitHostPort(busy.Addr().String())
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	blank := filepath.Join(t.TempDir(), "blank")
	if err := os.WriteFile(blank, []byte(" \t\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	badApp := consumer.New()
	badApp.HandleFunc("CHANNEL_ANSWER", func(context.Context, *esl.Event) error { return nil }, consumer.Match("Unique-ID", "("))
	call := outbound.HandlerFunc(func(context.Context, *outbound.Session) error { return nil })

	tests := []struct {
		name string
		app  any
		env  map[string]string
		code int
		says string
	}{
		{"wrong password", consumer.New(), map[string]string{"ESL_HOST": host, "ESL_PORT": port, "ESL_PASSWORD": "no"}, 78, "refuses the password"},
		{"bad port", consumer.New(), map[string]string{"ESL_PORT": "abc"}, 78, `ESL_PORT="abc": not a port`},
		{"a port in the host", consumer.New(), map[string]string{"ESL_HOST": host + ":" + port}, 78, `not a host: a name or an IP address is allowed`},
		{"brackets in the host", consumer.New(), map[string]string{"ESL_HOST": "[::1]"}, 78, `ESL_HOST="[::1]": not a host`},
		{"port out of range", consumer.New(), map[string]string{"ESL_PORT": "70000"}, 78, "70000"},
		{"bad probe port", consumer.New(), map[string]string{"GENESIS_OBSERVABILITY_PORT": "-1"}, 78, "GENESIS_OBSERVABILITY_PORT"},
		{"no password file", consumer.New(), map[string]string{"ESL_PASSWORD_FILE": "/none/such"}, 78, "no such file"},
		{"empty password file", consumer.New(), map[string]string{"ESL_PASSWORD_FILE": empty}, 78, "first line is empty"},
		{"empty token file", call, map[string]string{"GENESIS_OBSERVABILITY_TOKEN_FILE": empty}, 78, "has to hold the token"},
		{"blank token file", call, map[string]string{"GENESIS_OBSERVABILITY_TOKEN_FILE": blank}, 78, "its first line is blank"},
		{"bad rate", call, map[string]string{"GENESIS_MAX_RATE": "-1"}, 78, "GENESIS_MAX_RATE"},
		{"two passwords", consumer.New(), map[string]string{"ESL_PASSWORD_FILE": empty, "ESL_PASSWORD": "x"}, 78, "one of the two"},
		{"bad level", consumer.New(), map[string]string{"ESL_LOG_LEVEL": "loud"}, 78, "loud"},
		{"bad network", call, map[string]string{"GENESIS_ALLOW": "10.0.0.0/99"}, 78, "not a network"},
		{"bad timeout", call, map[string]string{"GENESIS_SHUTDOWN_TIMEOUT": "ten"}, 78, "not a duration"},
		{"bad heartbeat timeout", consumer.New(), map[string]string{"GENESIS_HEARTBEAT_TIMEOUT": "often"}, 78, "GENESIS_HEARTBEAT_TIMEOUT"},
		{"bad truth", consumer.New(), map[string]string{"GENESIS_TRACE_EVENT_HEADERS": "maybe"}, 78, "true, false are allowed"},
		{"wrong mode", call, map[string]string{"GENESIS_MODE": "consumer"}, 78, "genesis outbound"},
		{"bad expression", badApp, nil, 78, `bad regular expression "("`},
		{"busy port", call, map[string]string{"ESL_APP_PORT": taken}, 1, "address already in use"},
		{"busy probe port", call, map[string]string{"ESL_APP_PORT": "0", "GENESIS_OBSERVABILITY_HOST": "127.0.0.1", "GENESIS_OBSERVABILITY_PORT": taken}, 1, "already in use"},
		{"no app", 42, nil, 1, "not int"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { exitsWith(t, tt.app, tt.env, tt.code, tt.says) })
	}
}

// exitsWith runs an app that must end by itself.
func exitsWith(t *testing.T, app any, env map[string]string, code int, says string) {
	t.Helper()
	vars := map[string]string{"GENESIS_OBSERVABILITY_HOST": "127.0.0.1", "GENESIS_OBSERVABILITY_PORT": "0"}
	maps.Copy(vars, env)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	opts := []genesis.Option{environ(vars)}
	if vars["ESL_LOG_LEVEL"] == "" {
		opts = append(opts, quiet())
	}
	err := genesis.RunContext(ctx, app, opts...)
	if got := genesis.ExitCode(err); got != code {
		t.Errorf("exit code %d for %v, want %d", got, err, code)
	}
	if err == nil || !strings.Contains(err.Error(), says) {
		t.Errorf("error %v, want it to say %q", err, says)
	}
}
