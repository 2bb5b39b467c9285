package observability_test

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	collogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	colmetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	coltraces "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/internal/testbed"
	"github.com/genesis-esl/genesis/observability"
)

// receiver is an OpenTelemetry collector, as far as it goes: it takes OTLP over
// HTTP and over gRPC and writes down what it got.
type receiver struct {
	coltraces.UnimplementedTraceServiceServer
	mu      sync.Mutex
	spans   []span
	metrics []string
	logs    []string

	resources []map[string]string
}

type span struct {
	name, trace, id, parent, service string
	attrs                            map[string]string
	failed                           bool
}

func attributes(list []*common.KeyValue) map[string]string {
	m := map[string]string{}
	for _, kv := range list {
		m[kv.Key] = strings.TrimSpace(fmt.Sprint(kv.Value.GetStringValue()))
		if kv.Value.GetIntValue() != 0 {
			m[kv.Key] = fmt.Sprint(kv.Value.GetIntValue())
		}
	}
	return m
}

func (r *receiver) Export(_ context.Context, req *coltraces.ExportTraceServiceRequest) (*coltraces.ExportTraceServiceResponse, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, res := range req.ResourceSpans {
		r.resources = append(r.resources, attributes(res.Resource.Attributes))
		for _, sc := range res.ScopeSpans {
			for _, s := range sc.Spans {
				r.spans = append(r.spans, span{
					name: s.Name, trace: fmt.Sprintf("%x", s.TraceId), id: fmt.Sprintf("%x", s.SpanId),
					parent: fmt.Sprintf("%x", s.ParentSpanId), attrs: attributes(s.Attributes),
					service: attributes(res.Resource.Attributes)["service.name"], failed: s.GetStatus().GetCode() == 2,
				})
			}
		}
	}
	return &coltraces.ExportTraceServiceResponse{}, nil
}

func (r *receiver) exportMetrics(req *colmetrics.ExportMetricsServiceRequest) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, res := range req.ResourceMetrics {
		r.resources = append(r.resources, attributes(res.Resource.Attributes))
		for _, sc := range res.ScopeMetrics {
			for _, m := range sc.Metrics {
				r.metrics = append(r.metrics, m.Name)
			}
		}
	}
}

func (r *receiver) exportLogs(req *collogs.ExportLogsServiceRequest) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, res := range req.ResourceLogs {
		r.resources = append(r.resources, attributes(res.Resource.Attributes))
		for _, sc := range res.ScopeLogs {
			for _, l := range sc.LogRecords {
				r.logs = append(r.logs, fmt.Sprintf("%s %s %v trace=%x", l.SeverityText, l.Body.GetStringValue(), l.Attributes, l.TraceId))
			}
		}
	}
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	var body io.Reader = req.Body
	if req.Header.Get("Content-Encoding") == "gzip" {
		body, _ = gzip.NewReader(body)
	}
	data, err := io.ReadAll(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	switch req.URL.Path {
	case "/v1/traces":
		m := new(coltraces.ExportTraceServiceRequest)
		err = proto.Unmarshal(data, m)
		_, _ = r.Export(req.Context(), m)
	case "/v1/metrics":
		m := new(colmetrics.ExportMetricsServiceRequest)
		err = proto.Unmarshal(data, m)
		r.exportMetrics(m)
	case "/v1/logs":
		m := new(collogs.ExportLogsServiceRequest)
		err = proto.Unmarshal(data, m)
		r.exportLogs(m)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
}

// receive starts a receiver and points the environment at it.
func receive(t *testing.T) *receiver {
	t.Helper()
	r := new(receiver)
	srv := httptest.NewServer(r)
	t.Cleanup(srv.Close)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", srv.URL)
	t.Setenv("OTEL_SERVICE_NAME", "switchboard")
	return r
}

// finish flushes what obs holds.
func finish(t *testing.T, obs *observability.Observability) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := obs.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
}

func (r *receiver) find(t *testing.T, name string) span {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(r.spans, func(s span) bool { return s.name == name })
	if i < 0 {
		t.Fatalf("no span %s in %+v", name, r.spans)
	}
	return r.spans[i]
}

const call = "f6c0cf4c-2b8a-4d6e-9d3a-1d7f0a2b3c4d"

