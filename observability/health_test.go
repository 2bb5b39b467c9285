package observability_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/observability"
)

func TestConsumerHealth(t *testing.T) {
	clock := newClock()
	s := serve(t, observability.Config{Mode: observability.Consumer, Now: clock.Now})
	hooks := s.obs.Hooks()
	events := esl.ConnInfo{Type: "inbound", Role: "events"}
	commands := esl.ConnInfo{Type: "inbound", Role: "commands"}
	steps := []struct {
		name           string
		do             func()
		healthy, ready bool
	}{
		{"started", func() {}, false, false},
		{"app running", func() { s.obs.SetAppRunning(true) }, false, false},
		{"a command connection counts for nothing", func() { hooks.ConnectEnd(t.Context(), commands, nil) }, false, false},
		{"connect failed", func() { hooks.ConnectEnd(t.Context(), events, esl.ErrAccessDenied) }, false, false},
		{"connected", func() { hooks.ConnectEnd(t.Context(), events, nil) }, false, false},
		{"first heartbeat", func() { hooks.Heartbeat(heartbeat(t)) }, true, true},
		{"30 s later", func() { clock.Advance(30 * time.Second) }, true, true},
		{"a moment more", func() { clock.Advance(time.Millisecond) }, false, false},
		{"heartbeat again", func() { hooks.Heartbeat(heartbeat(t)) }, true, true},
		{"command connection lost", func() { hooks.Disconnected(commands, io.EOF) }, true, true},
		{"event connection lost", func() { hooks.Disconnected(events, io.EOF) }, false, false},
		{"a late heartbeat of the lost one", func() { hooks.Heartbeat(heartbeat(t)) }, false, false},
		{"connected again", func() { hooks.ConnectEnd(t.Context(), events, nil) }, true, true},
		{"app stopped", func() { s.obs.SetAppRunning(false) }, true, false},
		{"app running again", func() { s.obs.SetAppRunning(true) }, true, true},
		{"shutting down", func() { s.obs.SetShuttingDown() }, true, false},
	}
	for _, step := range steps {
		t.Run(step.name, func(t *testing.T) {
			step.do()
			s.wantProbe(t, "/health", step.healthy, `{"status": "ok"}`, `{"status": "unhealthy"}`)
			s.wantProbe(t, "/ready", step.ready, `{"status": "ready"}`, `{"status": "not ready"}`)
		})
	}
}

// A connection that an app opens for itself counts where there is no client, and
// does not hide that a client has lost its own.
func TestConnectionWithoutRole(t *testing.T) {
	s := serve(t, observability.Config{Mode: observability.Consumer})
	hooks := s.obs.Hooks()
	hooks.ConnectEnd(t.Context(), esl.ConnInfo{Type: "inbound"}, nil)
	hooks.Heartbeat(heartbeat(t))
	if !s.obs.Healthy() {
		t.Error("a connection used by itself does not count")
	}
	events := esl.ConnInfo{Type: "inbound", Role: "events"}
	hooks.ConnectEnd(t.Context(), events, nil)
	hooks.Disconnected(events, io.EOF)
	if s.obs.Healthy() {
		t.Error("another connection hides that the client has lost its own")
	}
}

func TestOutboundHealth(t *testing.T) {
	s := serve(t, observability.Config{Mode: observability.Outbound})
	steps := []struct {
		name  string
		do    func()
		ready bool
	}{
		{"started", func() {}, false},
		{"app running is not enough", func() { s.obs.SetAppRunning(true) }, false},
		{"listening", func() { s.obs.SetListening(true) }, true},
		{"not listening", func() { s.obs.SetListening(false) }, false},
		{"listening again", func() { s.obs.SetListening(true) }, true},
		{"shutting down", func() { s.obs.SetShuttingDown() }, false},
	}
	for _, step := range steps {
		t.Run(step.name, func(t *testing.T) {
			step.do()
			s.wantProbe(t, "/health", true, `{"status": "ok"}`, "")
			s.wantProbe(t, "/ready", step.ready, `{"status": "ready"}`, `{"status": "not ready"}`)
		})
	}
}

func TestMethods(t *testing.T) {
	s := serve(t, observability.Config{Mode: observability.Outbound})
	for _, path := range []string{"/health", "/ready", "/metrics"} {
		for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS"} {
			res, _ := s.do(t, method, path, nil)
			if allow := res.Header.Get("Allow"); res.StatusCode != http.StatusMethodNotAllowed || allow != "GET, HEAD" {
				t.Errorf("%s %s: %d, Allow %q; want 405, GET, HEAD", method, path, res.StatusCode, allow)
			}
		}
		get, _ := s.do(t, "GET", path, nil)
		head, body := s.do(t, "HEAD", path, nil)
		if head.StatusCode != get.StatusCode || body != "" {
			t.Errorf("HEAD %s: %d with body %q; want %d without", path, head.StatusCode, body, get.StatusCode)
		}
		if got, want := head.Header.Get("Content-Type"), get.Header.Get("Content-Type"); got != want {
			t.Errorf("HEAD %s: Content-Type %q, GET has %q", path, got, want)
		}
	}
	if res, _ := s.do(t, "GET", "/healthier", nil); res.StatusCode != http.StatusNotFound {
		t.Errorf("GET /healthier: %d, want 404", res.StatusCode)
	}
}

func TestHugeHeadersAreRefused(t *testing.T) {
	s := serve(t, observability.Config{Mode: observability.Outbound})
	res, _ := s.do(t, "GET", "/health", http.Header{"X-Long": {strings.Repeat("x", 64<<10)}})
	if res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("status %d, want 431", res.StatusCode)
	}
}

func TestConfigErrors(t *testing.T) {
	for _, cfg := range []observability.Config{
		{},
		{Mode: "both"},
		{Mode: observability.Consumer, HeartbeatTimeout: -1},
	} {
		if _, err := observability.New(cfg); err == nil {
			t.Errorf("New(%+v) succeeded", cfg)
		}
	}
}
