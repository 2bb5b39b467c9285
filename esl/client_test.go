package esl_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/esl/esltest"
	"github.com/genesis-esl/genesis/internal/faultproxy"
)

// simulated starts a FreeSWITCH.
func simulated(t testing.TB, cfg esltest.Config) *esltest.Server {
	t.Helper()
	srv := esltest.NewUnstartedServer(cfg)
	if err := srv.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	return srv
}

// through puts a fault proxy before addr.
func through(t testing.TB, addr string) *faultproxy.Proxy {
	t.Helper()
	p, err := faultproxy.New(addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// served is a Client that serves, and what it has told.
type served struct {
	*esl.Client
	ups    chan esl.Up
	downs  chan error
	events chan *esl.Event
	end    <-chan outcome[struct{}]
	stop   context.CancelFunc
}

// quick is a backoff for tests.
var quick = esl.Backoff{Min: time.Millisecond, Max: 5 * time.Millisecond}

// serve runs a Client until the test ends.
func serve(t testing.TB, cfg esl.ClientConfig) *served {
	t.Helper()
	s := &served{ups: make(chan esl.Up, 10_000), downs: make(chan error, 10_000), events: make(chan *esl.Event, 100_000)}
	if cfg.Backoff == (esl.Backoff{}) {
		cfg.Backoff = quick
	}
	onUp := cfg.OnUp
	cfg.OnUp = func(ctx context.Context, up esl.Up) {
		if onUp != nil {
			onUp(ctx, up)
		}
		s.ups <- up
	}
	cfg.OnDown = func(err error) { s.downs <- err }
	client, err := esl.NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s.Client = client
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	s.end = start(func() (struct{}, error) {
		return struct{}{}, client.Serve(ctx, esl.HandlerFunc(func(_ context.Context, e *esl.Event) { s.events <- e }))
	})
	t.Cleanup(func() {
		cancel()
		client.Close()
		select {
		case <-s.end:
		case <-time.After(patience):
			t.Error("Serve did not return")
		}
	})
	return s
}

// await waits for the event that satisfies want.
func (s *served) await(t testing.TB, want func(*esl.Event) bool) *esl.Event {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		select {
		case e := <-s.events:
			if want(e) {
				return e
			}
		case <-timer.C:
			t.Fatal("the event did not come")
		}
	}
}

func named(name string) func(*esl.Event) bool {
	return func(e *esl.Event) bool { return e.Name() == name || e.Subclass() == name }
}

// fire has FreeSWITCH create an event that carries a number.
func fire(t testing.TB, srv *esltest.Server, name string, number int) {
	t.Helper()
	if err := srv.Fire(name, []esl.Header{{Name: "Number", Value: fmt.Sprint(number)}}, ""); err != nil {
		t.Fatal(err)
	}
}

// TestReconnect cuts the connection again and again: events flow anew each time,
// each is handled once, and OnUp tells how it stands.
func TestReconnect(t *testing.T) {
	srv := simulated(t, esltest.Config{Heartbeat: -1})
	proxy := through(t, srv.Addr())
	s := serve(t, esl.ClientConfig{Addr: proxy.Addr(), Events: []string{"NOTIFY", "my::event"}})
	up := receive(t, s.ups, "the first Up")
	if !up.First || up.Restarted || up.Down != 0 || up.MissedAtMost != 0 || up.MissedUnknown || up.CoreUUID != srv.CoreUUID() || up.Remote != proxy.Addr() {
		t.Errorf("first: %+v", up)
	}
	for i := range 20 {
		fire(t, srv, "NOTIFY", i)
		fire(t, srv, "my::event", i)
		for _, name := range []string{"NOTIFY", "my::event"} {
			if e := receive(t, s.events, "an event"); !named(name)(e) || e.Get("Number") != fmt.Sprint(i) {
				t.Fatalf("round %d: got %v %s, want %s once", i, e, e.Get("Number"), name)
			}
		}
		proxy.Cut(faultproxy.End(i % 2))
		if err := receive(t, s.downs, "OnDown"); err == nil {
			t.Error("OnDown without a reason")
		}
		up := receive(t, s.ups, "Up")
		if up.First || up.Restarted || up.Down <= 0 || up.MissedUnknown || up.CoreUUID != srv.CoreUUID() {
			t.Errorf("round %d: %+v", i, up)
		}
	}
	if !s.Connected() {
		t.Error("Connected is false")
	}
}

// TestMissedAtMost holds the bound to what FreeSWITCH created while the client was
// away: never less, and not absurdly more.
func TestMissedAtMost(t *testing.T) {
	srv := simulated(t, esltest.Config{Heartbeat: -1})
	proxy := through(t, srv.Addr())
	s := serve(t, esl.ClientConfig{Addr: proxy.Addr(), Events: []string{"NOTIFY"}})
	receive(t, s.ups, "the first Up")
	for _, missed := range []int{0, 1, 7, 500} {
		fire(t, srv, "NOTIFY", -1)
		s.await(t, named("NOTIFY"))
		proxy.Refuse(true)
		proxy.Cut(faultproxy.FIN)
		receive(t, s.downs, "OnDown")
		for i := range missed {
			fire(t, srv, "NOTIFY", i)
		}
		proxy.Refuse(false)
		up := receive(t, s.ups, "Up")
		if up.MissedAtMost < uint64(missed) || up.MissedAtMost > uint64(missed)+10 {
			t.Errorf("%d missed, MissedAtMost is %d", missed, up.MissedAtMost)
		}
	}
	nothing(t, s.events, "events of the time without a connection")
}

func TestRestart(t *testing.T) {
	srv := simulated(t, esltest.Config{Heartbeat: -1})
	s := serve(t, esl.ClientConfig{Addr: srv.Addr(), Events: []string{"NOTIFY"}})
	before := receive(t, s.ups, "the first Up").CoreUUID
	for range 3 {
		if err := srv.Restart(); err != nil {
			t.Fatal(err)
		}
		receive(t, s.downs, "OnDown")
		up := receive(t, s.ups, "Up")
		if !up.Restarted || up.CoreUUID == before || up.CoreUUID != srv.CoreUUID() || up.First {
			t.Errorf("%+v after a restart of %s", up, before)
		}
		before = up.CoreUUID
		fire(t, srv, "NOTIFY", 1)
		s.await(t, named("NOTIFY"))
	}
}

// TestDownCountsFromTheLoss: how long the Client was without a connection is counted from its end, and not from
// when the handler was done with the events that had come by then.
func TestDownCountsFromTheLoss(t *testing.T) {
	l := listen(t)
	lost := make(chan time.Time, 10)
	s := serve(t, esl.ClientConfig{
		Addr: l.Addr().String(),
		Hooks: &esl.Hooks{
			Disconnected: func(esl.ConnInfo, error) { lost <- time.Now() },
			Events: func([]*esl.Event) { // the handler takes its time
				since := receive(t, lost, "the loss")
				timer := time.NewTimer(200*time.Millisecond - time.Since(since))
				defer timer.Stop()
				<-timer.C
			},
		},
	})
	far := accept(t, l)
	far.enter()
	receive(t, s.ups, "the first Up")
	far.send(event("HEARTBEAT"))
	far.fin()
	accept(t, l).enter()
	if up := receive(t, s.ups, "Up"); up.Down < 200*time.Millisecond {
		t.Errorf("down for %v, want 200 ms at least", up.Down)
	}
}

// TestFinalErrors: what cannot be mended ends Serve at the first connection, and is
// tried again once there was one.
func TestFinalErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		fault esltest.FaultKind
		want  error
	}{
		"password":    {esltest.FaultPassword, esl.ErrAuthentication},
		"access list": {esltest.FaultACL, esl.ErrAccessDenied},
	} {
		t.Run(name+" at first", func(t *testing.T) {
			srv := simulated(t, esltest.Config{Faults: []esltest.Fault{{Kind: tc.fault}}})
			s := serve(t, esl.ClientConfig{Addr: srv.Addr()})
			end := <-s.end
			if !errors.Is(end.err, tc.want) {
				t.Errorf("got %v, want %v", end.err, tc.want)
			}
			if _, err := s.API(within(t), "status"); !errors.Is(err, tc.want) {
				t.Errorf("a command got %v, want %v", err, tc.want)
			}
			closed := make(chan outcome[struct{}], 1)
			closed <- end
			s.end = closed
		})
		t.Run(name+" later", func(t *testing.T) {
			retries := make(chan error, 10_000)
			srv := simulated(t, esltest.Config{})
			s := serve(t, esl.ClientConfig{Addr: srv.Addr(), Hooks: &esl.Hooks{Retry: func(_ time.Duration, err error) { retries <- err }}})
			receive(t, s.ups, "the first Up")
			if err := srv.Inject(esltest.Fault{Kind: tc.fault}); err != nil {
				t.Fatal(err)
			}
			srv.CutConnections()
			until(t, "a retry after the refusal", func() bool {
				select {
				case err := <-retries:
					return errors.Is(err, tc.want)
				default:
					return false
				}
			})
			srv.Heal()
			receive(t, s.ups, "Up")
		})
	}
}

