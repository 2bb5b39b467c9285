package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/internal/recording"
)

const everything = "../../testdata/transcripts/c_event_plain_all.bin.gz"

// recorded returns the events of a recording in its order.
func recorded(t *testing.T, file string) []*esl.Event {
	t.Helper()
	raw, err := recording.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	var events []*esl.Event
	dec := esl.NewDecoder(bytes.NewReader(raw), esl.Limits{})
	for {
		frame, err := dec.Next()
		if errors.Is(err, io.EOF) {
			return events
		}
		if err != nil {
			t.Fatal(err)
		}
		if frame.Type != esl.FrameEventPlain {
			continue
		}
		ev, err := frame.Event()
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, ev)
	}
}

// printed is an event as the consumer prints it.
type printed struct {
	Name     string `json:"Event-Name"`
	Core     string `json:"Core-UUID"`
	Sequence string `json:"Event-Sequence"`
	UUID     string `json:"Unique-ID"`
}

func lines(t *testing.T, text string) []printed {
	t.Helper()
	var all []printed
	for line := range strings.Lines(text) {
		var p printed
		if err := json.Unmarshal([]byte(line), &p); err != nil {
			t.Fatalf("not a JSON line: %q: %v", line, err)
		}
		all = append(all, p)
	}
	return all
}

func TestConsumerPrintsARecording(t *testing.T) {
	want := recorded(t, everything)
	sim := startGenesis(t, "simulate", "--port", "0", "--replay", everything)
	app := startGenesis(t, "consumer", "--port", port(sim.stderr.match(t, `address=(\S+)`)))
	app.stdout.until(t, "all events", func(text string) bool { return strings.Count(text, "\n") >= len(want) })
	url := app.url()
	received := metrics(t, url, "genesis_events_received_total", "event_name")
	app.stop()
	sim.stop()

	got := lines(t, app.stdout.String())
	if len(got) != len(want) {
		t.Errorf("%d events printed, the recording holds %d", len(got), len(want))
	}
	wantOrder, gotOrder, wantCount := map[string][]string{}, map[string][]string{}, map[string]float64{}
	for _, ev := range want {
		wantOrder[ev.UUID()] = append(wantOrder[ev.UUID()], ev.Name()+" "+ev.Get("Event-Sequence"))
		wantCount[ev.Name()]++
	}
	for _, ev := range got {
		gotOrder[ev.UUID] = append(gotOrder[ev.UUID], ev.Name+" "+ev.Sequence)
	}
	for uuid, order := range wantOrder {
		if uuid == "" { // no call: ordered by name only
			slices.Sort(order)
			slices.Sort(gotOrder[uuid])
		}
		if !slices.Equal(order, gotOrder[uuid]) {
			t.Errorf("call %s: printed %v, recorded %v", uuid, gotOrder[uuid], order)
		}
	}
	if !maps.Equal(received, wantCount) {
		t.Errorf("metrics count %v, the recording holds %v", received, wantCount)
	}
}

func TestConsumerHealthContract(t *testing.T) {
	app := startGenesis(t, "consumer", "--simulate", "--event", "CHANNEL_ANSWER")
	url := app.url()
	for path, want := range map[string]string{"/ready": `{"status": "ready"}`, "/health": `{"status": "ok"}`} {
		if body := await(t, url+path, http.StatusOK, 10*time.Second); body != want {
			t.Errorf("%s: %q, want %q", path, body, want)
		}
		resp, err := http.Post(url+path, "text/plain", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("POST %s: %d, want 405", path, resp.StatusCode)
		}
	}
	if up := metrics(t, url, "genesis_connection_up", "")[""]; up != 1 {
		t.Errorf("genesis_connection_up %v, want 1", up)
	}
	app.stdout.match(t, `"Event-Name":"CHANNEL_ANSWER"`)
	check := startGenesis(t, "healthcheck", "--observability-port", port(url))
	if code := check.wait(); code != 0 || !strings.Contains(check.stdout.String(), `{"status": "ok"}`) {
		t.Errorf("healthcheck: exit code %d, %s", code, check.stdout)
	}
	app.stop()
	check = startGenesis(t, "healthcheck", "--observability-port", port(url))
	if code := check.wait(); code != 1 || !strings.Contains(check.stderr.String(), "connection refused") {
		t.Errorf("healthcheck of nothing: exit code %d, %s", code, check.stderr)
	}
}