func TestOTLP(t *testing.T) {
	r := receive(t)
	logs := new(testbed.Log)
	obs, err := observability.New(observability.Config{
		Mode:   observability.Consumer,
		Logger: slog.New(observability.NewLogHandler(logs, observability.LogConfig{JSON: true})),
	})
	if err != nil {
		t.Fatal(err)
	}
	hooks := obs.Hooks()
	ctx := hooks.ConnectStart(t.Context(), esl.ConnInfo{Type: "inbound", Role: "events", Remote: "198.51.100.7:8021"})
	hooks.ConnectEnd(ctx, esl.ConnInfo{Type: "inbound", Role: "events", Remote: "198.51.100.7:8021"}, nil)
	ev := event(t, "CHANNEL_ANSWER", "Unique-ID", "another-leg", "Channel-Call-UUID", call, "variable_pin", "1234")
	ctx = obs.HandlerStart(t.Context(), ev)
	obs.Logger().InfoContext(ctx, "answered", "password", "hunter2")
	cmdCtx := hooks.CommandStart(ctx, esl.CommandInfo{Name: "api"})
	hooks.CommandEnd(cmdCtx, esl.CommandInfo{Name: "api"}, nil, &esl.ReplyError{Command: "api", Text: "no"})
	obs.HandlerEnd(ctx, "CHANNEL_ANSWER", time.Millisecond, "", nil)
	finish(t, obs)

	trace := observability.TraceOfCall(strings.ToUpper(call)).String()
	process, command := r.find(t, "process_event"), r.find(t, "send_command")
	if process.trace != trace || command.trace != trace || command.parent != process.id {
		t.Errorf("the command's span does not hang below the event's in the call's trace %s: %+v, %+v", trace, process, command)
	}
	if process.attrs["event.name"] != "CHANNEL_ANSWER" || process.attrs["event.uuid"] != "another-leg" || process.service != "switchboard" {
		t.Errorf("process_event: %+v", process)
	}
	if len(process.attrs) != 2 {
		t.Errorf("process_event has more than name and uuid by default: %v", process.attrs)
	}
	if command.attrs["command.name"] != "api" || command.attrs["command.reply"] != "-ERR" || !command.failed {
		t.Errorf("send_command: %+v", command)
	}
	connect := r.find(t, "inbound_connect")
	if connect.attrs["net.peer.name"] != "198.51.100.7" || connect.attrs["net.peer.port"] != "8021" || connect.failed {
		t.Errorf("inbound_connect: %+v", connect)
	}
	for _, name := range []string{"genesis.commands.sent", "genesis.connection.up", "genesis.handler.duration"} {
		if !slices.Contains(r.metrics, name) {
			t.Errorf("no %s in %v", name, r.metrics)
		}
	}
	all := strings.Join(r.logs, "\n")
	if !strings.Contains(all, "answered") || !strings.Contains(all, "trace="+trace) || strings.Contains(all, "hunter2") {
		t.Errorf("exported logs: %s", all)
	}
	if line := logs.String(); !strings.Contains(line, `"trace_id":"`+trace+`"`) || strings.Contains(line, "hunter2") {
		t.Errorf("log line: %s", line)
	}
}

func TestOTLPOverGRPC(t *testing.T) {
	r := new(receiver)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := grpc.NewServer()
	coltraces.RegisterTraceServiceServer(srv, r)
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(l) }()
	defer func() { srv.Stop(); <-ended }()
	t.Setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://"+l.Addr().String())
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
	obs, err := observability.New(observability.Config{Mode: observability.Outbound})
	if err != nil {
		t.Fatal(err)
	}
	channel := event(t, "CHANNEL_DATA", "Unique-ID", call)
	err = obs.Session(t.Context(), channel, "192.0.2.1:40000", func(ctx context.Context) error {
		_, child := obs.TracerProvider().Tracer("app").Start(ctx, "channel.answer")
		child.End()
		return io.ErrUnexpectedEOF
	})
	if err != io.ErrUnexpectedEOF {
		t.Errorf("Session returned %v", err)
	}
	finish(t, obs)
	session, answer := r.find(t, "outbound_handle_connection"), r.find(t, "channel.answer")
	trace := observability.TraceOfCall(call).String()
	if session.trace != trace || answer.trace != trace || answer.parent != session.id || !session.failed {
		t.Errorf("session %+v, answer %+v, want both in trace %s", session, answer, trace)
	}
}

