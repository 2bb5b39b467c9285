// Package deploy_test holds what is in this folder to what the program exposes.
package deploy_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"go.uber.org/goleak"

	"github.com/genesis-esl/genesis/call"
	"github.com/genesis-esl/genesis/call/queue"
	"github.com/genesis-esl/genesis/call/ring"
	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/esl/esltest"
	"github.com/genesis-esl/genesis/observability"
	"github.com/genesis-esl/genesis/outbound"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if path, err := built(); err == nil {
			_ = os.RemoveAll(filepath.Dir(path))
		}
		os.Exit(code)
	}))
}

// program is everything that records metrics, wired as the command wires it.
type program struct {
	t    *testing.T
	ctx  context.Context
	obs  *observability.Observability
	fs   *esltest.Server
	by   *esl.Conn
	done chan error
}

// run starts FreeSWITCH, a consumer's connection and an outbound server, and makes
// every metric appear.
func run(t *testing.T) *program {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	t.Cleanup(cancel)
	obs, err := observability.New(observability.Config{
		Mode: observability.Consumer, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = obs.Shutdown(ctx) })
	p := &program{t: t, ctx: ctx, obs: obs, done: make(chan error, 1)}
	addr := p.serveCalls()
	p.fs = esltest.NewUnstartedServer(esltest.Config{
		Pace:       20,
		Heartbeat:  50 * time.Millisecond,
		Endpoints:  []esltest.Endpoint{{Match: "^user/", Hangup: 20 * time.Millisecond}},
		Extensions: []esltest.Extension{{Match: "^5000$", Actions: []esltest.Action{{App: "socket", Data: addr + " async full"}}}},
	})
	if err := p.fs.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.fs.Close)
	p.consume()
	return p
}

// serveCalls starts an outbound server and returns its address.
func (p *program) serveCalls() string {
	instruments, err := call.NewInstruments(p.obs.MeterProvider(), p.obs.TracerProvider())
	if err != nil {
		p.t.Fatal(err)
	}
	srv := &outbound.Server{
		Hooks: p.obs.Hooks(), Instruments: instruments, Logger: slog.New(slog.DiscardHandler),
		Handler: outbound.HandlerFunc(func(ctx context.Context, s *outbound.Session) error {
			err := p.obs.Session(ctx, s.Data(), "127.0.0.1:1", func(ctx context.Context) error { return p.converse(ctx, s) })
			p.done <- err
			return err
		}),
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		p.t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	p.t.Cleanup(func() {
		_ = srv.Close()
		if err := <-served; !errors.Is(err, outbound.ErrServerClosed) {
			p.t.Errorf("Serve: %v", err)
		}
	})
	return l.Addr().String()
}

// converse does on a call whatever has a metric.
func (p *program) converse(ctx context.Context, s *outbound.Session) error {
	if err := s.Answer(ctx); err != nil {
		return err
	}
	pressed := make(chan struct{})
	stop := s.OnDTMF(func(context.Context, call.DTMF) { close(pressed) })
	if _, err := p.by.API(ctx, "uuid_recv_dtmf "+s.UUID()+" 5"); err != nil {
		return err
	}
	<-pressed
	stop()
	if _, err := s.BridgeTo(ctx, call.To(call.User("1000", ""))); err != nil {
		return err
	}
	queues, err := queue.New(queue.Config{MeterProvider: p.obs.MeterProvider()})
	if err != nil {
		return err
	}
	slot, err := queues.Acquire(ctx, "support")
	if err != nil {
		return err
	}
	if err := errors.Join(slot.Release(ctx), queues.Close(ctx)); err != nil {
		return err
	}
	ringer, err := ring.New(ring.Config{MeterProvider: p.obs.MeterProvider()})
	if err != nil {
		return err
	}
	answer, err := ringer.Ring(ctx, s, []ring.Destination{{To: call.To(call.User("1001", ""))}}, ring.Parallel)
	if err != nil {
		return err
	}
	<-answer.Channel.Done()
	return s.Hangup(ctx, call.NormalClearing)
}

// consume connects as a consumer does, and lets a call in.
func (p *program) consume() {
	up := make(chan struct{}, 1)
	client, err := esl.NewClient(esl.ClientConfig{
		Addr: p.fs.Addr(), Events: []string{"CHANNEL_ANSWER"}, Hooks: p.obs.Hooks(),
		OnUp: func(context.Context, esl.Up) { up <- struct{}{} },
	})
	if err != nil {
		p.t.Fatal(err)
	}
	served := make(chan error, 1)
	answered := make(chan *esl.Event, 16)
	go func() {
		served <- client.Serve(p.ctx, esl.HandlerFunc(func(_ context.Context, ev *esl.Event) {
			select {
			case answered <- ev:
			default:
			}
		}))
	}()
	<-up
	if p.by, err = esl.Dial(p.ctx, p.fs.Addr(), esl.DialConfig{}); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = p.by.Close(); _ = client.Close(); <-served })
	if _, err := client.BgAPI(p.ctx, "originate loopback/5000/default &park()"); err != nil {
		p.t.Fatal(err)
	}
	if err := <-p.done; err != nil {
		p.t.Fatalf("the call: %v", err)
	}
	ev := <-answered
	p.obs.EventsRouted("CHANNEL_ANSWER", true, 1)
	p.obs.EventsRouted("CHANNEL_ANSWER", false, 1)
	p.obs.HandlerEnd(p.obs.HandlerStart(p.ctx, ev), ev.Name(), time.Millisecond, "error", io.EOF)
	p.obs.ObserveBacklog(func() (int, int64) { return 0, 0 })
	// A command that takes too long is the one thing that a healthy FreeSWITCH does not do.
	p.obs.Hooks().CommandEnd(p.ctx, esl.CommandInfo{Name: "api"}, nil, context.DeadlineExceeded)
	up2 := make(chan struct{})
	var once bool
	err = p.obs.AddCheck(observability.Check{Name: "database", Run: func(context.Context) error {
		if !once {
			once = true
			close(up2)
		}
		return nil
	}})
	if err != nil {
		p.t.Fatal(err)
	}
	<-up2
}

