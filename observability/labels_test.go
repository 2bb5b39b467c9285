package observability_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/observability"
)

func TestEventLabels(t *testing.T) {
	s := serve(t, observability.Config{Mode: observability.Consumer})
	s.obs.Hooks().Events([]*esl.Event{
		event(t, "CHANNEL_HANGUP", "Unique-ID", "u", "Call-Direction", "inbound", "Channel-State", "CS_EXECUTE",
			"Answer-State", "hangup", "Hangup-Cause", "NORMAL_CLEARING"),
		event(t, "CHANNEL_HANGUP", "Unique-ID", "u", "Call-Direction", "inbound", "Channel-State", "CS_EXECUTE",
			"Answer-State", "hangup", "Hangup-Cause", "NORMAL_CLEARING"),
		event(t, "CHANNEL_HANGUP", "Unique-ID", "u", "Call-Direction", "sideways", "Channel-State", "CS_FLYING",
			"Answer-State", "maybe"),
		event(t, "CHANNEL_HANGUP", "Unique-ID", "u", "Channel-State", "CS_HANGUP", "Answer-State", "hangup", "Hangup-Cause", "BORED"),
		event(t, "CHANNEL_HANGUP", "Unique-ID", "u", "Answer-State", "answered", "Hangup-Cause", "says nothing of a channel"),
		event(t, "CUSTOM", "Event-Subclass", "sofia::register"),
		event(t, "CHANNEL_PARK", "Event-Subclass", "only CUSTOM has one"),
		event(t, "MADE_UP"),
	})
	s.wantSeries(t,
		`genesis_events_received_total{answer_state="hangup",channel_state="CS_EXECUTE",direction="inbound",event_name="CHANNEL_HANGUP",hangup_cause="NORMAL_CLEARING"} 2`,
		`genesis_events_received_total{answer_state="other",channel_state="other",direction="other",event_name="CHANNEL_HANGUP"} 1`,
		`genesis_events_received_total{answer_state="hangup",channel_state="CS_HANGUP",event_name="CHANNEL_HANGUP",hangup_cause="other"} 1`,
		`genesis_events_received_total{event_name="CHANNEL_HANGUP"} 1`,
		`genesis_events_received_total{event_name="CUSTOM",event_subclass="sofia::register"} 1`,
		`genesis_events_received_total{event_name="CHANNEL_PARK"} 1`,
		`genesis_events_received_total{event_name="other"} 1`,
	)
}

