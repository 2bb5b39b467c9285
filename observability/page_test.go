package observability_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/observability"
)

// stream opens /live and returns what reads the data of the next event.
func (s *server) stream(t *testing.T) (next func() string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	req, err := http.NewRequestWithContext(ctx, "GET", s.url+"/live", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := s.client.Transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); res.Body.Close() })
	if got := res.Header.Get("Content-Type"); res.StatusCode != 200 || got != "text/event-stream" {
		t.Fatalf("/live: %d, %s", res.StatusCode, got)
	}
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 1<<20)
	return func() string {
		t.Helper()
		for lines.Scan() {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				return data
			}
		}
		t.Fatalf("/live ended: %v", lines.Err())
		return ""
	}
}

type picture struct {
	Status, Class string
	Rows          []struct{ Key, Name, Value, Class string }
	Kinds         [][2]string
	Calls         [][4]string
}

func (p picture) value(key string) string {
	for _, r := range p.Rows {
		if r.Key == key {
			return r.Value
		}
	}
	return ""
}

func TestLiveStream(t *testing.T) {
	s := serve(t, observability.Config{Mode: observability.Consumer})
	exercise(t, s)
	s.obs.SetAppRunning(true)
	events := []*esl.Event{
		event(t, "CHANNEL_CREATE", "Unique-ID", call),
		event(t, "HEARTBEAT", "Session-Count", "1"),
		event(t, "CUSTOM", "Event-Subclass", "<script>alert(1)</script>"),
	}
	s.obs.ObserveSubscriptions(func() []string { return []string{"ALL"} })
	s.obs.Hooks().Events(events)
	next := s.stream(t)
	next() // the history
	var p picture
	for range 5 {
		if err := json.Unmarshal([]byte(next()), &p); err != nil {
			t.Fatal(err)
		}
		if len(p.Calls) == 1 {
			break
		}
	}
	if p.Status != "working" || p.Class != "ok" || p.value("calls") != "1" || p.value("queue") != "3" ||
		!strings.HasPrefix(p.value("connection"), "up, 127.0.0.1:8021") || p.Calls[0][0] != "f6c0cf4c" {
		t.Errorf("%+v", p)
	}
	_, body := s.do(t, "GET", "/", nil)
	for _, want := range []string{"<td>f6c0cf4c</td>", "up, 127.0.0.1:8021", "<noscript><meta http-equiv=\"refresh\"", "prefers-color-scheme"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page without JavaScript does not have %s", want)
		}
	}
	if strings.Contains(body, "<script>alert") || !strings.Contains(body, "&lt;script&gt;alert") {
		t.Error("what FreeSWITCH sends is markup on the page")
	}
	if len(body) > 100<<10 {
		t.Errorf("the page has %d bytes", len(body))
	}
	for _, outside := range []string{"http:", "https:", "//cdn", "@import"} {
		if text := strings.ReplaceAll(body, "http://www.w3.org/2000/svg", ""); strings.Contains(text, outside) {
			t.Errorf("the page refers to %s", outside)
		}
	}
}

// An app's own server has a live page too.
func TestLiveStreamOfHandler(t *testing.T) {
	obs, err := observability.New(observability.Config{Mode: observability.Consumer})
	if err != nil {
		t.Fatal(err)
	}
	own := httptest.NewServer(obs.Handler())
	s := &server{obs: obs, url: own.URL, client: own.Client()}
	var p picture
	next := s.stream(t)
	next()
	if err := json.Unmarshal([]byte(next()), &p); err != nil || p.value("connection") != "down" {
		t.Errorf("%v: %v", p, err)
	}
	if err := obs.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	own.Close()
}

// The bounds that protect the server from slow requests do not cut a stream.
func TestLiveStreamOutlastsTimeouts(t *testing.T) {
	t.Parallel()
	s := serve(t, observability.Config{Mode: observability.Outbound})
	next := s.stream(t)
	for range 13 { // seconds
		next()
	}
}

func TestLiveStreamsEndAtShutdown(t *testing.T) {
	s := serve(t, observability.Config{Mode: observability.Outbound})
	for range 3 {
		s.stream(t)()
	}
	start := time.Now()
	finish(t, s.obs)
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("Shutdown took %v with pages open", took)
	}
}

func TestLiveStreamsAreBounded(t *testing.T) {
	s := serve(t, observability.Config{Mode: observability.Outbound})
	for range 32 {
		s.stream(t)()
	}
	if res, _ := s.do(t, "GET", "/live", nil); res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("page 33: %d", res.StatusCode)
	}
}
