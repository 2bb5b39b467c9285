package outbound_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/call"
	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/outbound"
)

func TestOriginate(t *testing.T) {
	overBoth(t, func(t *testing.T, ctx context.Context, s *subject) {
		ch, err := s.orig.Originate(ctx, call.Originate{
			To: call.To(call.User("1000", "")), CallerName: "Bob, the builder", CallerNumber: "+49301", Vars: call.Vars{"purpose": "a b"},
		})
		if err != nil {
			t.Fatal(err)
		}
		if !ch.Answered() {
			t.Errorf("answer state %q", ch.AnswerState())
		}
		if v, err := ch.GetVariable(ctx, "purpose"); err != nil || v != "a b" {
			t.Errorf("variable %q, %v", v, err)
		}
		if v, err := ch.GetVariable(ctx, "origination_caller_id_name"); err != nil || v != "Bob, the builder" {
			t.Errorf("caller name %q, %v", v, err)
		}
		if _, err := ch.Playback(ctx, "tone_stream://%(100,0,440)"); err != nil {
			t.Errorf("playing to the new call: %v", err)
		}
		if err := ch.Hangup(ctx, call.CallRejected); err != nil || !errors.Is(ch.Err(), call.CallRejected) {
			t.Errorf("hanging up: %v, %v", err, ch.Err())
		}
	})
}

func TestOriginateFails(t *testing.T) {
	overBoth(t, func(t *testing.T, ctx context.Context, s *subject) {
		for _, tt := range []struct {
			name string
			o    call.Originate
			want error
		}{
			{"busy", call.Originate{To: call.To(call.User("busy", ""))}, call.UserBusy},
			{"error endpoint", call.Originate{To: call.To(call.Endpoint("error/SUBSCRIBER_ABSENT"))}, call.SubscriberAbsent},
			{"raw", call.Originate{To: call.RawDial("error/NO_ROUTE_DESTINATION|error/USER_BUSY")}, call.UserBusy},
			{"no answer", call.Originate{To: call.To(call.User("never", "")), Timeout: time.Second}, call.NoAnswer},
			{"injection", call.Originate{To: call.To(call.User("1,user/2", ""))}, call.ErrUnencodable},
		} {
			ch, err := s.orig.Originate(ctx, tt.o)
			if !errors.Is(err, tt.want) || ch != nil {
				t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
			}
		}
	})
}

// TestOriginateCancelled leaves nothing behind.
func TestOriginateCancelled(t *testing.T) {
	overBoth(t, func(t *testing.T, ctx context.Context, s *subject) {
		for name, to := range map[string]call.Dial{
			"one":     call.To(call.User("never", "")),
			"several": call.To(call.User("never", ""), call.User("never2", "")),
		} {
			before := s.channels()
			stopped, cancel := context.WithCancel(ctx)
			go func() {
				s.untilChannels(func(n int) bool { return n > before })
				cancel()
			}()
			if _, err := s.orig.Originate(stopped, call.Originate{To: to}); !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v", name, err)
			}
			cancel()
			s.untilChannels(func(n int) bool { return n <= before })
		}
	})
}

// channels counts the channels there are.
func (s *subject) channels() int {
	n := 0
	for line := range strings.Lines(s.api("show channels")) {
		if strings.Count(line, ",") > 3 && !strings.HasPrefix(line, "uuid,") {
			n++
		}
	}
	return n
}

func (s *subject) untilChannels(done func(int) bool) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for range 2000 {
		if done(s.channels()) {
			return
		}
		<-tick.C
	}
	s.t.Error("the number of channels never became right")
}

// TestBridge connects two calls that both exist.
func TestBridge(t *testing.T) {
	overBoth(t, func(t *testing.T, ctx context.Context, s *subject) {
		if err := s.ch.Answer(ctx); err != nil {
			t.Fatal(err)
		}
		a, err := s.orig.Originate(ctx, call.Originate{To: call.To(call.User("1000", ""))})
		if err != nil {
			t.Fatal(err)
		}
		b, err := s.orig.Originate(ctx, call.Originate{To: call.To(call.User("1001", ""))})
		if err != nil {
			t.Fatal(err)
		}
		talked := make(chan struct{})
		(&subject{world: s.world, ch: a}).on("CHANNEL_BRIDGE", anyEvent, func() {
			s.api("uuid_kill " + b.UUID() + " NORMAL_UNSPECIFIED")
			close(talked)
		})
		got, err := a.Bridge(ctx, b)
		if err != nil && !isHangup(err) {
			t.Errorf("bridge: %v", err)
		}
		if got.Peer != b.UUID() || !got.Answered {
			t.Errorf("bridged %+v", got)
		}
		<-talked
		if err := a.Connect(ctx, b); !isHangup(err) {
			t.Errorf("connecting with a dead call: %v", err)
		}
		if err := a.Connect(ctx, a); err == nil {
			t.Error("connected with itself")
		}
	})
}