// A peer that invents names makes the number of series grow to a bound, loses no
// event from the counts, and cannot break the scrape.
func TestSeriesAreBounded(t *testing.T) {
	s := serve(t, observability.Config{Mode: observability.Consumer})
	hooks := s.obs.Hooks()
	const n = 5000
	for i := range n {
		name := fmt.Sprintf("evil\xff\"\n::%d", i)
		hooks.Events([]*esl.Event{event(t, "CUSTOM", "Event-Subclass", name)})
		hooks.Dropped(name, 1)
		hooks.CommandEnd(t.Context(), esl.CommandInfo{Name: name}, nil, nil)
		s.obs.HandlerEnd(t.Context(), name, 0, name, io.EOF)
		s.obs.EventsRouted(name, true, 1)
	}
	families := s.scrape(t)
	for name, most := range map[string]int{
		"genesis_events_received_total":      200,
		"genesis_events_dropped_total":       40,
		"genesis_commands_sent_total":        1,
		"genesis_handler_duration_seconds":   300,
		"genesis_handler_errors_total":       800,
		"genesis_channel_routing_hits_total": 300,
	} {
		family := families[name]
		var sum float64
		for _, m := range family.GetMetric() {
			sum += m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
		if got := len(family.GetMetric()); got == 0 || got > most || sum != n {
			t.Errorf("%s: %d series with a sum of %v, want at most %d with %d", name, got, sum, most, n)
		}
	}
}

// Errors of a handler are shown at zero from the event's arrival on, so that the first
// one is an increase even if the handler is long about it.
// However often a name comes written with escapes, it is the name, and leaves room for the others.
func TestEscapedEventNames(t *testing.T) {
	s := serve(t, observability.Config{Mode: observability.Consumer})
	const n = 1500
	for range n {
		ev, err := esl.ParseEvent(esl.JSON, []byte(`{"Event-Name":"CHANNEL\u005fCREATE"}`))
		if err != nil {
			t.Fatal(err)
		}
		s.obs.Hooks().Events([]*esl.Event{ev})
	}
	s.obs.Hooks().Events([]*esl.Event{event(t, "CHANNEL_ANSWER")})
	s.wantSeries(t,
		`genesis_events_received_total{event_name="CHANNEL_CREATE"} 1500`,
		`genesis_events_received_total{event_name="CHANNEL_ANSWER"} 1`,
	)
}

func TestErrorsBeginAtZero(t *testing.T) {
	s := serve(t, observability.Config{Mode: observability.Consumer})
	s.obs.EventsRouted("CHANNEL_ANSWER", true, 1)
	shown := s.scrape(t)["genesis_handler_errors_total"].GetMetric()
	for _, m := range shown {
		if m.GetCounter().GetValue() != 0 {
			t.Errorf("not at zero: %v", m)
		}
	}
	if len(shown) != 2 {
		t.Errorf("shown are %v, want error and panic", shown)
	}
}

func TestCommandLabels(t *testing.T) {
	s := serve(t, observability.Config{Mode: observability.Consumer})
	hooks := s.obs.Hooks()
	for _, c := range []struct {
		name string
		err  error
	}{
		{"api", nil},
		{"bgapi", &esl.ReplyError{Command: "bgapi originate", Text: "USER_BUSY"}},
		{"sendmsg", fmt.Errorf("wrapped: %w", context.DeadlineExceeded)},
		{"filter", &esl.DisconnectedError{Sent: true, Cause: io.EOF}},
		{"exit", esl.ErrClosed},
		{"log", context.Canceled},
		{"api", esl.ErrInjection},
		{"secret-word", nil},
	} {
		info := esl.CommandInfo{Name: c.name, Duration: 3 * time.Millisecond}
		hooks.CommandEnd(t.Context(), info, nil, c.err)
	}
	s.wantSeries(t,
		`genesis_commands_sent_total{command="api"} 1`, // what holds a line break was not sent
		`genesis_commands_sent_total{command="other"} 1`,
		`genesis_commands_duration_seconds{command="bgapi"} 1`,
		`genesis_commands_errors_total{command="bgapi",error="protocol_error"} 1`,
		`genesis_commands_errors_total{command="sendmsg",error="timeout"} 1`,
		`genesis_commands_errors_total{command="filter",error="disconnected"} 1`,
		`genesis_commands_errors_total{command="exit",error="closed"} 1`,
		`genesis_commands_errors_total{command="log",error="canceled"} 1`,
		`genesis_commands_errors_total{command="api",error="injection"} 1`,
		`genesis_timeouts_total{timeout_operation="sendmsg",timeout_type="command"} 1`,
	)
}

func TestConnectionLabels(t *testing.T) {
	s := serve(t, observability.Config{Mode: observability.Consumer})
	hooks := s.obs.Hooks()
	in := esl.ConnInfo{Type: "inbound", Role: "events"}
	out := esl.ConnInfo{Type: "outbound", Role: "session"}
	refused := &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	for _, err := range []error{
		refused, esl.ErrAuthentication, esl.ErrAccessDenied, context.DeadlineExceeded,
		&net.DNSError{IsNotFound: true}, esl.ErrProtocol, io.EOF, errors.New("odd"),
	} {
		hooks.ConnectEnd(t.Context(), in, fmt.Errorf("dial: %w", err))
	}
	for range 4 {
		hooks.ConnectEnd(t.Context(), out, nil)
	}
	hooks.Disconnected(out, fmt.Errorf("over: %w", io.EOF)) // with a notice
	hooks.Disconnected(out, io.EOF)
	hooks.ConnectEnd(t.Context(), in, nil)
	hooks.Up(esl.Up{First: true})
	hooks.Disconnected(in, io.EOF)
	hooks.ConnectEnd(t.Context(), in, nil)
	hooks.Up(esl.Up{Down: time.Second, MissedAtMost: 42})
	s.wantSeries(t,
		`genesis_connections_errors_total{error="refused",type="inbound"} 1`,
		`genesis_connections_errors_total{error="authentication_failed",type="inbound"} 1`,
		`genesis_connections_errors_total{error="access_denied",type="inbound"} 1`,
		`genesis_connections_errors_total{error="timeout",type="inbound"} 1`,
		`genesis_connections_errors_total{error="name_resolution",type="inbound"} 1`,
		`genesis_connections_errors_total{error="protocol_error",type="inbound"} 1`,
		`genesis_connections_errors_total{error="lost",type="inbound"} 2`,
		`genesis_connections_errors_total{error="lost",type="outbound"} 1`,
		`genesis_connections_errors_total{error="other",type="inbound"} 1`,
		`genesis_timeouts_total{timeout_operation="connect",timeout_type="connection"} 1`,
		`genesis_connections_active{type="inbound"} 1`,
		`genesis_connections_active{type="outbound"} 2`,
		`genesis_reconnects_total{} 1`,
		`genesis_events_missed_estimate_total{} 42`,
		`genesis_connection_up{} 1`,
	)
}

func TestFreeSWITCHGauges(t *testing.T) {
	clock := newClock()
	s := serve(t, observability.Config{Mode: observability.Consumer, Now: clock.Now})
	hooks := s.obs.Hooks()
	hooks.ConnectEnd(t.Context(), esl.ConnInfo{Type: "inbound", Role: "events"}, nil)
	s.wantSeries(t, `freeswitch_up{} 0`)
	hooks.Heartbeat(heartbeat(t))
	clock.Advance(7 * time.Second)
	s.wantSeries(t,
		`freeswitch_up{} 1`,
		`freeswitch_info{core_uuid="8ccf1759-e740-4518-9c02-f45e57183b57",hostname="vm",version="1.11.3-dev~64bit"} 1`,
		`freeswitch_uptime_seconds{} 599.389`,
		`freeswitch_sessions{} 2`,
		`freeswitch_sessions_max{} 5000`,
		`freeswitch_sessions_peak{} 4`,
		`freeswitch_sessions_total{} 144`,
		`freeswitch_sessions_per_second{} 1`,
		`freeswitch_idle_cpu_ratio{} 0.98`,
		`genesis_heartbeat_age_seconds{} 7`,
	)
	clock.Advance(time.Minute)
	s.wantSeries(t, `freeswitch_up{} 0`, `genesis_heartbeat_age_seconds{} 67`)
	if _, ok := s.scrape(t)["freeswitch_sessions"]; ok {
		t.Error("freeswitch_sessions is still shown a minute after the last HEARTBEAT")
	}
	hooks.Heartbeat(event(t, "HEARTBEAT", "Session-Count", "x", "Idle-CPU", "1e99", "Uptime-msec", "-1"))
	s.wantSeries(t, `freeswitch_up{} 1`, `freeswitch_sessions{} 0`)
}

// What a FreeSWITCH said of itself is not told of the one that has taken its place.
func TestGaugesOfAnotherFreeSWITCH(t *testing.T) {
	const same, different = "8ccf1759-e740-4518-9c02-f45e57183b57", "00000000-0000-4000-8000-000000000000"
	for name, tt := range map[string]struct {
		up    esl.Up
		beats bool // a HEARTBEAT comes before Up
		shown bool
	}{
		"the same":              {esl.Up{CoreUUID: same}, false, true},
		"restarted":             {esl.Up{CoreUUID: different, Restarted: true}, false, false},
		"another":               {esl.Up{CoreUUID: different}, false, false},
		"does not tell":         {esl.Up{MissedUnknown: true}, false, false},
		"does not tell, beats":  {esl.Up{MissedUnknown: true}, true, true},
		"the same, beats early": {esl.Up{CoreUUID: same, Restarted: true}, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			clock := newClock()
			s := serve(t, observability.Config{Mode: observability.Consumer, Now: clock.Now})
			hooks, info := s.obs.Hooks(), esl.ConnInfo{Type: "inbound", Role: "events"}
			hooks.ConnectEnd(t.Context(), info, nil)
			hooks.Up(esl.Up{First: true, CoreUUID: same})
			hooks.Heartbeat(heartbeat(t))
			clock.Advance(time.Second)
			hooks.Disconnected(info, io.EOF)
			hooks.ConnectEnd(t.Context(), info, nil)
			if tt.beats {
				hooks.Heartbeat(heartbeat(t))
			}
			hooks.Up(tt.up)
			_, gauge := s.scrape(t)["freeswitch_sessions"]
			_, told := s.do(t, "GET", "/info", nil)
			if info := strings.Contains(told, same); gauge != tt.shown || info != tt.shown {
				t.Errorf("shown at /metrics: %v, at /info: %v; want %v", gauge, info, tt.shown)
			}
			s.wantSeries(t, `freeswitch_up{} 1`)
		})
	}
}

