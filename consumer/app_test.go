package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/genesis-esl/genesis/consumer"
	"github.com/genesis-esl/genesis/esl"
)

// journal notes what handlers see.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) handler(prefix string) consumer.HandlerFunc {
	return func(_ context.Context, ev *esl.Event) error {
		j.mu.Lock()
		defer j.mu.Unlock()
		j.lines = append(j.lines, fmt.Sprintf("%s:%d", prefix, ev.Sequence()))
		return nil
	}
}

func (j *journal) want(t *testing.T, lines ...string) {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	if !reflect.DeepEqual(j.lines, lines) {
		t.Errorf("handled %q, want %q", j.lines, lines)
	}
}

func TestRouting(t *testing.T) {
	var j journal
	app := newApp()
	app.HandleFunc("CHANNEL_ANSWER", j.handler("answer"))
	app.HandleFunc("*", j.handler("all"))
	app.HandleFunc("sofia::register", j.handler("register"))
	app.HandleFunc("CUSTOM", j.handler("custom"))
	app.HandleFunc("CHANNEL_ANSWER", j.handler("again"))
	var mu sync.Mutex
	routed := map[string]int{}
	app.Hooks = &consumer.Hooks{Routed: func(name string, hit bool, n int) {
		mu.Lock()
		defer mu.Unlock()
		routed[fmt.Sprint(name, " ", hit)] += n
	}}
	run(t, app, event("CHANNEL_ANSWER", "a", 1), custom("sofia::register", "a", 2), custom("sofia::gone", "a", 3),
		event("DTMF", "a", 4), event("DTMF", "a", 5), event("ODD", "a", 6))
	j.want(t, "answer:1", "all:1", "again:1", "all:2", "register:2", "custom:2", "all:3", "custom:3", "all:4", "all:5", "all:6")
	want := map[string]int{"CHANNEL_ANSWER true": 1, "sofia::register true": 1, "CUSTOM true": 1, "DTMF false": 2, "ODD false": 1}
	if !reflect.DeepEqual(routed, want) {
		t.Errorf("routed %v, want %v", routed, want)
	}
}

func TestUnhandledEventsAreLeft(t *testing.T) {
	var j journal
	app := newApp()
	app.HandleFunc("CHANNEL_ANSWER", j.handler("answer"))
	run(t, app, event("HEARTBEAT", "", 1), event("CHANNEL_ANSWER", "a", 2), custom("x::y", "a", 3))
	j.want(t, "answer:2")
}

// TestNamesAsFreeSWITCHTakesThem: what can be subscribed to is handled.
func TestNamesAsFreeSWITCHTakesThem(t *testing.T) {
	var j journal
	app := newApp()
	app.HandleFunc("CUSTOM sofia::register", j.handler("register"))
	app.HandleFunc(" CHANNEL_ANSWER ", j.handler("answer"))
	if got, want := app.Events(), []string{"CHANNEL_ANSWER", "HEARTBEAT", "sofia::register"}; !slices.Equal(got, want) {
		t.Errorf("subscribes to %q, want %q", got, want)
	}
	run(t, app, custom("sofia::register", "a", 1), event("CHANNEL_ANSWER", "a", 2))
	j.want(t, "register:1", "answer:2")
}

func TestManyNamesAreBounded(t *testing.T) {
	app := newApp()
	app.HandleFunc("*", func(context.Context, *esl.Event) error { return nil })
	names := map[string]int{}
	app.Hooks = &consumer.Hooks{Routed: func(name string, _ bool, n int) { names[name] += n }}
	var all []*esl.Event
	for i := range 5000 {
		all = append(all, event(fmt.Sprint("NAME_", i), "a", i))
	}
	run(t, app, all...)
	if len(names) > 300 || names["other"] < 4000 {
		t.Errorf("%d names, %d events of others", len(names), names["other"])
	}
}

