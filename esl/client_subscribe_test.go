package esl_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/esl/esltest"
	"github.com/genesis-esl/genesis/internal/faultproxy"
)

// TestSubscribe adds events while connected, while not, and they last.
func TestSubscribe(t *testing.T) {
	srv := simulated(t, esltest.Config{Heartbeat: -1})
	proxy := through(t, srv.Addr())
	s := serve(t, esl.ClientConfig{Addr: proxy.Addr()})
	if err := s.Subscribe(within(t), "NOTIFY", "bad name"); err == nil {
		t.Error("a name with a space was taken")
	}
	receive(t, s.ups, "the first Up")
	if err := s.Subscribe(within(t), "NOTIFY", "my::event"); err != nil {
		t.Fatal(err)
	}
	check := func(names ...string) {
		t.Helper()
		for i, name := range names {
			fire(t, srv, name, i)
			if e := receive(t, s.events, name); !named(name)(e) {
				t.Fatalf("got %v, want %s", e, name)
			}
		}
	}
	check("NOTIFY", "my::event")
	proxy.Refuse(true)
	proxy.Cut(faultproxy.FIN)
	receive(t, s.downs, "OnDown")
	if err := s.Subscribe(within(t), "TRAP", "CUSTOM your::event", "NOTIFY"); err != nil {
		t.Fatal(err)
	}
	proxy.Refuse(false)
	receive(t, s.ups, "Up")
	check("NOTIFY", "my::event", "TRAP", "your::event")
	if got, want := s.Subscriptions(), []string{"HEARTBEAT", "NOTIFY", "TRAP", "my::event", "your::event"}; !slices.Equal(got, want) {
		t.Errorf("Subscriptions: %v, want %v", got, want)
	}
}

// TestSubscribeCustom: what stands behind CUSTOM would be subclasses.
func TestSubscribeCustom(t *testing.T) {
	srv := simulated(t, esltest.Config{Heartbeat: -1})
	s := serve(t, esl.ClientConfig{Addr: srv.Addr(), Events: []string{"CUSTOM", "NOTIFY", "my::event"}})
	receive(t, s.ups, "Up")
	if err := s.Subscribe(within(t), "TRAP"); err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"NOTIFY", "my::event", "TRAP"} {
		fire(t, srv, name, i)
		if e := receive(t, s.events, name); !named(name)(e) {
			t.Errorf("got %v, want %s", e, name)
		}
	}
}

// TestRejectingFilters: as soon as there is a filter, FreeSWITCH sends nothing but what one lets through.
func TestRejectingFilters(t *testing.T) {
	for _, value := range []string{"-NOTIFY", "+-NOTIFY", " - NOTIFY"} {
		srv := simulated(t, esltest.Config{Heartbeat: 20 * time.Millisecond})
		s := serve(t, esl.ClientConfig{
			Addr: srv.Addr(), Events: []string{"NOTIFY", "TRAP"}, Filters: []esl.Filter{{Header: "Event-Name", Value: value}},
		})
		receive(t, s.ups, "Up")
		fire(t, srv, "NOTIFY", 1)
		fire(t, srv, "TRAP", 2)
		s.await(t, func(e *esl.Event) bool {
			if e.Name() == "NOTIFY" {
				t.Errorf("%q lets it through", value)
			}
			return e.Name() == "TRAP"
		})
		s.await(t, named("HEARTBEAT"))
	}
}

// TestSubscribeRefused: what was refused is not asked for again, at no reconnect either.
func TestSubscribeRefused(t *testing.T) {
	l := listen(t)
	s := serve(t, esl.ClientConfig{Addr: l.Addr().String(), Events: []string{"NOTIFY"}})
	far := accept(t, l)
	enter(far, "event plain HEARTBEAT NOTIFY")
	receive(t, s.ups, "Up")
	for range 2 {
		refused := start(func() (struct{}, error) { return struct{}{}, s.Subscribe(within(t), "TRAP", "my::event") })
		far.expect("event plain HEARTBEAT NOTIFY TRAP CUSTOM my::event")
		far.reply("-ERR permission denied")
		var reply *esl.ReplyError
		if got := receive(t, refused, "Subscribe"); !errors.As(got.err, &reply) {
			t.Errorf("got %v", got.err)
		}
	}
	if got, want := s.Subscriptions(), []string{"HEARTBEAT", "NOTIFY"}; !slices.Equal(got, want) {
		t.Errorf("subscribed to %v, want %v", got, want)
	}
	far.fin()
	enter(accept(t, l), "event plain HEARTBEAT NOTIFY")
	receive(t, s.ups, "the second Up")
}

