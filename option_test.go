package genesis_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/genesis-esl/genesis"
	"github.com/genesis-esl/genesis/call"
	"github.com/genesis-esl/genesis/consumer"
	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/esl/esltest"
	"github.com/genesis-esl/genesis/internal/testbed"
	"github.com/genesis-esl/genesis/outbound"
	"github.com/genesis-esl/genesis/program"
)

// caller is a FreeSWITCH that places calls to an outbound app.
type caller struct {
	t   *testing.T
	sim *esltest.Server
	ctx context.Context
	to  string
}

func newCaller(t *testing.T, s genesis.Started) *caller {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return &caller{t: t, sim: simulator(t, esltest.Config{}), ctx: ctx, to: s.Outbound.String()}
}

func (c *caller) place() *esltest.Call {
	c.t.Helper()
	leg, err := c.sim.Call(c.ctx, esltest.CallConfig{Outbound: c.to})
	if err != nil {
		c.t.Fatal(err)
	}
	return leg
}

// answered fails the test unless the app answers.
func (c *caller) answered(leg *esltest.Call) {
	c.t.Helper()
	if err := leg.WaitAnswered(c.ctx); err != nil {
		c.t.Fatalf("the app does not answer: %v", err)
	}
}

// turnedAway fails the test unless the call ends without an answer.
func (c *caller) turnedAway(leg *esltest.Call) {
	c.t.Helper()
	if _, err := leg.WaitHangup(c.ctx); err != nil || leg.State().Answered {
		c.t.Errorf("the call was not turned away: %+v, %v", leg.State(), err)
	}
}

// await waits until GET path answers with a text.
func await(t *testing.T, addr net.Addr, path, text string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		body := probe(t, addr, path, http.StatusOK)
		if strings.Contains(body, text) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("GET %s never says %q: %s", path, text, body)
		}
		<-time.After(5 * time.Millisecond)
	}
}

