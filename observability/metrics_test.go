package observability_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/observability"
)

// scrape reads /metrics as Prometheus does, apart from go_ and process_.
func (s *server) scrape(t *testing.T) map[string]*dto.MetricFamily {
	t.Helper()
	_, body := s.do(t, "GET", "/metrics", nil)
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(body))
	if err != nil {
		t.Fatalf("the scrape does not parse: %v\n%s", err, body)
	}
	for name := range families {
		if strings.HasPrefix(name, "go_") || strings.HasPrefix(name, "process_") {
			delete(families, name)
		}
	}
	return families
}

// series writes a scrape's values as name{label="value"} value, one a line.
func series(families map[string]*dto.MetricFamily) []string {
	var lines []string
	for name, family := range families {
		for _, m := range family.Metric {
			var labels []string
			for _, l := range m.Label {
				if l.GetValue() != "" {
					labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
				}
			}
			value := m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			lines = append(lines, fmt.Sprintf("%s{%s} %v", name, strings.Join(labels, ","), value))
		}
	}
	slices.Sort(lines)
	return lines
}

// wantSeries checks that every line is among the scrape's.
func (s *server) wantSeries(t *testing.T, want ...string) {
	t.Helper()
	got := series(s.scrape(t))
	for _, line := range want {
		if !slices.Contains(got, line) {
			t.Errorf("no %s in\n%s", line, strings.Join(got, "\n"))
			return
		}
	}
}

// exercise makes every metric of this package appear.
func exercise(t *testing.T, s *server) {
	t.Helper()
	ctx := t.Context()
	hooks := s.obs.Hooks()
	events := esl.ConnInfo{Type: "inbound", Role: "events", Remote: "127.0.0.1:8021"}
	hooks.ConnectEnd(ctx, events, esl.ErrAuthentication)
	hooks.ConnectEnd(ctx, events, nil)
	hooks.Up(esl.Up{First: true})
	hooks.Heartbeat(heartbeat(t))
	hooks.CommandEnd(ctx, esl.CommandInfo{Name: "api", Duration: time.Millisecond}, nil, nil)
	hooks.CommandEnd(ctx, esl.CommandInfo{Name: "api"}, nil, context.DeadlineExceeded)
	hooks.Events([]*esl.Event{event(t, "CHANNEL_ANSWER")})
	s.obs.HandlerEnd(ctx, "CHANNEL_ANSWER", time.Millisecond, "panic", io.EOF)
	s.obs.EventsRouted("CHANNEL_ANSWER", true, 1)
	s.obs.EventsRouted("CHANNEL_PARK", false, 1)
	s.obs.ObserveBacklog(func() (int, int64) { return 3, 1000 })
	s.do(t, "GET", "/health", nil)
}

// exposed is what /metrics shows, by name: the type, and the labels.
var exposed = map[string]string{
	"genesis_commands_sent_total":            "COUNTER command",
	"genesis_commands_duration_seconds":      "HISTOGRAM command",
	"genesis_commands_errors_total":          "COUNTER command error",
	"genesis_events_received_total":          "COUNTER answer_state channel_state direction event_name event_subclass hangup_cause",
	"genesis_connections_active":             "GAUGE type",
	"genesis_connections_errors_total":       "COUNTER error type",
	"genesis_timeouts_total":                 "COUNTER timeout_operation timeout_type",
	"genesis_reconnects_total":               "COUNTER",
	"genesis_connection_up":                  "GAUGE",
	"genesis_events_missed_estimate_total":   "COUNTER",
	"genesis_events_dropped_total":           "COUNTER reason",
	"genesis_dispatch_queue_depth":           "GAUGE",
	"genesis_handler_duration_seconds":       "HISTOGRAM event_name",
	"genesis_handler_errors_total":           "COUNTER error event_name",
	"genesis_heartbeat_age_seconds":          "GAUGE",
	"genesis_channel_routing_hits_total":     "COUNTER event_name",
	"genesis_channel_routing_fallback_total": "COUNTER event_name",
	"freeswitch_up":                          "GAUGE",
	"freeswitch_info":                        "GAUGE core_uuid hostname version",
	"freeswitch_uptime_seconds":              "GAUGE",
	"freeswitch_sessions":                    "GAUGE",
	"freeswitch_sessions_max":                "GAUGE",
	"freeswitch_sessions_peak":               "GAUGE",
	"freeswitch_sessions_total":              "COUNTER",
	"freeswitch_sessions_per_second":         "GAUGE",
	"freeswitch_idle_cpu_ratio":              "GAUGE",
	"dependency_up":                          "GAUGE name",
	"http_requests_total":                    "COUNTER method path status",
	"http_request_duration_seconds":          "HISTOGRAM method path status",
}

func TestExposedNames(t *testing.T) {
	s := serve(t, observability.Config{Mode: observability.Consumer})
	exercise(t, s)
	err := s.obs.AddCheck(observability.Check{Name: "database", Run: func(context.Context) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	families := s.scrape(t)
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for i := 0; families["dependency_up"] == nil && i < 500; i++ { // the check runs in the background
		<-ticker.C
		families = s.scrape(t)
	}
	for name, want := range exposed {
		family, ok := families[name]
		if !ok {
			t.Errorf("%s is missing", name)
			continue
		}
		var labels []string
		for _, l := range family.Metric[0].Label {
			labels = append(labels, l.GetName())
		}
		slices.Sort(labels)
		got := strings.Join(append([]string{family.GetType().String()}, labels...), " ")
		if got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
		if family.GetHelp() == "" {
			t.Errorf("%s has no help", name)
		}
	}
	for name := range maps.Keys(families) {
		if _, ok := exposed[name]; !ok && name != "target_info" {
			t.Errorf("%s is exposed and not in the list", name)
		}
	}
	_, body := s.do(t, "GET", "/metrics", nil)
	for _, name := range []string{"go_goroutines ", "process_start_time_seconds "} {
		if !strings.Contains(body, "\n"+name) {
			t.Errorf("no %s", name)
		}
	}
}