func TestFilters(t *testing.T) {
	in := esl.Header{Name: "Call-Direction", Value: "inbound"}
	to := func(number string) esl.Header { return esl.Header{Name: "Caller-Destination-Number", Value: number} }
	tests := []struct {
		name string
		opts []consumer.Option
		want []string
	}{
		{"none", nil, []string{"x:1", "x:2", "x:3", "x:4"}},
		{"where", []consumer.Option{consumer.Where("call-direction", "inbound")}, []string{"x:1", "x:2"}},
		{"where is exact", []consumer.Option{consumer.Where("Call-Direction", "in")}, nil},
		{"where absent is not empty", []consumer.Option{consumer.Where("Nothing", "")}, nil},
		{"one of", []consumer.Option{consumer.OneOf("Caller-Destination-Number", "1001", "2000")}, []string{"x:2", "x:3"}},
		{"match", []consumer.Option{consumer.Match("Caller-Destination-Number", `^1[0-9]{3}$`)}, []string{"x:1", "x:3"}},
		{"match somewhere", []consumer.Option{consumer.Match("Caller-Destination-Number", `00`)}, []string{"x:1", "x:2", "x:3"}},
		{"has", []consumer.Option{consumer.Has("caller-destination-number")}, []string{"x:1", "x:2", "x:3"}},
		{"has empty", []consumer.Option{consumer.Has("Empty")}, []string{"x:4"}},
		{"all must pass", []consumer.Option{consumer.Where("Call-Direction", "inbound"),
			consumer.Match("Caller-Destination-Number", `^1`)}, []string{"x:1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var j journal
			app := newApp()
			app.HandleFunc("CHANNEL_ANSWER", j.handler("x"), tt.opts...)
			run(t, app, event("CHANNEL_ANSWER", "a", 1, in, to("1000")), event("CHANNEL_ANSWER", "a", 2, in, to("2000")),
				event("CHANNEL_ANSWER", "a", 3, to("1001")), event("CHANNEL_ANSWER", "a", 4, esl.Header{Name: "Empty"}))
			j.want(t, tt.want...)
		})
	}
}

func TestBadRegistrations(t *testing.T) {
	source := func(context.Context, esl.Handler) error { t.Error("the source ran"); return nil }
	tests := []struct {
		name     string
		register func(*consumer.App)
		want     string
	}{
		{"regular expression", func(a *consumer.App) { a.HandleFunc("DTMF", readFive, consumer.Match("X", "a(b")) }, `"a(b"`},
		{"no name", func(a *consumer.App) { a.HandleFunc("", readFive) }, "no event name"},
		{"no handler", func(a *consumer.App) { a.HandleFunc("DTMF", nil) }, "no handler"},
		{"no handler value", func(a *consumer.App) { a.Handle("DTMF", nil) }, "no handler"},
		{"timeout", func(a *consumer.App) { a.HandleFunc("DTMF", readFive, consumer.Timeout(-1)) }, "negative timeout"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			app := newApp()
			tt.register(app)
			if err := app.Err(); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Err returned %v", err)
			}
			if err := app.Run(t.Context(), source); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Run returned %v", err)
			}
			if err := app.Serve(t.Context(), esl.ClientConfig{Addr: "127.0.0.1:1"}); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Serve returned %v", err)
			}
		})
	}
}

func TestEvents(t *testing.T) {
	tests := []struct{ handled, want []string }{
		{nil, []string{"HEARTBEAT"}},
		{[]string{"DTMF", "DTMF", "sofia::register"}, []string{"DTMF", "HEARTBEAT", "sofia::register"}},
		{[]string{"*", "DTMF", "sofia::register"}, []string{"ALL", "sofia::register"}},
		{[]string{"ALL", "CUSTOM"}, []string{"ALL"}},
		{[]string{consumer.ResyncEvent}, []string{"CHANNEL_CREATE", "CHANNEL_DESTROY", "CHANNEL_HANGUP_COMPLETE", "HEARTBEAT", "genesis::resync"}},
	}
	for _, tt := range tests {
		app := newApp()
		for _, name := range tt.handled {
			app.HandleFunc(name, readFive)
		}
		if got := app.Events(); !slices.Equal(got, tt.want) {
			t.Errorf("%q subscribes to %q, want %q", tt.handled, got, tt.want)
		}
	}
}