// The proxy answers that all is well with an app that does not exist.
func TestHealthcheckAsksTheAppItself(t *testing.T) {
	var asked atomic.Int64
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		_, _ = io.WriteString(w, `{"status": "ok"}`)
	}))
	defer proxy.Close()
	t.Setenv("HTTP_PROXY", proxy.URL)
	t.Setenv("NO_PROXY", "")
	// An address for documentation: nobody has it, and Go leaves out the proxy for loopback addresses alone.
	check := startGenesis(t, "healthcheck", "--observability-host", "192.0.2.1", "--timeout", "100ms")
	if code := check.wait(); code != 1 || asked.Load() != 0 {
		t.Errorf("exit code %d, %d requests to the proxy", code, asked.Load())
	}
}

// Nobody answers, and somebody loses patience.
func TestHealthcheckHeedsSignals(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	began := time.Now()
	check := startGenesis(t, "healthcheck", "--observability-port", port(l.Addr().String()), "--timeout", "1m")
	asked, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer asked.Close()
	check.signal(syscall.SIGTERM)
	if code := check.wait(); code != 1 || time.Since(began) > 30*time.Second {
		t.Errorf("exit code %d after %v", code, time.Since(began))
	}
}

func TestConsumerTakesNamesInAnyCase(t *testing.T) {
	app := startGenesis(t, "consumer", "--simulate", "--event", "channel_answer")
	app.stdout.match(t, `"Event-Name":"CHANNEL_ANSWER"`)
	app.stop()
}

func TestConsumerOutlivesFreeSWITCH(t *testing.T) {
	at := freePort(t)
	simulate := []string{"simulate", "--port", at, "--heartbeat", "100ms", "--calls-per-second", "20", "--call-duration", "100ms"}
	sim := startGenesis(t, simulate...)
	app := startGenesis(t, "consumer", "--port", at)
	url := app.url()
	await(t, url+"/ready", http.StatusOK, 10*time.Second)
	goroutines := metrics(t, url, "go_goroutines", "")[""]

	for round := range 3 {
		sim.signal(syscall.SIGKILL)
		sim.wait()
		if body := await(t, url+"/health", http.StatusServiceUnavailable, time.Second); body != `{"status": "unhealthy"}` {
			t.Errorf("/health without FreeSWITCH: %q", body)
		}
		before := len(app.stdout.String())
		sim = startGenesis(t, simulate...)
		sim.stderr.match(t, `address=(\S+)`)
		back := time.Now()
		app.stdout.until(t, "events again", func(text string) bool {
			return strings.Contains(text[before:], `"Event-Name":"CHANNEL_ANSWER"`)
		})
		if took := time.Since(back); took > 2*time.Second {
			t.Errorf("round %d: events flowed again %v after FreeSWITCH's return, want 2s at most", round, took)
		}
		await(t, url+"/health", http.StatusOK, 2*time.Second)
	}
	if n := metrics(t, url, "genesis_reconnects_total", "")[""]; n != 3 {
		t.Errorf("genesis_reconnects_total %v, want 3", n)
	}
	if now := metrics(t, url, "go_goroutines", "")[""]; now > goroutines+10 {
		t.Errorf("%v goroutines after three reconnects, %v before", now, goroutines)
	}
	app.stop()
	seen := map[printed]bool{}
	for _, ev := range lines(t, app.stdout.String()) {
		if seen[ev] {
			t.Errorf("event handled twice: %+v", ev)
		}
		seen[ev] = true
	}
}

// Nobody reads what the app prints, so its handlers never end; with 0s it does not wait for them.
func TestConsumerStopsAtOnce(t *testing.T) {
	unread, stdout, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer unread.Close()
	defer stdout.Close()
	for err == nil { // until the pipe is full
		if err = stdout.SetWriteDeadline(time.Now().Add(100 * time.Millisecond)); err == nil {
			_, err = stdout.Write(make([]byte, 4096))
		}
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	app := startGenesisOn(t, stdout, "consumer", "--simulate", "--shutdown-timeout", "0s")
	url := app.url()
	for metrics(t, url, "genesis_dispatch_queue_depth", "")[""] == 0 {
		<-time.After(10 * time.Millisecond)
	}
	began := time.Now()
	app.stop()
	if took := time.Since(began); took > 8*time.Second { // a second for handlers to see that their context has ended
		t.Errorf("stopped after %v", took)
	}
}

func TestConsumerWrongPassword(t *testing.T) {
	sim := startGenesis(t, "simulate", "--port", "0", "--password", "right")
	app := startGenesis(t, "consumer", "--port", port(sim.stderr.match(t, `address=(\S+)`)), "--password", "mistaken")
	if code := app.wait(); code != 78 {
		t.Errorf("exit code %d, want 78", code)
	}
	if got := app.stderr.String(); !strings.Contains(got, "refuses the password") || strings.Contains(got, "mistaken") {
		t.Errorf("stderr: %s", got)
	}
	if got := app.stdout.String(); got != "" {
		t.Errorf("stdout: %s", got)
	}
}
