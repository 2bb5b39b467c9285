package observability_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/internal/testbed"
	"github.com/genesis-esl/genesis/observability"
	"github.com/genesis-esl/genesis/observability/check"
)

// inProcess is an Observability without a socket, for time that is simulated.
func inProcess(t *testing.T, mode observability.Mode) (*observability.Observability, *testbed.Log) {
	t.Helper()
	logs := new(testbed.Log)
	obs, err := observability.New(observability.Config{Mode: mode, Logger: slog.New(slog.NewTextHandler(logs, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := obs.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return obs, logs
}

func get(obs *observability.Observability, path, accept string) *httptest.ResponseRecorder {
	req := httptest.NewRequest("GET", path, nil)
	req.Header.Set("Accept", accept)
	w := httptest.NewRecorder()
	obs.Handler().ServeHTTP(w, req)
	return w
}

func TestCheckThreshold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		obs, logs := inProcess(t, observability.Outbound)
		obs.SetListening(true)
		var down atomic.Bool
		first := make(chan struct{})
		err := obs.AddCheck(observability.Check{
			Name: "database", Critical: true, Interval: 10 * time.Second, Threshold: 3,
			Run: func(context.Context) error {
				<-first
				if down.Load() {
					return errors.New("dial db://admin:hunter2@db: refused")
				}
				return nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		if obs.Ready() {
			t.Error("ready before the first run of a critical check")
		}
		close(first)
		synctest.Wait()
		if !obs.Ready() {
			t.Error("not ready after the first success")
		}
		down.Store(true)
		for failures := 1; failures <= 3; failures++ {
			<-time.After(10 * time.Second) // simulated
			synctest.Wait()
			if got, want := obs.Ready(), failures < 3; got != want {
				t.Errorf("ready is %v after %d failures", got, failures)
			}
		}
		if !obs.Healthy() || get(obs, "/health", "").Code != http.StatusOK {
			t.Error("liveness depends on a dependency")
		}
		if body := get(obs, "/metrics", "").Body.String(); !strings.Contains(body, `dependency_up{name="database"} 0`) {
			t.Error("dependency_up is not 0")
		}
		w := get(obs, "/ready", "application/health+json")
		if body := w.Body.String(); w.Code != 503 || !strings.Contains(body, "database") || strings.Contains(body, "hunter2") {
			t.Errorf("detail: %d %s", w.Code, body)
		}
		down.Store(false)
		<-time.After(10 * time.Second)
		synctest.Wait()
		if !obs.Ready() {
			t.Error("not ready after one success")
		}
		if text := logs.String(); strings.Count(text, "dependency is down") != 1 || strings.Count(text, "dependency is up") != 2 ||
			strings.Contains(text, "hunter2") {
			t.Errorf("log:\n%s", text)
		}
	})
}

func TestCheckThatPanicsOrHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		obs, _ := inProcess(t, observability.Outbound)
		obs.SetListening(true)
		release, runs := make(chan struct{}), new(atomic.Int32)
		for _, c := range []observability.Check{
			{Name: "panics", Run: func(context.Context) error { panic("token=hunter2") }},
			{Name: "slow", Run: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }},
			{Name: "hangs", Run: func(context.Context) error { runs.Add(1); <-release; return nil }},
		} {
			c.Timeout, c.Interval, c.Threshold = time.Second, 5*time.Second, 2
			if err := obs.AddCheck(c); err != nil {
				t.Fatal(err)
			}
		}
		<-time.After(15 * time.Second) // simulated
		synctest.Wait()
		body := get(obs, "/metrics", "").Body.String()
		for _, name := range []string{"panics", "slow", "hangs"} {
			if !strings.Contains(body, `dependency_up{name="`+name+`"} 0`) {
				t.Errorf("%s does not count as down", name)
			}
		}
		if !obs.Ready() {
			t.Error("checks that are not critical made the app not ready")
		}
		w := get(obs, "/health", "application/health+json")
		if !strings.Contains(w.Body.String(), `"status":"warn"`) || w.Code != 200 || strings.Contains(w.Body.String(), "hunter2") {
			t.Errorf("detail: %d %s", w.Code, w.Body)
		}
		if n := runs.Load(); n != 1 {
			t.Errorf("a check that hangs was started %d times", n)
		}
		close(release)
		<-time.After(15 * time.Second)
		synctest.Wait()
		if !strings.Contains(get(obs, "/metrics", "").Body.String(), `dependency_up{name="hangs"} 1`) {
			t.Error("a check that returned at last does not recover")
		}
	})
}

func TestCheckErrors(t *testing.T) {
	obs, _ := inProcess(t, observability.Consumer)
	works := func(context.Context) error { return nil }
	for _, c := range []observability.Check{
		{}, {Name: "Capital", Run: works}, {Name: "none"}, {Name: "negative", Run: works, Timeout: -1},
	} {
		if err := obs.AddCheck(c); err == nil {
			t.Errorf("AddCheck(%+v) succeeded", c)
		}
	}
	if err := obs.AddCheck(observability.Check{Name: "twice", Run: works}); err != nil {
		t.Fatal(err)
	}
	if err := obs.AddCheck(observability.Check{Name: "twice", Run: works}); err == nil {
		t.Error("two checks of one name")
	}
}