// TestBridgeWithTheGone connects with a leg whose hangup is under way still: only that
// one is over.
func TestBridgeWithTheGone(t *testing.T) {
	w := serve(t, scenarioConfig(), func(context.Context, *outbound.Session) error { return nil })
	ctl := controlBut(t, w, func(ev *esl.Event) bool {
		return strings.HasPrefix(ev.Name(), "CHANNEL_HANGUP") || ev.Name() == "CHANNEL_DESTROY"
	})
	var legs [3]*call.Channel
	for i := range legs {
		var err error
		if legs[i], err = ctl.Originate(w.ctx, call.Originate{To: call.To(call.User("1000", ""))}); err != nil {
			t.Fatal(err)
		}
	}
	a, b, gone := legs[0], legs[1], legs[2]
	w.api("uuid_kill " + gone.UUID())
	var hangup *call.HangupError
	if _, err := a.Bridge(w.ctx, gone); !errors.As(err, &hangup) || hangup.UUID != gone.UUID() {
		t.Errorf("bridged with a leg that is gone: %v", err)
	}
	if a.Err() != nil || a.Away() {
		t.Errorf("the caller has ended too: %v, away %v", a.Err(), a.Away())
	}
	if _, err := a.Playback(w.ctx, "tone_stream://%(100,0,440)"); err != nil {
		t.Errorf("telling the caller: %v", err)
	}
	w.api("uuid_kill " + a.UUID())
	if err := a.Connect(w.ctx, b); !errors.As(err, &hangup) || hangup.UUID != a.UUID() || b.Err() != nil {
		t.Errorf("connecting a leg that is gone: %v; the other has %v", err, b.Err())
	}
}

// TestBridgeWithSession bridges a leg with the call of a session, and one session with
// another: FreeSWITCH hangs up neither, until one of them does.
func TestBridgeWithSession(t *testing.T) {
	waiting := make(chan *outbound.Session, 1)
	for name, pair := range map[string]func(context.Context, *outbound.Session) (from, to *call.Channel, err error){
		"leg with session": func(ctx context.Context, s *outbound.Session) (from, to *call.Channel, err error) {
			from, err = s.Originate(ctx, call.Originate{To: call.To(call.User("1000", ""))})
			return from, s.Channel, err
		},
		"session with session": func(ctx context.Context, s *outbound.Session) (from, to *call.Channel, err error) {
			select {
			case other := <-waiting:
				return s.Channel, other.Channel, nil
			default:
				waiting <- s
				<-ctx.Done()
				return nil, nil, context.Cause(ctx)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			legs, ended := make(chan [2]*call.Channel, 1), make(chan error, 1)
			w := serve(t, scenarioConfig(), func(ctx context.Context, s *outbound.Session) error {
				if err := s.Answer(ctx); err != nil {
					return err
				}
				from, to, err := pair(ctx, s)
				if err != nil {
					return err
				}
				legs <- [2]*call.Channel{from, to}
				_, err = from.Bridge(context.WithoutCancel(ctx), to)
				ended <- err
				return err
			})
			w.place(asyncFull)
			if name == "session with session" {
				w.untilTrue(func() bool { return len(waiting) == 1 })
				w.place(asyncFull)
			}
			up := result(t, w, legs)
			w.untilTrue(func() bool { return up[0].Peer() == up[1].UUID() })
			for range 20 { // FreeSWITCH would have hung up by then
				w.api("uuid_exists " + up[1].UUID())
			}
			w.api("uuid_kill " + up[0].UUID() + " " + string(call.NormalUnspecified))
			if err := result(t, w, ended); err != nil && !errors.Is(err, call.NormalUnspecified) {
				t.Errorf("the bridge ended with %v", err)
			}
			result(t, w, up[0].Done())
			if !errors.Is(up[0].Err(), call.NormalUnspecified) {
				t.Errorf("hung up before anybody did: %v", up[0].Err())
			}
		})
	}
}