func TestGiveUp(t *testing.T) {
	l := listen(t)
	addr := l.Addr().String()
	l.Close()
	client, err := esl.NewClient(esl.ClientConfig{Addr: addr, GiveUp: 20 * time.Millisecond, Backoff: quick})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var op *net.OpError
	if err := client.Serve(within(t), nil); !errors.As(err, &op) {
		t.Errorf("got %v, want the last network error", err)
	}
	if err := client.Serve(within(t), nil); err == nil {
		t.Error("Serve ran twice")
	}
}

// TestCloseWakesEverything, in every state that a Client can be in.
func TestCloseWakesEverything(t *testing.T) {
	refused := func(t *testing.T) string {
		l := listen(t)
		defer l.Close()
		return l.Addr().String()
	}
	for name, tc := range map[string]struct {
		addr    func(*testing.T) string
		pending bool
	}{
		"waiting to dial": {refused, false},
		"mute server":     {func(t *testing.T) string { return listen(t).Addr().String() }, false},
		"connected":       {func(t *testing.T) string { return simulated(t, esltest.Config{}).Addr() }, true},
	} {
		t.Run(name, func(t *testing.T) {
			for _, byContext := range []bool{false, true} {
				client, err := esl.NewClient(esl.ClientConfig{Addr: tc.addr(t), Backoff: esl.Backoff{Min: time.Hour, Max: time.Hour}, DialTimeout: time.Hour})
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				end := start(func() (struct{}, error) {
					return struct{}{}, client.Serve(ctx, esl.HandlerFunc(func(context.Context, *esl.Event) {}))
				})
				command := start(func() (string, error) { return client.API(context.Background(), "msleep 3600000") })
				if tc.pending {
					until(t, "the connection", client.Connected)
				}
				if byContext {
					cancel()
					if got := receive(t, end, "Serve"); got.err != nil {
						t.Errorf("Serve: %v, want nil", got.err)
					}
				}
				client.Close()
				if !byContext {
					if got := receive(t, end, "Serve"); !errors.Is(got.err, esl.ErrClosed) {
						t.Errorf("Serve: %v, want ErrClosed", got.err)
					}
				}
				if got := receive(t, command, "the command"); !errors.Is(got.err, esl.ErrDisconnected) || !errors.Is(got.err, esl.ErrClosed) {
					t.Errorf("the command: %q, %v", got.value, got.err)
				}
				if _, err := client.API(context.Background(), "status"); !errors.Is(err, esl.ErrClosed) {
					t.Errorf("after Close: %v", err)
				}
			}
		})
	}
}

// TestFormats: the same events in each format, and what OnUp says is the same too.
func TestFormats(t *testing.T) {
	srv := simulated(t, esltest.Config{Heartbeat: -1})
	for _, format := range []esl.Format{esl.Plain, esl.JSON, esl.XML} {
		s := serve(t, esl.ClientConfig{Addr: srv.Addr(), Events: []string{"NOTIFY"}, Format: format})
		receive(t, s.ups, "the first Up")
		fire(t, srv, "NOTIFY", 42)
		s.await(t, func(e *esl.Event) bool { return e.Get("number") == "42" })
		srv.CutConnections()
		if up := receive(t, s.ups, "Up"); up.MissedUnknown || up.CoreUUID != srv.CoreUUID() {
			t.Errorf("%v: %+v", format, up)
		}
		s.Close()
	}
}
