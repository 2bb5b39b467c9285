package outbound_test

import (
	"context"
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/call"
	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/esl/esltest"
	"github.com/genesis-esl/genesis/outbound"
)

// subject is a call to be controlled, whichever way it is.
type subject struct {
	*world
	ch   *call.Channel
	orig call.Originator
}

// press lets the other party press digits.
func (s *subject) press(digits string) {
	_, _ = s.by.API(s.ctx, "uuid_recv_dtmf "+s.ch.UUID()+" "+digits) // the test may be over with the last digit
}

// kill lets the other party hang up.
func (s *subject) kill(cause call.Cause) {
	_, _ = s.by.API(s.ctx, "uuid_kill "+s.ch.UUID()+" "+string(cause)) // the test may be over with the hangup
}

// during runs fn once the channel executes app, while the caller goes on.
func (s *subject) during(app string, fn func()) {
	s.on("CHANNEL_EXECUTE", func(ev *esl.Event) bool { return ev.Get("Application") == app }, fn)
}

// on runs fn at the next event of that name that match accepts.
func (s *subject) on(name string, match func(*esl.Event) bool, fn func()) {
	events := s.ch.Events(name)
	s.t.Cleanup(events.Close)
	go func() {
		for {
			ev, err := events.Next(s.ctx)
			if err != nil {
				return
			}
			if match(ev) {
				fn()
				return
			}
		}
	}()
}

func anyEvent(*esl.Event) bool { return true }

// scenarioConfig is a FreeSWITCH whose users behave as their numbers say.
func scenarioConfig() esltest.Config {
	return esltest.Config{
		Pace: 20,
		Endpoints: []esltest.Endpoint{
			{Match: `^user/busy`, Cause: "USER_BUSY"},
			{Match: `^user/never`, Answer: -1},
			{Match: `^user/short`, Hangup: 20 * time.Millisecond},
			{Match: `^user/`},
		},
	}
}

// overBoth runs a scenario over a Session and over a Client.
func overBoth(t *testing.T, scenario func(t *testing.T, ctx context.Context, s *subject)) {
	t.Run("session", func(t *testing.T) {
		done := make(chan struct{})
		var w *world
		ready := make(chan struct{})
		w = serve(t, scenarioConfig(), func(ctx context.Context, s *outbound.Session) error {
			defer close(done)
			<-ready
			scenario(t, ctx, &subject{world: w, ch: s.Channel, orig: s})
			return nil
		})
		close(ready)
		w.place(asyncFull)
		result(t, w, done)
	})
	t.Run("client", func(t *testing.T) {
		w := serve(t, scenarioConfig(), func(context.Context, *outbound.Session) error { return nil })
		ctl := control(t, w)
		ch := ctl.Attach(w.parked(), nil)
		scenario(t, w.ctx, &subject{world: w, ch: ch, orig: ctl})
		if err := ch.Hangup(w.ctx, ""); err != nil {
			t.Errorf("hanging up in the end: %v", err)
		}
	})
}

// parked places a call that parks, and returns the called leg.
func (w *world) parked() string {
	w.t.Helper()
	caller := esl.NewUUID()
	if _, err := w.by.BgAPI(w.ctx, "originate {origination_uuid="+caller+"}loopback/9999/default &park()"); err != nil {
		w.t.Fatal(err)
	}
	return w.api("uuid_getvar " + caller + " other_loopback_leg_uuid")
}

// control starts a client with a controller.
func control(t *testing.T, w *world, change ...func(*esl.ClientConfig)) *call.Controller {
	t.Helper()
	up := make(chan struct{}, 10)
	cfg := esl.ClientConfig{
		Addr: w.fs.Addr(), Backoff: esl.Backoff{Min: time.Millisecond, Max: 20 * time.Millisecond},
		OnUp: func(context.Context, esl.Up) { up <- struct{}{} },
	}
	for _, change := range change {
		change(&cfg)
	}
	ctl := call.NewController(context.Background(), nil, call.ControllerConfig{})
	ctl.Join(&cfg)
	client, err := esl.NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctl.Bind(client)
	served := make(chan error, 1)
	nobody := esl.HandlerFunc(func(context.Context, *esl.Event) {})
	go func() { served <- client.Serve(context.Background(), nobody) }()
	t.Cleanup(func() {
		ctl.Close(esl.ErrClosed)
		_ = client.Close()
		<-served
	})
	w.up = up
	result(t, w, up)
	return ctl
}