func TestPassiveHandlersSubscribeToNothing(t *testing.T) {
	var j journal
	app := newApp()
	app.HandleFunc("*", j.handler("all"), consumer.Passive())
	app.HandleFunc("DTMF", j.handler("dtmf"))
	app.Subscribe("TALK", "test::mark")
	if got := app.Events(); !slices.Equal(got, []string{"DTMF", "HEARTBEAT", "TALK", "test::mark"}) {
		t.Errorf("subscribes to %q", got)
	}
	run(t, app, event("HEARTBEAT", "", 1))
	j.want(t, "all:1")
}

func TestMiddleware(t *testing.T) {
	var trail []string
	around := func(name string) consumer.Middleware {
		return func(next consumer.Handler) consumer.Handler {
			return consumer.HandlerFunc(func(ctx context.Context, ev *esl.Event) error {
				trail = append(trail, "into "+name)
				defer func() { trail = append(trail, "out of "+name) }()
				return next.HandleEvent(ctx, ev)
			})
		}
	}
	app := newApp()
	app.Use(around("first"))
	app.HandleFunc("DTMF", func(context.Context, *esl.Event) error { trail = append(trail, "handler"); return nil })
	app.Use(around("second"))
	run(t, app, event("DTMF", "a", 1))
	want := []string{"into first", "into second", "handler", "out of second", "out of first"}
	if !slices.Equal(trail, want) {
		t.Errorf("went %q", trail)
	}
}

// TestFailuresAreContained has handlers fail in each way in the middle of a call;
// what follows is handled, and each failure is told once.
func TestFailuresAreContained(t *testing.T) {
	var j journal
	errBad := errors.New("bad")
	var mu sync.Mutex
	failures := map[consumer.Failure]int{}
	app := newApp()
	app.Workers = 2
	app.Hooks = &consumer.Hooks{HandlerEnd: func(_ context.Context, h *consumer.Handled) {
		mu.Lock()
		defer mu.Unlock()
		failures[h.Failure]++
		if (h.Failure == "") != (h.Err == nil) || h.Name != "DTMF" || h.Duration < 0 {
			t.Errorf("told of %+v", *h)
		}
		if h.Failure == consumer.FailureError && !errors.Is(h.Err, errBad) {
			t.Errorf("told of error %v", h.Err)
		}
	}}
	app.HandleFunc("DTMF", func(ctx context.Context, ev *esl.Event) error {
		switch ev.Sequence() {
		case 2:
			return errBad
		case 3:
			panic("at the disco")
		case 4:
			var nothing *int
			*nothing = 1
		case 5:
			runtime.Goexit()
		case 6:
			<-ctx.Done()
			return ctx.Err()
		case 7:
			panic(errBad)
		}
		return nil
	}, consumer.Timeout(1000000))
	app.HandleFunc("DTMF", j.handler("next"))
	run(t, app, event("DTMF", "a", 1), event("DTMF", "a", 2), event("DTMF", "a", 3), event("DTMF", "a", 4),
		event("DTMF", "a", 5), event("DTMF", "a", 6), event("DTMF", "a", 7), event("DTMF", "a", 8))
	j.want(t, "next:1", "next:2", "next:3", "next:4", "next:5", "next:6", "next:7", "next:8")
	want := map[consumer.Failure]int{"": 10, consumer.FailureError: 1, consumer.FailurePanic: 4, consumer.FailureTimeout: 1}
	if !reflect.DeepEqual(failures, want) {
		t.Errorf("failures %v, want %v", failures, want)
	}
}

// TestHandlers counts what is registered.
func TestHandlers(t *testing.T) {
	app := consumer.New()
	nothing := func(context.Context, *esl.Event) error { return nil }
	app.HandleFunc("DTMF", nothing)
	app.HandleFunc("DTMF", nothing, consumer.Has("DTMF-Digit"))
	app.HandleFunc("*", nothing)
	if got := app.Handlers(); len(got) != 2 || got["DTMF"] != 2 || got["*"] != 1 {
		t.Errorf("handlers %v", got)
	}
}
