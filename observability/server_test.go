package observability_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/internal/testbed"
	"github.com/genesis-esl/genesis/observability"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server is an Observability that serves on a port of its own.
type server struct {
	obs    *observability.Observability
	url    string
	client *http.Client
	log    *testbed.Log
}

func serve(t *testing.T, cfg observability.Config) *server {
	t.Helper()
	return serveAfter(t, cfg, func(*observability.Observability) {})
}

// serveAfter is serve for what has happened before.
func serveAfter(t *testing.T, cfg observability.Config, happened func(*observability.Observability)) *server {
	t.Helper()
	logs := new(testbed.Log)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.NewTextHandler(logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	obs, err := observability.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	happened(obs)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- obs.Serve(l) }()
	client := &http.Client{Transport: new(http.Transport), Timeout: 10 * time.Second}
	t.Cleanup(func() {
		client.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := obs.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		if err := <-ended; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return &server{obs: obs, url: "http://" + l.Addr().String(), client: client, log: logs}
}

func (s *server) do(t *testing.T, method, path string, header http.Header) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		req.Header[name] = values
	}
	res, err := s.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

// wantProbe checks an answer of a probe byte for byte.
func (s *server) wantProbe(t *testing.T, path string, ok bool, yes, no string) {
	t.Helper()
	res, body := s.do(t, "GET", path, nil)
	status, want := http.StatusOK, yes
	if !ok {
		status, want = http.StatusServiceUnavailable, no
	}
	if res.StatusCode != status || body != want {
		t.Errorf("GET %s: %d %s; want %d %s", path, res.StatusCode, body, status, want)
	}
	if got := res.Header.Get("Content-Type"); got != "application/json" {
		t.Errorf("GET %s: Content-Type %q", path, got)
	}
}

// clock is a clock that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Unix(1795228853, 0)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// heartbeat returns the HEARTBEAT of recording m_heartbeat.
func heartbeat(t *testing.T) *esl.Event {
	t.Helper()
	return event(t, "HEARTBEAT", "Core-UUID", "8ccf1759-e740-4518-9c02-f45e57183b57",
		"FreeSWITCH-Hostname", "vm", "FreeSWITCH-Version", "1.11.3-dev~64bit", "Uptime-msec", "599389",
		"Session-Count", "2", "Max-Sessions", "5000", "Session-Per-Sec", "1000", "Session-Per-Sec-Last", "1",
		"Session-Since-Startup", "144", "Session-Peak-Max", "4", "Idle-CPU", "98.000000")
}

// event returns an event of the name with the headers, given as name and value in turn.
func event(t *testing.T, name string, headers ...string) *esl.Event {
	t.Helper()
	list := []esl.Header{{Name: "Event-Name", Value: name}}
	for i := 0; i+1 < len(headers); i += 2 {
		list = append(list, esl.Header{Name: headers[i], Value: headers[i+1]})
	}
	return esl.NewEvent(list, "")
}

func TestServeEndsWithListener(t *testing.T) {
	obs, err := observability.New(observability.Config{Mode: observability.Outbound})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := obs.Serve(l); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Serve on a closed listener: %v", err)
	}
	for range 2 {
		if err := obs.Shutdown(t.Context()); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	}
}

// A client that never finishes its request is cut off after half of the time that
// Shutdown has.
func TestShutdownCutsSlowRequests(t *testing.T) {
	obs, err := observability.New(observability.Config{Mode: observability.Outbound, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	entered, release := make(chan struct{}), make(chan struct{})
	obs.HandleFunc("GET /slow", func(http.ResponseWriter, *http.Request) { close(entered); <-release })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- obs.Serve(l) }()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-entered
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	start := time.Now()
	if err := obs.Shutdown(ctx); err != nil { // nothing of telemetry is lost by it
		t.Errorf("Shutdown: %v", err)
	}
	if took := time.Since(start); took > 900*time.Millisecond {
		t.Errorf("Shutdown took %v of one second", took)
	}
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("the request was not cut off")
	}
	close(release)
	if err := <-ended; err != nil {
		t.Errorf("Serve: %v", err)
	}
}

// goneAway is a scraper that no longer reads.
type goneAway struct{ *httptest.ResponseRecorder }

func (goneAway) Write([]byte) (int, error) { return 0, syscall.EPIPE }

// A scrape that is broken off is one line for those who look closely, not one for each
// metric.
func TestBrokenScrapeIsOneLine(t *testing.T) {
	logs := new(testbed.Log)
	obs, err := observability.New(observability.Config{
		Mode: observability.Consumer, Logger: slog.New(slog.NewTextHandler(logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer finish(t, obs)
	obs.Handler().ServeHTTP(goneAway{httptest.NewRecorder()}, newRequest(t, "/metrics"))
	if text := logs.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "level=DEBUG") || !strings.Contains(text, "broken pipe") {
		t.Errorf("logged was\n%s", text)
	}
}
