package outbound_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/genesis-esl/genesis/call"
	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/esl/esltest"
	"github.com/genesis-esl/genesis/outbound"
)

// phones are the legs to users that have not hung up.
func (w *world) phones() (up []*esltest.Call) {
	for _, leg := range w.fs.Legs() {
		if s := leg.State(); strings.HasPrefix(s.Name, "sofia/") && !s.HungUp {
			up = append(up, leg)
		}
	}
	return up
}

// TestCloseLeavesNoLeg closes the server while handlers have legs of their own: they are
// hung up over the connections that are open still.
func TestCloseLeavesNoLeg(t *testing.T) {
	user := call.Originate{To: call.To(call.User("1000", ""))}
	for name, handle := range map[string]func(context.Context, *outbound.Session) error{
		"hung up by the handler": func(ctx context.Context, s *outbound.Session) error {
			leg, err := s.Originate(ctx, user)
			if err != nil {
				return err
			}
			<-ctx.Done()
			return leg.Hangup(context.WithoutCancel(ctx), call.NormalClearing)
		},
		"bridged": func(ctx context.Context, s *outbound.Session) error {
			leg, err := s.Originate(ctx, user)
			if err != nil {
				return err
			}
			_, err = s.Bridge(ctx, leg)
			return err
		},
		"ringing": func(ctx context.Context, s *outbound.Session) error {
			_, err := s.Originate(ctx, call.Originate{To: call.To(call.User("never", ""))})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			ended := make(chan error, 1)
			w := serve(t, scenarioConfig(), func(ctx context.Context, s *outbound.Session) error {
				err := handle(ctx, s)
				ended <- err
				return err
			})
			w.place(asyncFull)
			w.untilTrue(func() bool {
				up := w.phones()
				return len(up) == 1 && (name != "bridged" || up[0].State().BridgedTo != "")
			})
			if err := w.srv.Close(); err != nil {
				t.Error(err)
			}
			if err := result(t, w, ended); err != nil && !errors.Is(err, outbound.ErrServerClosed) {
				t.Errorf("the handler ended with %v", err)
			}
			w.untilTrue(func() bool { return len(w.phones()) == 0 })
		})
	}
}

// TestCloseEndsOriginate closes a controller whose originate still rings.
func TestCloseEndsOriginate(t *testing.T) {
	w := serve(t, scenarioConfig(), func(context.Context, *outbound.Session) error { return nil })
	ctl := control(t, w)
	go func() {
		w.untilTrue(func() bool { return len(w.phones()) == 1 })
		ctl.Close(esl.ErrClosed)
	}()
	c, err := ctl.Originate(w.ctx, call.Originate{To: call.To(call.User("never", ""))})
	if !errors.Is(err, esl.ErrClosed) || c != nil {
		t.Errorf("got %v, %v", c, err)
	}
	if up := w.phones(); len(up) > 0 {
		t.Errorf("nobody has this call: %+v", up[0].State())
	}
}

// TestHangupAfterClose hangs up a call whose controller has been closed, over a client
// that has not.
func TestHangupAfterClose(t *testing.T) {
	w := serve(t, scenarioConfig(), func(context.Context, *outbound.Session) error { return nil })
	ctl := control(t, w)
	c, err := ctl.Originate(w.ctx, call.Originate{To: call.To(call.User("1000", ""))})
	if err != nil {
		t.Fatal(err)
	}
	ctl.Close(esl.ErrClosed)
	for range 2 { // the second time there is none
		if err := c.Hangup(w.ctx, call.CallRejected); err != nil {
			t.Errorf("hanging up: %v", err)
		}
	}
	if up := w.phones(); len(up) > 0 {
		t.Errorf("goes on: %+v", up[0].State())
	}
}

// TestParkedLegEndsWithSession returns from handlers that leave a leg behind: it is hung
// up, unless it has something to do without them.
func TestParkedLegEndsWithSession(t *testing.T) {
	nothing := func(context.Context, *outbound.Session, *call.Channel) error { return nil }
	for _, tt := range []struct {
		name  string
		app   call.App
		do    func(ctx context.Context, s *outbound.Session, leg *call.Channel) error
		lives bool
	}{
		{"parked", call.App{}, nothing, false},
		{"used", call.App{}, func(ctx context.Context, _ *outbound.Session, leg *call.Channel) error {
			_, err := leg.Playback(ctx, "tone_stream://%(100,0,440)")
			return err
		}, false},
		{"caller gone", call.App{}, func(ctx context.Context, s *outbound.Session, _ *call.Channel) error {
			_, err := s.API(ctx, "uuid_kill "+s.UUID())
			<-ctx.Done()
			return err
		}, false},
		{"parked on purpose", call.App{Name: "park"}, nothing, true},
		{"with an application", call.App{Name: "sleep", Args: "600000"}, nothing, true},
		{"application runs", call.App{}, func(ctx context.Context, _ *outbound.Session, leg *call.Channel) error {
			if err := leg.WaitPark(ctx); err != nil {
				return err
			}
			events := leg.Events("CHANNEL_EXECUTE")
			defer events.Close()
			go func() { // until the connection ends
				_, _ = leg.Playback(context.WithoutCancel(ctx), "tone_stream://%(600000,0,440)")
			}()
			_, err := events.Next(ctx)
			return err
		}, true},
		{"transferred", call.App{}, func(ctx context.Context, s *outbound.Session, leg *call.Channel) error {
			_, err := s.API(ctx, "uuid_transfer "+leg.UUID()+" sleep:600000 inline")
			return err
		}, true},
		{"bridged with another", call.App{}, func(ctx context.Context, s *outbound.Session, leg *call.Channel) error {
			other, err := s.Originate(ctx, call.Originate{To: call.To(call.User("1001", ""))})
			if err == nil {
				_, err = s.API(ctx, "uuid_bridge "+leg.UUID()+" "+other.UUID())
			}
			return err
		}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			legs := make(chan *call.Channel, 1)
			w := serve(t, scenarioConfig(), func(ctx context.Context, s *outbound.Session) error {
				leg, err := s.Originate(ctx, call.Originate{To: call.To(call.User("1000", "")), App: tt.app})
				if err == nil {
					err = tt.do(ctx, s, leg)
				}
				if err != nil {
					t.Error(err)
				}
				legs <- leg // nil if there is none
				return err
			})
			w.place(asyncFull)
			leg := result(t, w, legs)
			if leg == nil {
				t.Fatal("no leg")
			}
			result(t, w, leg.Done())
			now := w.fs.Leg(leg.UUID())
			if lives := now != nil && !now.State().HungUp; lives != tt.lives || isHangup(leg.Err()) == tt.lives {
				t.Errorf("lives %v, channel ended with %v", lives, leg.Err())
			}
		})
	}
}

// TestLegEndsWithSession looks that a leg's channel ends with the connection it is
// controlled over.
func TestLegEndsWithSession(t *testing.T) {
	legs := make(chan *call.Channel, 1)
	w := serve(t, esltest.Config{}, func(ctx context.Context, s *outbound.Session) error {
		leg, err := s.Originate(ctx, call.Originate{To: call.To(call.User("1000", "")), App: call.App{Name: "park"}})
		if err == nil {
			legs <- leg
		}
		return err
	})
	w.place(asyncFull)
	leg := result(t, w, legs)
	result(t, w, leg.Done())
	if !errors.Is(leg.Err(), esl.ErrDisconnected) {
		t.Errorf("ended with %v", leg.Err())
	}
}