func TestSDKDisabled(t *testing.T) {
	t.Setenv("OTEL_SDK_DISABLED", "TRUE")
	s := serve(t, observability.Config{Mode: observability.Consumer})
	exercise(t, s)
	if families := s.scrape(t); len(families) != 0 {
		t.Errorf("%d families with the SDK disabled", len(families))
	}
	s.wantProbe(t, "/health", true, `{"status": "ok"}`, "")
}

func TestResource(t *testing.T) {
	t.Setenv("OTEL_SERVICE_NAME", "switchboard")
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=lab,service.name=ignored")
	s := serve(t, observability.Config{Mode: observability.Consumer, ServiceName: "code", Version: "1.2.3"})
	info := map[string]string{}
	for _, l := range s.scrape(t)["target_info"].GetMetric()[0].Label {
		info[l.GetName()] = l.GetValue()
	}
	for name, want := range map[string]string{
		"service_name": "switchboard", "service_version": "1.2.3", "deployment_environment": "lab",
	} {
		if info[name] != want {
			t.Errorf("%s is %q, want %q", name, info[name], want)
		}
	}
}

func TestRequestLabels(t *testing.T) {
	s := serve(t, observability.Config{Mode: observability.Outbound})
	for _, path := range []string{"/health", "/ready", "/.env", "/health/../x"} {
		s.do(t, "GET", path, nil)
	}
	s.do(t, "POST", "/health", nil)
	s.do(t, "BREW", "/tea", nil)
	s.wantSeries(t,
		`http_requests_total{method="GET",path="/health",status="200"} 1`,
		`http_requests_total{method="GET",path="/ready",status="503"} 1`,
		`http_requests_total{method="POST",path="/health",status="405"} 1`,
		`http_requests_total{method="GET",path="other",status="404"} 2`,
		`http_requests_total{method="other",path="other",status="404"} 1`,
	)
}