// hold answers and stays until the call is over.
func hold(ctx context.Context, s *outbound.Session) error {
	if err := s.Answer(ctx); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

func TestUser(t *testing.T) {
	sim := simulator(t, esltest.Config{
		Heartbeat: 50 * time.Millisecond, Users: []esltest.User{{Name: "app@example.net", Password: "theirs"}},
	})
	s, stop := start(t, consumer.New(), genesis.FreeSWITCH(sim.Addr(), "theirs"), genesis.User("app@example.net"))
	probe(t, s.Observability, "/ready", http.StatusOK)
	if err := stop(); err != nil {
		t.Error(err)
	}
	err := genesis.RunContext(t.Context(), consumer.New(), quiet(), genesis.NoObservability(),
		genesis.FreeSWITCH(sim.Addr(), "theirs"), genesis.User("nobody@example.net"))
	if !errors.Is(err, esl.ErrAuthentication) {
		t.Errorf("a user whom FreeSWITCH does not know: %v", err)
	}
}

func TestAllow(t *testing.T) {
	elsewhere, here := netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("127.0.0.0/8")
	s, _ := start(t, hold, genesis.Listen("127.0.0.1:0"), genesis.Allow(elsewhere))
	c := newCaller(t, s)
	c.turnedAway(c.place())
	await(t, s.Observability, "/metrics", `genesis_connections_errors_total{error="not_allowed",type="outbound"} 1`)
	s, _ = start(t, hold, genesis.Listen("127.0.0.1:0"), genesis.Allow(elsewhere), genesis.Allow(here))
	c = newCaller(t, s)
	c.answered(c.place())
}

func TestMaxSessions(t *testing.T) {
	var log testbed.Log
	s, stop := start(t, hold, genesis.Listen("127.0.0.1:0"), genesis.MaxSessions(2), genesis.ShutdownTimeout(time.Millisecond),
		genesis.Logger(slog.New(slog.NewTextHandler(&log, nil))), environ(map[string]string{"GENESIS_MAX_SESSIONS": "1"}))
	c := newCaller(t, s)
	first, second := c.place(), c.place()
	c.answered(first)
	c.answered(second)
	for range 5 {
		c.turnedAway(c.place())
	}
	await(t, s.Observability, "/metrics", `genesis_connections_errors_total{error="too_many",type="outbound"} 5`)
	first.Hangup("NORMAL_CLEARING")
	if err := first.WaitEnded(c.ctx); err != nil {
		t.Fatal(err)
	}
	await(t, s.Observability, "/info", `"sessions": 1`)
	c.answered(c.place())
	if err := stop(); err != nil {
		t.Error(err)
	}
	if n := strings.Count(log.String(), "turned away"); n != 1 {
		t.Errorf("%d log lines for one episode, want 1", n)
	}
}

// Each call of a program is a process: fewer of them than of handlers.
func TestMaxSessionsByDefault(t *testing.T) {
	for want, app := range map[string]any{
		`"max_sessions": 20000`: outbound.HandlerFunc(hold),
		`"max_sessions": 1000`:  &program.Outbound{Path: "/bin/cat"},
	} {
		s, _ := start(t, app, genesis.Listen("127.0.0.1:0"))
		await(t, s.Observability, "/info", want)
	}
	s, _ := start(t, &program.Outbound{Path: "/bin/cat"}, genesis.Listen("127.0.0.1:0"), environ(map[string]string{"GENESIS_MAX_SESSIONS": "1"}))
	c := newCaller(t, s)
	c.place() // cat prints the call's data, which is no command, until the call is over
	await(t, s.Observability, "/info", `"sessions": 1`)
	c.turnedAway(c.place())
}

func TestMaxRate(t *testing.T) {
	s, _ := start(t, hold, genesis.Listen("127.0.0.1:0"), genesis.MaxRate(1))
	c := newCaller(t, s)
	first := c.place()
	c.answered(first)
	legs := []*esltest.Call{first}
	for range 20 { // in far less than twenty seconds
		legs = append(legs, c.place())
	}
	away := 0
	for _, leg := range legs[1:] {
		state, err := leg.Wait(c.ctx, func(s esltest.State) bool { return s.Answered || s.Ended })
		if err != nil {
			t.Fatal(err)
		}
		if !state.Answered {
			away++
		}
	}
	if away < 10 {
		t.Errorf("%d of 20 calls above the rate were turned away", away)
	}
}

// While the load balancers learn that the app goes away, calls that still come are taken.
func TestDrainDelay(t *testing.T) {
	const delay = time.Second
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	up, ended := make(chan genesis.Started, 1), make(chan error, 1)
	go func() {
		ended <- genesis.RunContext(ctx, hold, quiet(), genesis.Listen("127.0.0.1:0"), genesis.Observability("127.0.0.1:0"),
			genesis.DrainDelay(delay), genesis.ShutdownTimeout(time.Millisecond), genesis.OnStart(func(s genesis.Started) { up <- s }))
	}()
	s := <-up
	c := newCaller(t, s)
	probe(t, s.Observability, "/ready", http.StatusOK)
	began := time.Now()
	cancel()
	probe(t, s.Observability, "/ready", http.StatusServiceUnavailable)
	c.answered(c.place())
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took < delay {
		t.Errorf("ended after %v, before the delay of %v was over", took, delay)
	}
}

func TestServer(t *testing.T) {
	fails := func(context.Context, *outbound.Session) error { return errors.New("on purpose") }
	s, _ := start(t, fails, genesis.Listen("127.0.0.1:0"), genesis.Server(func(srv *outbound.Server) { srv.FailureCause = call.UserBusy }))
	c := newCaller(t, s)
	if cause, err := c.place().WaitHangup(c.ctx); err != nil || cause != "USER_BUSY" {
		t.Errorf("the call ended with %q, %v, want what the server was set to", cause, err)
	}
}

func TestObservabilityListener(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, stop := start(t, hold, genesis.Listen("127.0.0.1:0"), genesis.ObservabilityListener(l))
	if s.Observability.String() != l.Addr().String() {
		t.Errorf("probes at %v, the listener is at %v", s.Observability, l.Addr())
	}
	probe(t, l.Addr(), "/ready", http.StatusOK)
	if err := stop(); err != nil {
		t.Error(err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the listener is not closed in the end: %v", err)
	}
}

func TestObservabilityToken(t *testing.T) {
	s, _ := start(t, hold, genesis.Listen("127.0.0.1:0"), genesis.ObservabilityToken("open sesame"))
	probe(t, s.Observability, "/ready", http.StatusOK)
	probe(t, s.Observability, "/health", http.StatusOK)
	probe(t, s.Observability, "/metrics", http.StatusUnauthorized)
	probe(t, s.Observability, "/", http.StatusUnauthorized)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.Observability.String()+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer open sesame")
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("with the token: %s", resp.Status)
	}
}

// The connection stays up; between two heartbeats that are too far apart the app is unhealthy.
func TestHeartbeatTimeout(t *testing.T) {
	sim := simulator(t, esltest.Config{Heartbeat: 500 * time.Millisecond})
	for name, opt := range map[string]genesis.Option{
		"option":      genesis.HeartbeatTimeout(50 * time.Millisecond),
		"environment": environ(map[string]string{"GENESIS_HEARTBEAT_TIMEOUT": "50ms"}),
	} {
		s, stop := start(t, consumer.New(), genesis.FreeSWITCH(sim.Addr(), sim.Password()), opt)
		probe(t, s.Observability, "/health", http.StatusOK)
		probe(t, s.Observability, "/health", http.StatusServiceUnavailable)
		probe(t, s.Observability, "/health", http.StatusOK)
		await(t, s.Observability, "/metrics", "genesis_connection_up 1")
		if err := stop(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	err := genesis.RunContext(t.Context(), consumer.New(), quiet(), genesis.NoObservability(), genesis.HeartbeatTimeout(-1))
	if genesis.ExitCode(err) != genesis.ExitConfig {
		t.Errorf("a negative timeout: %v", err)
	}
}

// TestHeartbeatsAreRare: where they are, silence is allowed for longer.
func TestHeartbeatsAreRare(t *testing.T) {
	sim := simulator(t, esltest.Config{})
	for given, want := range map[time.Duration]time.Duration{0: 0, 10 * time.Second: 0, 90 * time.Second: 3 * time.Minute} {
		asked := make(chan time.Duration, 1)
		_, stop := start(t, consumer.New(), genesis.FreeSWITCH(sim.Addr(), sim.Password()), genesis.HeartbeatTimeout(given),
			genesis.Client(func(cfg *esl.ClientConfig) { asked <- cfg.IdleTimeout }))
		if got := <-asked; got != want {
			t.Errorf("heartbeat timeout %v: idle timeout %v, want %v", given, got, want)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	}
}

func TestTraceEventHeaders(t *testing.T) {
	sim := simulator(t, esltest.Config{})
	var spans testbed.Log
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(&spans, r.Body)
	}))
	t.Cleanup(collector.Close)
	t.Setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", collector.URL)
	for name, tt := range map[string]struct {
		opt  genesis.Option
		want int
	}{
		"default":     {genesis.Name("app", ""), 0},
		"option":      {genesis.TraceEventHeaders(), 1},
		"environment": {environ(map[string]string{"GENESIS_TRACE_EVENT_HEADERS": "true"}), 1},
	} {
		handled := make(chan struct{})
		app := consumer.New()
		app.HandleFunc("test::traced", func(context.Context, *esl.Event) error {
			close(handled)
			return nil
		})
		app.OnUp(func(context.Context, esl.Up) {
			_ = sim.Fire("test::traced", []esl.Header{{Name: "Sign", Value: "sign of " + name}}, "")
		})
		_, stop := start(t, app, genesis.FreeSWITCH(sim.Addr(), sim.Password()), tt.opt)
		select {
		case <-handled:
		case <-time.After(patience):
			t.Fatal("no event")
		}
		if err := stop(); err != nil { // sends the spans
			t.Error(err)
		}
		if !strings.Contains(spans.String(), "process_event") {
			t.Fatal("no spans")
		}
		if n := strings.Count(spans.String(), "sign of "+name); n != tt.want {
			t.Errorf("%s: the header is in %d spans, want %d", name, n, tt.want)
		}
	}
}