// TestSubscribeRefusedLater: what was asked for while there was no connection, or without an answer before it was lost,
// and is refused by the next one, does not keep the Client out.
func TestSubscribeRefusedLater(t *testing.T) {
	l := listen(t)
	s := serve(t, esl.ClientConfig{Addr: l.Addr().String(), Events: []string{"NOTIFY"}})
	subscribe := func() <-chan outcome[struct{}] {
		return start(func() (struct{}, error) { return struct{}{}, s.Subscribe(within(t), "TRAP", "my::event") })
	}
	for _, connected := range []bool{true, false} {
		far := accept(t, l)
		enter(far, "event plain HEARTBEAT NOTIFY")
		receive(t, s.ups, "Up")
		var noted <-chan outcome[struct{}]
		if connected {
			noted = subscribe()
			far.expect("event plain HEARTBEAT NOTIFY TRAP CUSTOM my::event")
		}
		far.fin()
		receive(t, s.downs, "OnDown")
		if !connected {
			noted = subscribe()
		}
		if got := receive(t, noted, "Subscribe"); got.err != nil {
			t.Error(got.err)
		}
		far = accept(t, l)
		far.send(esl.AppendAuthRequest(nil))
		far.next()
		far.reply("+OK accepted")
		far.expect("event plain HEARTBEAT NOTIFY TRAP CUSTOM my::event")
		far.reply("-ERR permission denied")
		far.expectNothing()
	}
	enter(accept(t, l), "event plain HEARTBEAT NOTIFY")
	receive(t, s.ups, "Up")
	if got, want := s.Subscriptions(), []string{"HEARTBEAT", "NOTIFY"}; !slices.Equal(got, want) {
		t.Errorf("subscribed to %v, want %v", got, want)
	}
}

// TestSubscribeOneByOne: the refusal of one call is that of no other, and its names are not
// subscribed to for anybody before FreeSWITCH has agreed.
func TestSubscribeOneByOne(t *testing.T) {
	for second, want := range map[string]string{"NOTIFY": "event plain HEARTBEAT NOTIFY", "TRAP": "event plain HEARTBEAT TRAP"} {
		t.Run(second, func(t *testing.T) {
			l := listen(t)
			s := serve(t, esl.ClientConfig{Addr: l.Addr().String()})
			far := accept(t, l)
			enter(far, "event plain HEARTBEAT")
			receive(t, s.ups, "Up")
			subscribe := func(ctx context.Context, name string) <-chan outcome[struct{}] {
				return start(func() (struct{}, error) { return struct{}{}, s.Subscribe(ctx, name) })
			}
			first := subscribe(within(t), "NOTIFY")
			far.expect("event plain HEARTBEAT NOTIFY")
			beside := subscribe(within(t), second)
			gone, leave := context.WithCancel(t.Context())
			leaves := subscribe(gone, "DTMF")
			leave()
			if got := receive(t, leaves, "who does not wait for his turn"); !errors.Is(got.err, context.Canceled) {
				t.Errorf("got %v, want the end of the context", got.err)
			}
			nothing(t, beside, "before the answer to the first")
			far.reply("-ERR permission denied")
			var refused *esl.ReplyError
			if got := receive(t, first, "the first"); !errors.As(got.err, &refused) {
				t.Errorf("got %v, want the refusal", got.err)
			}
			far.expect(want)
			far.reply("+OK")
			if got := receive(t, beside, "the second"); got.err != nil {
				t.Error(got.err)
			}
			if got := s.Subscriptions(); !slices.Equal(got, []string{"HEARTBEAT", second}) {
				t.Errorf("subscribed to %v", got)
			}
		})
	}
}

// enter lets a Client in that asks for this, and may not run background jobs.
func enter(far *peer, subscription string) {
	far.send(esl.AppendAuthRequest(nil))
	far.next()
	far.reply("+OK accepted")
	far.expect(subscription)
	far.reply("+OK")
	far.next() // event plain BACKGROUND_JOB
	far.reply("-ERR permission denied")
}

// TestSubscribeWhileEventsWait: the answer stands behind events that only the caller could take.
func TestSubscribeWhileEventsWait(t *testing.T) {
	l, full, asked := listen(t), make(chan struct{}), make(chan error, 1)
	var once sync.Once
	var client *esl.Client
	cfg := esl.ClientConfig{
		Addr: l.Addr().String(), Events: []string{"NOTIFY"}, Queue: esl.QueueLimits{Events: 10},
		Hooks: &esl.Hooks{Stalled: func(stalled bool) {
			if stalled {
				once.Do(func() { close(full) })
			}
		}},
		OnUp: func(ctx context.Context, _ esl.Up) {
			select {
			case <-full:
				asked <- errors.Join(client.Subscribe(ctx, "TRAP"), client.Subscribe(ctx, "DTMF"))
			case <-ctx.Done():
			}
		},
	}
	client, err := esl.NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ended := start(func() (struct{}, error) {
		return struct{}{}, client.Serve(within(t), esl.HandlerFunc(func(context.Context, *esl.Event) {}))
	})
	far := accept(t, l)
	enter(far, "event plain HEARTBEAT NOTIFY")
	far.send([]byte(strings.Repeat(string(event("NOTIFY")), 1000)))
	if err := receive(t, asked, "Subscribe in OnUp"); err != nil {
		t.Error(err)
	}
	far.expect("event plain HEARTBEAT NOTIFY TRAP")
	far.reply("+OK")
	far.expect("event plain HEARTBEAT NOTIFY TRAP DTMF")
	client.Close()
	receive(t, ended, "Serve")
}