func TestReadyMadeChecks(t *testing.T) {
	mini := miniredis.RunT(t)
	client := redis.NewClient(&redis.Options{Addr: mini.Addr(), MaxRetries: -1})
	defer client.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	status := http.StatusOK
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	withUser := strings.Replace(srv.URL, "://", "://admin:hunter2@", 1)
	checks := map[string]func(context.Context) error{
		"redis": check.Redis(client), "tcp": check.TCP(l.Addr().String()), "http": check.HTTP(withUser, nil),
	}
	for name, run := range checks {
		if err := run(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	mini.Close()
	l.Close()
	status = http.StatusTeapot
	for name, run := range checks {
		if err := run(t.Context()); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s down: %v", name, err)
		}
	}
	srv.Close()
	if err := checks["http"](t.Context()); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("http refused: %v", err)
	}
	if err := check.HTTP("http://admin:hunter2@[::1", nil)(t.Context()); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("bad URL: %v", err)
	}
}

func TestDetailPhases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		obs, _ := inProcess(t, observability.Consumer)
		obs.SetAppRunning(true)
		hooks, events := obs.Hooks(), esl.ConnInfo{Type: "inbound", Role: "events", Remote: "fs:8021"}
		steps := []struct {
			name, status, note string
			do                 func()
		}{
			{"just started", "warn", "warming up", func() {}},
			{"connect refused", "fail", "no information", func() { hooks.ConnectEnd(t.Context(), events, net.ErrClosed) }},
			{"connected", "warn", "warming up", func() { hooks.ConnectEnd(t.Context(), events, nil) }},
			{"31 s without HEARTBEAT", "fail", "no information", func() { <-time.After(31 * time.Second) }},
			{"HEARTBEAT", "pass", "working", func() { hooks.Heartbeat(heartbeat(t)) }},
			{"behind", "warn", "working", func() { obs.ObserveBacklog(func() (int, int64) { return 9, 9 }); hooks.Stalled(true) }},
			{"caught up", "pass", "working", func() { hooks.Stalled(false) }},
			{"lost", "fail", "no information", func() { hooks.Disconnected(events, net.ErrClosed) }},
			{"shutting down", "warn", "shutting down", obs.SetShuttingDown},
		}
		for _, step := range steps {
			step.do()
			w := get(obs, "/healthz", "text/html, application/health+json;q=0.9")
			var d struct {
				Status    string
				Notes     []string
				ServiceID string
				Checks    map[string][]struct{ Status, Time string }
			}
			if err := json.Unmarshal(w.Body.Bytes(), &d); err != nil {
				t.Fatal(err)
			}
			wantCode := http.StatusOK
			if step.status == "fail" {
				wantCode = http.StatusServiceUnavailable
			}
			if w.Code != wantCode || d.Status != step.status || d.Notes[0] != step.note || d.ServiceID != "genesis" {
				t.Errorf("%s: %d %s, want %d %s %s", step.name, w.Code, w.Body, wantCode, step.status, step.note)
			}
			for _, key := range []string{"freeswitch:connection", "freeswitch:heartbeat", "app:state"} {
				if len(d.Checks[key]) != 1 || d.Checks[key][0].Time == "" {
					t.Errorf("%s: no %s in %s", step.name, key, w.Body)
				}
			}
			if got := w.Header().Get("Content-Type"); got != "application/health+json" {
				t.Errorf("Content-Type %q", got)
			}
		}
	})
}

func TestAliasesAndNegotiation(t *testing.T) {
	s := serve(t, observability.Config{Mode: observability.Outbound})
	s.wantProbe(t, "/healthz", true, `{"status": "ok"}`, "")
	s.wantProbe(t, "/livez", true, `{"status": "ok"}`, "")
	s.wantProbe(t, "/readyz", false, "", `{"status": "not ready"}`)
	for accept, want := range map[string]string{
		"":                                  "application/json",
		"*/*":                               "application/json",
		"application/json":                  "application/json",
		"application/health+json;q=0":       "application/json",
		"application/health+json":           "application/health+json",
		"text/html,Application/Health+JSON": "application/health+json",
	} {
		res, _ := s.do(t, "GET", "/health", http.Header{"Accept": {accept}})
		if got := res.Header.Get("Content-Type"); got != want {
			t.Errorf("Accept %q: %s, want %s", accept, got, want)
		}
	}
}

func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		obs, err := observability.New(observability.Config{Mode: observability.Outbound, DrainDelay: 5 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		obs.SetListening(true)
		start, drained := time.Now(), make(chan error, 1)
		go func() { drained <- obs.Drain(t.Context()) }()
		synctest.Wait()
		if obs.Ready() {
			t.Error("ready while draining")
		}
		if err := <-drained; err != nil || time.Since(start) != 5*time.Second {
			t.Errorf("Drain returned %v after %v", err, time.Since(start))
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := obs.Drain(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Drain with its context ended: %v", err)
		}
		if err := obs.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// A URL that is none because its password is not escaped is not shown: the parser quotes parts of it.
func TestHTTPCheckHidesPassword(t *testing.T) {
	for _, end := range []string{"/x", "#x", "?x", "%x"} {
		err := check.HTTP("http://user:"+planted+end+"@db:80/", nil)(t.Context())
		if err == nil || strings.Contains(err.Error(), planted) {
			t.Errorf("%q: %v", end, err)
		}
	}
}