// controlBut is control without the events that lost accepts: they never arrive.
func controlBut(t *testing.T, w *world, lost func(*esl.Event) bool) *call.Controller {
	t.Helper()
	up := make(chan struct{}, 1)
	client, err := esl.NewClient(esl.ClientConfig{
		Addr: w.fs.Addr(), Events: call.EventNames(), OnUp: func(context.Context, esl.Up) { up <- struct{}{} },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctl := call.NewController(context.Background(), client, call.ControllerConfig{})
	served := make(chan error, 1)
	go func() {
		served <- client.Serve(context.Background(), esl.HandlerFunc(func(_ context.Context, ev *esl.Event) {
			if !lost(ev) {
				ctl.Handle(ev)
			}
		}))
	}()
	t.Cleanup(func() {
		ctl.Close(esl.ErrClosed)
		_ = client.Close()
		<-served
	})
	result(t, w, up)
	return ctl
}

func TestPlayback(t *testing.T) {
	overBoth(t, func(t *testing.T, ctx context.Context, s *subject) {
		if err := s.ch.Answer(ctx); err != nil {
			t.Fatal(err)
		}
		p, err := s.ch.Playback(ctx, "tone_stream://%(500,200,440,480)")
		if err != nil || p.Response != "FILE PLAYED" || p.Duration == 0 {
			t.Errorf("played %+v, %v", p, err)
		}
		_, err = s.ch.Playback(ctx, "x\n\napi status")
		if !errors.Is(err, esl.ErrInjection) {
			t.Errorf("line break: %v", err)
		}
		_, err = s.ch.Playback(ctx, "${system(reboot)}")
		if !errors.Is(err, call.ErrUnencodable) {
			t.Errorf("expansion: %v", err)
		}
	})
}

// TestContextStopsApplication stops applications, and uses the channel on.
func TestContextStopsApplication(t *testing.T) {
	overBoth(t, func(t *testing.T, ctx context.Context, s *subject) {
		if err := s.ch.Answer(ctx); err != nil {
			t.Fatal(err)
		}
		enough := errors.New("enough")
		for _, op := range []struct {
			app string
			run func(context.Context) error
		}{
			{"playback", func(ctx context.Context) error {
				_, err := s.ch.Playback(ctx, "tone_stream://%(600000,0,440)")
				return err
			}},
			{"sleep", func(ctx context.Context) error { return s.ch.Sleep(ctx, 10*time.Minute) }},
			{"play_and_get_digits", func(ctx context.Context) error {
				_, err := s.ch.PlayAndGetDigits(ctx, call.Digits{File: "tone_stream://%(600000,0,440)", Max: 4})
				return err
			}},
		} {
			stopped, cancel := context.WithCancelCause(ctx)
			s.during(op.app, func() { cancel(enough) })
			if err := op.run(stopped); !errors.Is(err, enough) {
				t.Errorf("%s ended with %v", op.app, err)
			}
			cancel(nil)
			if err := s.ch.Set(ctx, "after", op.app); err != nil {
				t.Errorf("channel unusable after %s: %v", op.app, err)
			}
			if _, err := s.ch.Execute(ctx, "set", "really="+op.app); err != nil {
				t.Errorf("channel unusable after %s: %v", op.app, err)
			}
		}
	})
}

func TestDigits(t *testing.T) {
	overBoth(t, func(t *testing.T, ctx context.Context, s *subject) {
		if err := s.ch.Answer(ctx); err != nil {
			t.Fatal(err)
		}
		seen := make(chan call.DTMF, 10)
		stop := s.ch.OnDTMF(func(_ context.Context, d call.DTMF) { seen <- d })
		defer stop()
		s.during("play_and_get_digits", func() { s.press("123#") })
		digits, err := s.ch.PlayAndGetDigits(ctx, call.Digits{Min: 1, Max: 4, File: "tone_stream://%(600000,0,440)"})
		if err != nil || digits != "123" {
			t.Errorf("got %q, %v", digits, err)
		}
		for _, want := range "123" {
			if d := result(t, s.world, seen); d.Digit != string(want) || d.Duration <= 0 {
				t.Errorf("digit %+v, want %c", d, want)
			}
		}
		digits, err = s.ch.PlayAndGetDigits(ctx, call.Digits{
			Min: 1, Max: 4, Tries: 2, Timeout: 100 * time.Millisecond, File: "tone_stream://%(10,0,440)",
		})
		if !errors.Is(err, call.ErrNoDigits) || digits != "" {
			t.Errorf("silence gave %q, %v", digits, err)
		}
		s.during("read", func() { s.press("9") })
		if digits, err = s.ch.ReadDigits(ctx, call.Digits{Max: 1}); err != nil || digits != "9" {
			t.Errorf("read %q, %v", digits, err)
		}
		if err := s.ch.SendDTMF(ctx, "12#", 0); err != nil {
			t.Errorf("sending DTMF: %v", err)
		}
		if err := s.ch.SendDTMF(ctx, "1 api", 0); !errors.Is(err, call.ErrUnencodable) {
			t.Errorf("sending nonsense: %v", err)
		}
	})
}

func TestVariables(t *testing.T) {
	overBoth(t, func(t *testing.T, ctx context.Context, s *subject) {
		want := call.Vars{"one": "1", "two": "a b", "three": "x,y;z"}
		if err := s.ch.SetMany(ctx, want); err != nil {
			t.Fatal(err)
		}
		got, err := s.ch.GetMany(ctx, "one", "two", "three", "four")
		if err != nil || !maps.Equal(got, want) {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
		if v := s.ch.Variable("two"); v != "a b" {
			t.Errorf("remembered %q", v)
		}
		if err := s.ch.Set(ctx, "one", "it's 100%"); err != nil {
			t.Fatal(err)
		}
		if v, err := s.ch.GetVariable(ctx, "one"); err != nil || v != "it's 100%" {
			t.Errorf("got %q, %v", v, err)
		}
		if err := s.ch.Set(ctx, "one", ""); err != nil {
			t.Fatal(err)
		}
		if v, err := s.ch.GetVariable(ctx, "one"); err != nil || v != "" {
			t.Errorf("unset: %q, %v", v, err)
		}
		if err := s.ch.Set(ctx, "x=y z", "1"); !errors.Is(err, call.ErrUnencodable) {
			t.Errorf("odd name: %v", err)
		}
		if err := s.ch.Set(ctx, "x", "1\nexit"); !errors.Is(err, esl.ErrInjection) {
			t.Errorf("line break: %v", err)
		}
	})
}

func TestHangupEndsEverything(t *testing.T) {
	overBoth(t, func(t *testing.T, ctx context.Context, s *subject) {
		if err := s.ch.Answer(ctx); err != nil {
			t.Fatal(err)
		}
		background := context.WithoutCancel(ctx)
		errs := make(chan error, 10)
		waits := []func() error{
			func() error { _, err := s.ch.Wait(background, "NO_SUCH_EVENT"); return err },
			func() error { return s.ch.WaitState(background, call.StateReset) },
			func() error { return s.ch.Sleep(background, 10*time.Minute) },
			func() error { _, err := s.ch.Playback(background, "tone_stream://%(600000,0,440)"); return err },
		}
		s.on("CHANNEL_EXECUTE", anyEvent, func() { s.kill(call.NoUserResponse) })
		for _, wait := range waits {
			go func() { errs <- wait() }()
		}
		for range waits {
			if err := result(t, s.world, errs); !errors.Is(err, call.NoUserResponse) {
				t.Errorf("got %v", err)
			}
		}
		if cause, err := s.ch.WaitHangup(background); err != nil || cause != call.NoUserResponse {
			t.Errorf("hung up with %q, %v", cause, err)
		}
		if err := s.ch.WaitState(background, call.StateReporting, call.StateDestroy); err != nil {
			t.Errorf("waiting for the end: %v", err)
		}
		if err := s.ch.Answer(background); !isHangup(err) {
			t.Errorf("answering a dead call: %v", err)
		}
		if err := s.ch.Hangup(background, ""); err != nil {
			t.Errorf("hanging up a dead call: %v", err)
		}
	})
}

func TestBridgeTo(t *testing.T) {
	overBoth(t, func(t *testing.T, ctx context.Context, s *subject) {
		if err := s.ch.Answer(ctx); err != nil {
			t.Fatal(err)
		}
		b, err := s.ch.BridgeTo(ctx, call.To(call.User("busy", "")))
		if !errors.Is(err, call.UserBusy) || b.Answered || s.ch.Err() != nil {
			t.Errorf("busy: %+v, %v; call %v", b, err, s.ch.Err())
		}
		b, err = s.ch.BridgeTo(ctx, call.To(call.User("short", "")))
		if err != nil || !b.Answered || b.Cause != call.NormalClearing || b.Peer == "" {
			t.Errorf("short: %+v, %v", b, err)
		}
		b, err = s.ch.BridgeTo(ctx, call.To(call.User("busy", "")).Then(call.User("short", "")))
		if err != nil || !b.Answered {
			t.Errorf("busy, then short: %+v, %v", b, err)
		}
		for _, who := range []string{"never", "1000", "raw"} { // ringing, in conversation, and several
			stopped, cancel := context.WithCancel(ctx)
			to := call.To(call.User(who, ""))
			switch who {
			case "1000":
				s.on("CHANNEL_BRIDGE", anyEvent, cancel)
			case "raw":
				to = call.RawDial("user/never,user/never2")
				fallthrough
			default:
				s.during("bridge", cancel)
			}
			if _, err = s.ch.BridgeTo(stopped, to); !errors.Is(err, context.Canceled) {
				t.Errorf("stopped bridge to %s: %v", who, err)
			}
			cancel()
		}
		if err := s.ch.Set(ctx, "after", "bridge"); err != nil {
			t.Errorf("channel unusable: %v", err)
		}
	})
}