// TestNewClientRefuses what FreeSWITCH could not be asked for, and names it.
func TestNewClientRefuses(t *testing.T) {
	for want, cfg := range map[string]esl.ClientConfig{
		`address "here"`:            {Addr: "here"},
		`event ""`:                  {Events: []string{""}},
		`event "two names"`:         {Events: []string{"two names"}},
		`event "a\x00b"`:            {Events: []string{"a\x00b"}},
		`filter header "a b"`:       {Filters: []esl.Filter{{Header: "a b", Value: "c"}}},
		`filter a: value ""`:        {Filters: []esl.Filter{{Header: "a"}}},
		`filter a: value "b\nc"`:    {Filters: []esl.Filter{{Header: "a", Value: "b\nc"}}},
		`filter a: value "b\x00"`:   {Filters: []esl.Filter{{Header: "a", Value: "b\x00"}}},
		`filter a: value "-/b/"`:    {Filters: []esl.Filter{{Header: "a", Value: "-/b/"}}},
		`user has a line break`:     {User: "a\nb"},
		`password has a line break`: {Password: "a\nb"},
	} {
		client, err := esl.NewClient(cfg)
		if client != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, %v; want %s", client, err, want)
		}
	}
}

// TestSubscribeToJobsWhileComingUp: the Client's own unsubscribing does not undo the application's
// subscription, whichever FreeSWITCH sees first.
func TestSubscribeToJobsWhileComingUp(t *testing.T) {
	srv := simulated(t, esltest.Config{Heartbeat: -1})
	var client *esl.Client
	var once sync.Once
	s := &served{ups: make(chan esl.Up, 1), events: make(chan *esl.Event, 100)}
	client, err := esl.NewClient(esl.ClientConfig{
		Addr: srv.Addr(), OnUp: func(_ context.Context, up esl.Up) { s.ups <- up },
		Hooks: &esl.Hooks{CommandStart: func(ctx context.Context, info esl.CommandInfo) context.Context {
			if info.Name == "nixevent" {
				once.Do(func() {
					if err := client.Subscribe(within(t), "BACKGROUND_JOB"); err != nil {
						t.Error(err)
					}
				})
			}
			return ctx
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ended := start(func() (struct{}, error) {
		return struct{}{}, client.Serve(within(t), esl.HandlerFunc(func(_ context.Context, e *esl.Event) { s.events <- e }))
	})
	receive(t, s.ups, "Up")
	if _, err := client.Send(within(t), esl.Line("bgapi status")); err != nil {
		t.Error(err)
	}
	s.await(t, func(e *esl.Event) bool { return e.Name() == "BACKGROUND_JOB" && strings.Contains(e.Body(), "UP") })
	client.Close()
	receive(t, ended, "Serve")
}

// TestSubscribeBehindTheFilters: events that no filter would let through do not come because a
// subscription is changed while the Client connects.
func TestSubscribeBehindTheFilters(t *testing.T) {
	const rounds = 100
	l := listen(t)
	var client *esl.Client
	var asked []<-chan outcome[struct{}] // the goroutine's that serves
	client, err := esl.NewClient(esl.ClientConfig{
		Addr: l.Addr().String(), Backoff: quick, Filters: []esl.Filter{{Header: "Unique-ID", Value: "x"}},
		Hooks: &esl.Hooks{CommandStart: func(ctx context.Context, info esl.CommandInfo) context.Context {
			if info.Name == "filter" && len(asked) < rounds {
				class := fmt.Sprintf("late::%d", len(asked))
				asked = append(asked, start(func() (struct{}, error) { return struct{}{}, client.Subscribe(within(t), class) }))
				for range 100 {
					runtime.Gosched() // long enough for it to be first
				}
			}
			return ctx
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ended := start(func() (struct{}, error) {
		return struct{}{}, client.Serve(within(t), esl.HandlerFunc(func(context.Context, *esl.Event) {}))
	})
	for range rounds {
		far := accept(t, l)
		far.send(esl.AppendAuthRequest(nil))
		far.next()
		far.reply("+OK accepted")
		far.expect("filter Unique-ID x")
		far.fin()
	}
	client.Close()
	receive(t, ended, "Serve")
	for _, a := range asked {
		if got := receive(t, a, "Subscribe"); got.err != nil {
			t.Error(got.err)
		}
	}
}
