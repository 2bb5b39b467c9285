package deploy_test

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	coltraces "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/genesis-esl/genesis"
	"github.com/genesis-esl/genesis/call"
	"github.com/genesis-esl/genesis/consumer"
	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/esl/esltest"
	"github.com/genesis-esl/genesis/observability"
	"github.com/genesis-esl/genesis/outbound"
)

// collector takes spans over OTLP.
type collector struct {
	mu    sync.Mutex
	spans []spanRecord
}

type spanRecord struct{ name, trace, id, parent string }

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		body, _ = gzip.NewReader(body)
	}
	data, err := io.ReadAll(body)
	req := new(coltraces.ExportTraceServiceRequest)
	if err == nil && r.URL.Path == "/v1/traces" {
		err = proto.Unmarshal(data, req)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, res := range req.ResourceSpans {
		for _, scope := range res.ScopeSpans {
			for _, s := range scope.Spans {
				c.spans = append(c.spans, spanRecord{s.Name, fmt.Sprintf("%x", s.TraceId), fmt.Sprintf("%x", s.SpanId), fmt.Sprintf("%x", s.ParentSpanId)})
			}
		}
	}
}

// of returns the spans of a trace by name.
func (c *collector) of(trace string) map[string]spanRecord {
	c.mu.Lock()
	defer c.mu.Unlock()
	named := map[string]spanRecord{}
	for _, s := range c.spans {
		if s.trace == trace {
			named[s.name] = s
		}
	}
	return named
}

// startSessions runs an outbound app that answers and hangs up, and returns where it
// listens; handled gets the UUIDs of its calls.
func startSessions(ctx context.Context, handled chan<- string, ended chan<- error) (addr string) {
	started := make(chan string, 1)
	onStart := genesis.OnStart(func(s genesis.Started) { started <- s.Outbound.String() })
	sessions := outbound.HandlerFunc(func(ctx context.Context, s *outbound.Session) error {
		if err := s.Answer(ctx); err != nil {
			return err
		}
		handled <- s.UUID()
		return s.Hangup(ctx, call.NormalClearing)
	})
	go func() {
		ended <- genesis.RunContext(ctx, sessions, silent(), onStart, genesis.Listen("127.0.0.1:0"), genesis.NoObservability())
	}()
	return <-started
}

// startEvents runs a consumer app and returns when it is connected; hungUp gets the
// UUIDs of channels that are hung up.
func startEvents(ctx context.Context, addr string, hungUp chan<- string, ended chan<- error) {
	up := make(chan struct{}, 1)
	app := consumer.New()
	app.OnUp(func(context.Context, esl.Up) { up <- struct{}{} })
	app.HandleFunc("CHANNEL_HANGUP_COMPLETE", func(_ context.Context, ev *esl.Event) error {
		hungUp <- ev.UUID()
		return nil
	})
	go func() {
		ended <- genesis.RunContext(ctx, app, silent(), genesis.FreeSWITCH(addr, "ClueCon"), genesis.NoObservability())
	}()
	<-up
}

func silent() genesis.Option { return genesis.Logger(slog.New(slog.DiscardHandler)) }

// TestOneTraceForACall lets one call pass through an outbound server and a consumer,
// two apps that know nothing of each other, and finds both in its trace.
func TestOneTraceForACall(t *testing.T) {
	traces := new(collector)
	srv := httptest.NewServer(traces)
	defer srv.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", srv.URL)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	handled, hungUp, ended := make(chan string, 1), make(chan string, 8), make(chan error, 2)
	fs := esltest.NewUnstartedServer(esltest.Config{Heartbeat: beats, Pace: 20, Extensions: []esltest.Extension{
		{Match: "^5000$", Actions: []esltest.Action{{App: "socket", Data: startSessions(ctx, handled, ended) + " async full"}}},
	}})
	if err := fs.Start(); err != nil {
		t.Fatal(err)
	}
	defer fs.Close()
	startEvents(ctx, fs.Addr(), hungUp, ended)
	conn, err := esl.Dial(ctx, fs.Addr(), esl.DialConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.BgAPI(ctx, "originate loopback/5000/default &park()"); err != nil {
		t.Logf("originate: %v", err) // the call may be over before its answer is told
	}
	uuid := <-handled
	for seen := ""; seen != uuid; {
		select {
		case seen = <-hungUp:
		case <-ctx.Done():
			t.Fatal("no CHANNEL_HANGUP_COMPLETE")
		}
	}
	_ = conn.Close()
	cancel()
	for range 2 { // flushes the spans
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	spans := traces.of(observability.TraceOfCall(uuid).String())
	for _, name := range []string{"outbound_handle_connection", "channel.answer", "channel.hangup", "send_command", "process_event"} {
		if _, ok := spans[name]; !ok {
			t.Errorf("no %s in the trace of the call: %v", name, spans)
		}
	}
	if answer, session := spans["channel.answer"], spans["outbound_handle_connection"]; answer.parent != session.id {
		t.Errorf("channel.answer %+v does not hang below the session %+v", answer, session)
	}
}
