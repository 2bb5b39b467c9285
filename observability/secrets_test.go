package observability_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/internal/testbed"
	"github.com/genesis-esl/genesis/observability"
)

// planted is a secret that must come out nowhere.
const planted = "hunter2xyzzy"

// TestNoSecretComesOut plants a secret wherever a program might hold one and then
// searches every endpoint and all logs.
func TestNoSecretComesOut(t *testing.T) {
	r := receive(t)
	t.Setenv("ESL_PASSWORD", planted)
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer "+planted)
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.token="+planted+",deployment.url=redis://app:"+planted+"@redis:6379,region=west%ff")
	logs := new(testbed.Log)
	s := serve(t, observability.Config{
		Mode: observability.Consumer, TraceEventHeaders: true,
		Logger: slog.New(observability.NewLogHandler(logs, observability.LogConfig{Level: observability.LevelTrace})),
	})
	target := &url.URL{Scheme: "redis", User: url.UserPassword("app", planted), Host: "redis:6379"}
	err := s.obs.AddCheck(observability.Check{Name: "redis", Critical: true, Threshold: 1, Run: func(context.Context) error {
		return fmt.Errorf("dial %s: password=%s refused", target, planted)
	}})
	if err != nil {
		t.Fatal(err)
	}
	s.obs.AddInfo("limits", func() any {
		return map[string]any{
			"password": planted, "api_key": planted, "url": target.String(),
			"args": []string{"--password=" + planted, "ESL_PASSWORD: " + planted},
		}
	})
	hooks, ctx := s.obs.Hooks(), t.Context()
	bad := fmt.Errorf("auth %s: %w", planted, errors.New("token: "+planted))
	info := esl.ConnInfo{Type: "inbound", Role: "events", Remote: "fs:8021"}
	hooks.ConnectEnd(hooks.ConnectStart(ctx, info), info, bad)
	hooks.Retry(time.Second, bad)
	hooks.ConnectEnd(hooks.ConnectStart(ctx, info), info, nil)
	ctx = hooks.CommandStart(ctx, esl.CommandInfo{Name: "auth"})
	hooks.CommandEnd(ctx, esl.CommandInfo{Name: "auth"}, nil, bad)
	ev := event(t, "CUSTOM", "Event-Subclass", "x::y", "variable_sip_password", planted, "variable_url", target.String())
	hooks.Events([]*esl.Event{ev})
	s.obs.HandlerEnd(s.obs.HandlerStart(ctx, ev), "x::y", 0, "error", bad)
	hooks.Disconnected(info, bad)
	log := s.obs.Logger()
	log.With("secret", planted).WithGroup("http").Error("failed", "authorization", planted, "url", target, "error", bad,
		slog.Group("deep", "token", []string{planted}))

	found := map[string]string{}
	for _, path := range []string{"/health", "/ready", "/info", "/metrics", "/", "/nothing"} {
		for _, accept := range []string{"*/*", "application/health+json", "application/openmetrics-text"} {
			_, found[path+" as "+accept] = s.do(t, "GET", path, http.Header{"Accept": {accept}})
		}
	}
	finish(t, s.obs)
	found["log"] = logs.String()
	r.mu.Lock()
	found["exported"] = fmt.Sprint(r.spans, r.logs, r.metrics, r.resources)
	r.mu.Unlock()
	for where, text := range found {
		if strings.Contains(text, planted) {
			t.Errorf("the secret is in %s:\n%s", where, text)
		}
	}
	if !strings.Contains(found["/metrics as */*"], `region="west?"`) || !strings.Contains(found["exported"], "west?") {
		t.Error("the resource is not told of")
	}
	if !strings.Contains(found["/info as */*"], "redis:6379") || !strings.Contains(found["log"], "redis:6379") {
		t.Error("more than the secret is hidden")
	}
}

func TestInfo(t *testing.T) {
	s := serve(t, observability.Config{Mode: observability.Consumer, Version: "1.2.3", ServiceName: "switchboard"})
	exercise(t, s)
	s.obs.AddInfo("subscribed", func() any { return []string{"CHANNEL_ANSWER", "HEARTBEAT"} })
	_, body := s.do(t, "GET", "/info", nil)
	var info struct {
		Name, Version, Go, Mode, State string
		Started                        time.Time
		Healthy, Ready                 bool
		Connection                     struct{ Remote, State string }
		FreeSWITCH                     map[string]string
		App                            map[string][]string
		Limits                         map[string]float64
	}
	if err := json.Unmarshal([]byte(body), &info); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	if info.Name != "switchboard" || info.Version != "1.2.3" || info.Mode != "consumer" || info.State != "working" ||
		!info.Healthy || info.Ready || info.Started.IsZero() || !strings.HasPrefix(info.Go, "go1.") ||
		info.Connection.Remote != "127.0.0.1:8021" || info.Connection.State != "up" ||
		info.FreeSWITCH["version"] != "1.11.3-dev~64bit" || len(info.App["subscribed"]) != 2 ||
		info.Limits["heartbeat_timeout_seconds"] != 30 {
		t.Errorf("/info: %s", body)
	}
}

func TestLogFields(t *testing.T) {
	var buf bytes.Buffer
	log := slog.New(observability.NewLogHandler(&buf, observability.LogConfig{JSON: true, Level: observability.LevelTrace}))
	read := func() map[string]any {
		t.Helper()
		m := map[string]any{}
		if err := json.Unmarshal(buf.Bytes(), &m); err != nil {
			t.Fatalf("%v in %s", err, &buf)
		}
		buf.Reset()
		return m
	}
	log.Info("up", "n", 1, "took", 1500*time.Millisecond)
	m := read()
	if _, err := time.Parse(time.RFC3339Nano, fmt.Sprint(m["timestamp"])); err != nil || m["took"] != "1.5s" {
		t.Errorf("%v in %v", err, m)
	}
	if m["message"] != "up" || m["level"] != "INFO" || m["logger"] != "genesis" || m["timestamp"] == nil || m["n"] != 1.0 || m["trace_id"] != nil {
		t.Errorf("%v", m)
	}
	receive(t)
	obs, err := observability.New(observability.Config{Mode: observability.Consumer})
	if err != nil {
		t.Fatal(err)
	}
	defer finish(t, obs)
	ctx := obs.HandlerStart(t.Context(), event(t, "DTMF", "Unique-ID", call))
	log.With("logger", "esl").WithGroup("g").With("a", 1).Log(ctx, observability.LevelTrace, "sent", "b", 2)
	m = read()
	group, _ := m["g"].(map[string]any)
	if m["logger"] != "esl" || m["level"] != "TRACE" || m["trace_id"] != observability.TraceOfCall(call).String() ||
		m["span_id"] == nil || group["a"] != 1.0 || group["b"] != 2.0 {
		t.Errorf("%v", m)
	}
	for name, want := range map[string]slog.Level{
		"trace": -8, "DEBUG": -4, "": 0, "info": 0, "warning": 4, "error": 8, "critical": 8,
	} {
		if got, err := observability.ParseLevel(name); err != nil || got != want {
			t.Errorf("ParseLevel(%q) = %v, %v", name, got, err)
		}
	}
	if _, err := observability.ParseLevel("loud"); err == nil {
		t.Error("level loud is accepted")
	}
}