func BenchmarkEvents(b *testing.B) {
	obs, err := observability.New(observability.Config{Mode: observability.Consumer})
	if err != nil {
		b.Fatal(err)
	}
	count := obs.Hooks().Events
	batch := []*esl.Event{esl.NewEvent([]esl.Header{
		{Name: "Event-Name", Value: "CHANNEL_ANSWER"}, {Name: "Call-Direction", Value: "inbound"},
		{Name: "Channel-State", Value: "CS_EXECUTE"}, {Name: "Answer-State", Value: "answered"},
	}, "")}
	count(batch)
	b.ReportAllocs()
	for b.Loop() {
		count(batch)
	}
}

func BenchmarkHandlerEnd(b *testing.B) {
	obs, err := observability.New(observability.Config{Mode: observability.Consumer})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		obs.HandlerEnd(b.Context(), "CHANNEL_ANSWER", 3*time.Microsecond, "", nil)
	}
}

func TestCountingEventsDoesNotAllocate(t *testing.T) {
	obs, err := observability.New(observability.Config{Mode: observability.Consumer})
	if err != nil {
		t.Fatal(err)
	}
	count := obs.Hooks().Events
	batch := []*esl.Event{event(t, "CHANNEL_ANSWER", "Call-Direction", "inbound", "Channel-State", "CS_EXECUTE", "Answer-State", "answered")}
	count(batch)
	if n := testing.AllocsPerRun(100, func() { count(batch) }); n != 0 {
		t.Errorf("%v allocations an event", n)
	}
}
