package outbound_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/call"
	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/esl/esltest"
	"github.com/genesis-esl/genesis/outbound"
)

func TestListenAndServe(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	srv := &outbound.Server{Handler: outbound.HandlerFunc(func(context.Context, *outbound.Session) error { return nil })}
	served := make(chan error, 1)
	go func() { served <- srv.ListenAndServe(ctx, "127.0.0.1:0") }()
	cancel()
	if err := <-served; !errors.Is(err, outbound.ErrServerClosed) && !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
	if err := srv.ListenAndServe(context.Background(), "256.0.0.1:1"); err == nil {
		t.Error("listens on an address that is none")
	}
	if err := (&outbound.Server{}).ListenAndServe(context.Background(), "127.0.0.1:0"); err == nil {
		t.Error("serves without a handler")
	}
}

// TestFurtherEvents subscribes to more than a channel needs, in another format.
func TestFurtherEvents(t *testing.T) {
	for _, format := range []esl.Format{esl.Plain, esl.JSON, esl.XML} {
		t.Run(format.String(), func(t *testing.T) {
			type seen struct{ custom, media *esl.Event }
			got := make(chan seen, 1)
			ready := make(chan string, 1)
			w := newWorld(t, &outbound.Server{
				Format: format, Events: []string{"CHANNEL_APPLICATION", "PLAYBACK_START", "app::news"}, Linger: -1,
				Handler: outbound.HandlerFunc(func(ctx context.Context, s *outbound.Session) error {
					stream := s.Channel.Events("app::news", "PLAYBACK_START")
					defer stream.Close()
					ready <- s.UUID()
					custom, err := stream.Next(ctx)
					if err != nil {
						return err
					}
					if _, err := s.Playback(ctx, "tone_stream://%(10,0,440)"); err != nil {
						return err
					}
					media, err := stream.Next(ctx)
					got <- seen{custom, media}
					return err
				}),
			}, esltest.Config{})
			w.place(asyncFull)
			uuid := result(t, w, ready)
			if err := w.fs.Fire("CUSTOM", []esl.Header{
				{Name: "Event-Subclass", Value: "app::news"}, {Name: "Unique-ID", Value: uuid}, {Name: "What", Value: "a, b: c%"},
			}, ""); err != nil {
				t.Fatal(err)
			}
			s := result(t, w, got)
			if s.custom.Subclass() != "app::news" || s.custom.Get("What") != "a, b: c%" || s.media.Name() != "PLAYBACK_START" {
				t.Errorf("got %v, %v", s.custom, s.media)
			}
		})
	}
}

func TestSessionSurface(t *testing.T) {
	done := make(chan error, 1)
	w := serve(t, esltest.Config{}, func(ctx context.Context, s *outbound.Session) error {
		err := func() error {
			if s.RemoteAddr() == nil || s.CallState() == "" {
				return errors.New("no address or no call state")
			}
			out, err := s.BgAPI(ctx, "uuid_exists "+s.UUID())
			if err != nil || strings.TrimSpace(out) != "true" {
				return errors.Join(errors.New("bgapi: "+out), err)
			}
			if _, ok := s.Leg("none"); ok {
				return errors.New("has a leg that never was")
			}
			leg, err := s.Originate(ctx, call.Originate{To: call.To(call.User("1000", ""))})
			if err != nil {
				return err
			}
			if same, ok := s.Leg(leg.UUID()); !ok || same != leg {
				return errors.New("does not know its leg")
			}
			return nil
		}()
		done <- err
		return err
	})
	w.place(asyncFull)
	if err := result(t, w, done); err != nil {
		t.Error(err)
	}
	if n := w.srv.Sessions(); n > 1 {
		t.Errorf("%d sessions", n)
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

// countHandler counts error records.
type countHandler struct {
	slog.Handler
	n *atomic.Int32
}

func (h countHandler) Enabled(context.Context, slog.Level) bool { return true }

func (h countHandler) Handle(_ context.Context, r slog.Record) error {
	if r.Level >= slog.LevelError {
		h.n.Add(1)
	}
	return nil
}

func TestPanicInOnDTMF(t *testing.T) {
	var logged atomic.Int32
	done := make(chan error, 1)
	pressed := make(chan struct{})
	w := newWorld(t, &outbound.Server{
		Logger: slog.New(countHandler{slog.DiscardHandler, &logged}),
		Handler: outbound.HandlerFunc(func(ctx context.Context, s *outbound.Session) error {
			s.OnDTMF(func(context.Context, call.DTMF) {
				defer close(pressed)
				panic("at the disco")
			})
			_, err := s.Wait(ctx, "DTMF")
			<-pressed
			done <- errors.Join(err, s.Answer(ctx))
			return nil
		}),
	}, esltest.Config{})
	caller := w.place(asyncFull)
	w.pressUntil(caller, pressed)
	if err := result(t, w, done); err != nil {
		t.Errorf("the call suffered: %v", err)
	}
	w.untilTrue(func() bool { return logged.Load() == 1 })
}

// pressUntil presses a digit on the leg behind the caller, again until it is taken.
func (w *world) pressUntil(caller string, taken <-chan struct{}) {
	w.t.Helper()
	w.untilTrue(func() bool {
		if other, err := w.by.API(w.ctx, "uuid_getvar "+caller+" other_loopback_leg_uuid"); err == nil {
			_, _ = w.by.API(w.ctx, "uuid_recv_dtmf "+other+" 1") // it may not be up yet
		}
		select {
		case <-taken:
			return true
		default:
			return false
		}
	})
}

func (w *world) untilTrue(done func() bool) {
	w.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range 1000 {
		if done() {
			return
		}
		<-tick.C
	}
	w.t.Error("it never came true")
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

// TestStopBridge ends the context of a conversation.
func TestStopBridge(t *testing.T) {
	overBoth(t, func(t *testing.T, ctx context.Context, s *subject) {
		a, err := s.orig.Originate(ctx, call.Originate{To: call.To(call.User("1000", ""))})
		if err != nil {
			t.Fatal(err)
		}
		b, err := s.orig.Originate(ctx, call.Originate{To: call.To(call.User("1001", ""))})
		if err != nil {
			t.Fatal(err)
		}
		stopped, cancel := context.WithCancel(ctx)
		defer cancel()
		(&subject{world: s.world, ch: a}).on("CHANNEL_BRIDGE", anyEvent, cancel)
		if _, err := a.Bridge(stopped, b); err == nil {
			t.Error("a bridge that was stopped has no error")
		}
		result(t, s.world, b.Done())
	})
}