// TestConnectWithSession returns from the handler that has connected a leg with its call:
// the two talk on.
func TestConnectWithSession(t *testing.T) {
	ended := make(chan error, 1)
	var s *outbound.Session
	w := serve(t, scenarioConfig(), func(ctx context.Context, session *outbound.Session) error {
		s = session
		leg, err := s.Originate(ctx, call.Originate{To: call.To(call.User("1000", ""))})
		if err == nil {
			err = leg.Connect(ctx, s.Channel)
		}
		ended <- err
		return nil
	})
	w.place(asyncFull)
	if err := result(t, w, ended); err != nil {
		t.Errorf("connecting: %v", err)
	}
	result(t, w, s.Done())
	if up := w.phones(); isHangup(s.Err()) || len(up) != 1 || up[0].State().BridgedTo != s.UUID() {
		t.Errorf("the session ended with %v; phones up: %v", s.Err(), up)
	}
}

// TestOriginateShortCall makes calls that are over before Originate can return: their
// channels have ended too.
func TestOriginateShortCall(t *testing.T) {
	overBoth(t, func(t *testing.T, ctx context.Context, s *subject) {
		for range 10 {
			c, err := s.orig.Originate(ctx, call.Originate{To: call.To(call.User("1000", "")), App: call.App{Name: "hangup"}})
			if err != nil {
				t.Fatal(err)
			}
			if cause, err := c.WaitHangup(ctx); err != nil || cause != call.NormalClearing {
				t.Fatalf("the call has ended, its channel with %q, %v", cause, err)
			}
		}
	})
}

// TestReconnectWhileOriginating has a new connection between two legs of one originate:
// that FreeSWITCH does not know the second yet does not mean that it is over.
func TestReconnectWhileOriginating(t *testing.T) {
	w := serve(t, scenarioConfig(), func(context.Context, *outbound.Session) error { return nil })
	ctl := control(t, w)
	go func() {
		w.untilTrue(func() bool { return len(w.fs.Legs()) == 1 })
		ctl.Up(w.ctx, esl.Up{})
		w.fs.Legs()[0].Hangup("USER_BUSY")
	}()
	c, err := ctl.Originate(w.ctx, call.Originate{To: call.To(call.User("never", "")).Then(call.User("1000", ""))})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Playback(w.ctx, "tone_stream://%(100,0,440)"); err != nil {
		t.Errorf("the call that was answered cannot be used: %v", err)
	}
}

// TestOriginateRaw does not know the leg before it is answered, and follows it from then on.
func TestOriginateRaw(t *testing.T) {
	overBoth(t, func(t *testing.T, ctx context.Context, s *subject) {
		request := call.Originate{To: call.RawDial("user/1000,user/never"), Vars: call.Vars{"purpose": "a b"}}
		c, err := s.orig.Originate(ctx, request)
		if err != nil {
			t.Fatal(err)
		}
		if !c.Answered() || c.Variable("purpose") != "a b" {
			t.Errorf("answer state %q, variable %q", c.AnswerState(), c.Variable("purpose"))
		}
		if _, err := c.Playback(ctx, "tone_stream://%(100,0,440)"); err != nil {
			t.Errorf("playing to the new call: %v", err)
		}
		s.fs.Leg(c.UUID()).Hangup("CALL_REJECTED")
		if cause, err := c.WaitHangup(ctx); err != nil || cause != call.CallRejected {
			t.Errorf("the callee has hung up, and the channel says %q, %v", cause, err)
		}
		request.App.Name = "hangup"
		if c, err = s.orig.Originate(ctx, request); err != nil {
			t.Fatal(err)
		}
		if _, err := c.WaitHangup(ctx); err != nil {
			t.Errorf("the call has ended before it was known, and its channel lives on: %v", err)
		}
	})
}

// TestCancelledRawOriginate cannot name the legs, and ends them all the same.
func TestCancelledRawOriginate(t *testing.T) {
	overBoth(t, func(t *testing.T, ctx context.Context, s *subject) {
		for _, raw := range []string{"user/never,user/never2", "{origination_uuid=" + esl.NewUUID() + "}user/never"} {
			before := s.channels()
			stopped, cancel := context.WithCancel(ctx)
			go func() {
				s.untilChannels(func(n int) bool { return n > before })
				cancel()
			}()
			_, err := s.orig.Originate(stopped, call.Originate{To: call.RawDial(raw)})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s: got %v", raw, err)
			}
			cancel()
			s.untilChannels(func(n int) bool { return n <= before })
		}
	})
}