func TestSamplingDecidesCallsAsAWhole(t *testing.T) {
	r := receive(t)
	t.Setenv("OTEL_TRACES_SAMPLER", "traceidratio")
	t.Setenv("OTEL_TRACES_SAMPLER_ARG", "0.5")
	obs, err := observability.New(observability.Config{Mode: observability.Consumer, TraceEventHeaders: true})
	if err != nil {
		t.Fatal(err)
	}
	const calls, each = 200, 3
	for i := range calls {
		uuid := fmt.Sprintf("00000000-0000-4000-8000-%012d", i)
		for range each {
			ctx := obs.HandlerStart(t.Context(), event(t, "DTMF", "Unique-ID", uuid, "api_key", "hunter2"))
			obs.HandlerEnd(ctx, "DTMF", 0, "", nil)
		}
	}
	finish(t, obs)
	traces := map[string]int{}
	for _, s := range r.spans {
		traces[s.trace]++
		if got := s.attrs["event.header.api_key"]; got != "[hidden]" {
			t.Fatalf("event.header.api_key is %q", got)
		}
	}
	if n := len(traces); n < calls/4 || n > calls*3/4 {
		t.Errorf("%d of %d calls sampled, want about half", n, calls)
	}
	for id, n := range traces {
		if n != each {
			t.Errorf("trace %s has %d spans of %d", id, n, each)
		}
	}
}

func TestNoExporterIsFree(t *testing.T) {
	obs, err := observability.New(observability.Config{Mode: observability.Consumer})
	if err != nil {
		t.Fatal(err)
	}
	hooks, ev, ctx := obs.Hooks(), event(t, "DTMF", "Unique-ID", call), t.Context()
	n := testing.AllocsPerRun(100, func() {
		if obs.HandlerStart(ctx, ev) != ctx || hooks.CommandStart(ctx, esl.CommandInfo{}) != ctx {
			t.Error("the context was changed")
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// A receiver that takes connections and never answers holds nothing up: not the
// app, and its end no longer than it is given.
func TestReceiverThatHangs(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"+l.Addr().String())
	logs := new(testbed.Log)
	obs, err := observability.New(observability.Config{
		Mode: observability.Consumer, Logger: slog.New(slog.NewTextHandler(logs, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		ctx := obs.HandlerStart(t.Context(), event(t, "DTMF", "Unique-ID", call))
		obs.HandlerEnd(ctx, "DTMF", 0, "", nil)
		obs.Logger().InfoContext(ctx, "one line")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	start := time.Now()
	if err := obs.Shutdown(ctx); err == nil {
		t.Error("nothing was said of what could not be sent")
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("Shutdown took %v, given one second", took)
	}
}

func TestExemplars(t *testing.T) {
	receive(t)
	s := serve(t, observability.Config{Mode: observability.Consumer})
	hooks := s.obs.Hooks()
	ctx := hooks.CommandStart(s.obs.CallContext(t.Context(), call), esl.CommandInfo{Name: "api"})
	hooks.CommandEnd(ctx, esl.CommandInfo{Name: "api", Duration: time.Millisecond}, nil, nil)
	s.obs.HandlerEnd(s.obs.HandlerStart(t.Context(), event(t, "DTMF", "Unique-ID", call)), "DTMF", time.Millisecond, "", nil)
	res, body := s.do(t, "GET", "/metrics", http.Header{"Accept": {"application/openmetrics-text; version=1.0.0"}})
	if got := res.Header.Get("Content-Type"); !strings.HasPrefix(got, "application/openmetrics-text") {
		t.Fatalf("Content-Type %q", got)
	}
	for _, name := range []string{"genesis_commands_duration_seconds", "genesis_handler_duration_seconds"} {
		_, line, _ := strings.Cut(body, name+"_bucket")
		line, _, _ = strings.Cut(line, "# TYPE")
		if !strings.Contains(line, " # {") || !strings.Contains(line, observability.TraceOfCall(call).String()) {
			t.Errorf("no exemplar of %s in\n%s", name, line)
		}
	}
}

func TestNativeHistograms(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", "base2_exponential_bucket_histogram")
	s := serve(t, observability.Config{Mode: observability.Consumer})
	s.obs.Hooks().CommandEnd(t.Context(), esl.CommandInfo{Name: "api", Duration: time.Millisecond}, nil, nil)
	s.obs.HandlerEnd(t.Context(), "DTMF", time.Millisecond, "", nil)
	const accept = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text"
	_, body := s.do(t, "GET", "/metrics", http.Header{"Accept": {accept}})
	for _, name := range []string{"genesis_commands_duration_seconds", "genesis_handler_duration_seconds"} {
		_, family, _ := strings.Cut(body, `"`+name+`"`)
		family, _, _ = strings.Cut(family, "_total\"") // the next family is a counter
		if !strings.Contains(family, "positive_span") {
			t.Errorf("no native histogram %s in %s", name, family)
		}
	}
}