// names returns what a scrape shows, histograms by their series.
func (p *program) names() map[string]bool {
	names := map[string]bool{}
	p.get("/health")
	for p.ctx.Err() == nil { // the HEARTBEAT and the check's note may be a moment away
		parser := expfmt.NewTextParser(model.LegacyValidation)
		families, err := parser.TextToMetricFamilies(strings.NewReader(p.get("/metrics")))
		if err != nil {
			p.t.Fatal(err)
		}
		for name, family := range families {
			names[name] = true
			if family.GetMetric()[0].GetHistogram() != nil {
				names[name+"_bucket"], names[name+"_count"], names[name+"_sum"] = true, true, true
			}
		}
		if names["freeswitch_sessions"] && names["dependency_up"] {
			break
		}
	}
	return names
}

func (p *program) get(path string) string {
	w := httptest.NewRecorder()
	p.obs.Handler().ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	return w.Body.String()
}

// metricName is what a metric of ours, of FreeSWITCH's or of the process looks like.
var metricName = regexp.MustCompile(`\b(?:(?:genesis|freeswitch|dependency|http|go)_[a-z0-9_]+|process_(?:resident|cpu|open)_[a-z_]+)\b`)

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// dashboardQueries returns the queries of the dashboard's panels and variables.
func dashboardQueries(t *testing.T) []string {
	t.Helper()
	var d struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
		Templating struct{ List []struct{ Definition string } }
	}
	if err := json.Unmarshal([]byte(read(t, "grafana/genesis.json")), &d); err != nil {
		t.Fatal(err)
	}
	var queries []string
	for _, panel := range d.Panels {
		for _, target := range panel.Targets {
			queries = append(queries, target.Expr)
		}
	}
	for _, v := range d.Templating.List {
		queries = append(queries, v.Definition)
	}
	return queries
}

var ruleExpr = regexp.MustCompile(`(?s)expr: (.*?)\n        (?:for|labels):`)

func TestEveryMetricMentionedIsExposed(t *testing.T) {
	exposed := run(t).names()
	mentioned := map[string][]string{"dashboard": dashboardQueries(t)}
	for _, m := range ruleExpr.FindAllStringSubmatch(read(t, "prometheus/rules.yml"), -1) {
		mentioned["rules"] = append(mentioned["rules"], m[1])
	}
	mentioned["docs"] = []string{read(t, "../docs/observability.md")}
	for where, texts := range mentioned {
		var names []string
		for _, text := range texts {
			names = append(names, metricName.FindAllString(text, -1)...)
		}
		slices.Sort(names)
		names = slices.Compact(names)
		if len(names) < 10 {
			t.Errorf("%s mention only %v", where, names)
		}
		for _, name := range names {
			if !exposed[name] {
				t.Errorf("%s mention %s, which is not exposed", where, name)
			}
		}
	}
	for name := range exposed {
		if strings.HasPrefix(name, "genesis_") && !strings.HasSuffix(name, "_bucket") &&
			!strings.Contains(mentioned["docs"][0], strings.TrimSuffix(strings.TrimSuffix(name, "_count"), "_sum")) {
			t.Errorf("docs/observability.md says nothing of %s", name)
		}
	}
}
