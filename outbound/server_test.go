package outbound_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/call"
	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/esl/esltest"
	"github.com/genesis-esl/genesis/outbound"
)

// TestSession answers, plays and hangs up in every mode of the socket application.
func TestSession(t *testing.T) {
	for extension, mode := range modes {
		t.Run("socket "+mode, func(t *testing.T) {
			done := make(chan error, 1)
			w := serve(t, esltest.Config{Pace: 20}, func(ctx context.Context, s *outbound.Session) error {
				err := func() error {
					if err := s.Answer(ctx); err != nil {
						return err
					}
					if !s.Answered() {
						return errors.New("not answered")
					}
					played, err := s.Playback(ctx, "tone_stream://%(500,200,440,480)")
					if err != nil {
						return err
					}
					if played.Response != "FILE PLAYED" {
						return errors.New("response " + played.Response)
					}
					return s.Hangup(ctx, call.UserBusy)
				}()
				cause, _ := s.WaitHangup(ctx)
				if err == nil && cause != call.UserBusy {
					err = errors.New("cause " + string(cause))
				}
				done <- err
				return err
			})
			w.place(extension)
			if err := result(t, w, done); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestCallerHangsUp ends the call under a running application.
func TestCallerHangsUp(t *testing.T) {
	for extension, mode := range modes {
		t.Run("socket "+mode, func(t *testing.T) {
			playing, done := make(chan struct{}, 1), make(chan error, 2)
			w := serve(t, esltest.Config{}, func(ctx context.Context, s *outbound.Session) error {
				if err := s.Answer(ctx); err != nil {
					return err
				}
				playing <- struct{}{}
				_, err := s.Playback(ctx, "tone_stream://%(600000,0,440)")
				done <- err
				<-ctx.Done()
				done <- context.Cause(ctx)
				return err
			})
			caller := w.place(extension)
			result(t, w, playing)
			w.untilPlaying(caller)
			w.api("uuid_kill " + caller + " CALL_REJECTED")
			for range 2 {
				if err := result(t, w, done); !isHangup(err) || !errors.Is(err, call.CallRejected) {
					t.Errorf("got %v, want a hangup with CALL_REJECTED", err)
				}
			}
		})
	}
}

// untilPlaying waits until the leg behind the caller runs playback.
func (w *world) untilPlaying(caller string) {
	w.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for range 2000 {
		other, err := w.by.API(w.ctx, "uuid_getvar "+caller+" other_loopback_leg_uuid")
		if err == nil {
			app, err := w.by.API(w.ctx, "uuid_getvar "+other+" current_application")
			if err == nil && app == "playback" {
				return
			}
		}
		<-tick.C
	}
	w.t.Error("playback never began")
}

func TestHandlerReturns(t *testing.T) {
	tests := []struct {
		name    string
		handler outbound.HandlerFunc
		want    call.Cause
	}{
		{"nil", func(ctx context.Context, s *outbound.Session) error { return s.Answer(ctx) }, call.NormalClearing},
		{"error", func(context.Context, *outbound.Session) error { return io.ErrUnexpectedEOF }, call.NormalTemporaryFailure},
		{"panic", func(context.Context, *outbound.Session) error { panic("at the disco") }, call.NormalTemporaryFailure},
		{"Goexit", func(context.Context, *outbound.Session) error { runtime.Goexit(); return nil }, call.NormalTemporaryFailure},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var panics atomic.Int32
			ended := make(chan *outbound.Session, 1)
			w := newWorld(t, &outbound.Server{
				Handler: tt.handler,
				SessionHooks: &outbound.Hooks{
					Panic: func(*outbound.Session, any, []byte) { panics.Add(1) },
					SessionEnd: func(s *outbound.Session, _ time.Duration, err error) {
						if (err == nil) != (tt.name == "nil") {
							t.Errorf("the session ended with %v", err)
						}
						ended <- s
					},
				},
			}, esltest.Config{})
			w.place(asyncFull)
			s := result(t, w, ended)
			if err := s.Err(); !errors.Is(err, tt.want) {
				t.Errorf("ended with %v, want %v", err, tt.want)
			}
			if want := tt.name == "panic"; (panics.Load() == 1) != want {
				t.Errorf("%d panics", panics.Load())
			}
			// The server goes on.
			w.place(asyncFull)
			result(t, w, ended)
		})
	}
}

func TestRejects(t *testing.T) {
	reasons := make(chan outbound.Reason, 10)
	hooks := &outbound.Hooks{Rejected: func(_ net.Addr, r outbound.Reason) { reasons <- r }}
	handler := outbound.HandlerFunc(func(ctx context.Context, s *outbound.Session) error {
		<-ctx.Done()
		return nil
	})
	t.Run("address", func(t *testing.T) {
		w := newWorld(t, &outbound.Server{
			Handler: handler, SessionHooks: hooks, Allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
		}, esltest.Config{})
		w.place(asyncFull)
		if r := result(t, w, reasons); r != outbound.NotAllowed {
			t.Errorf("rejected: %s", r)
		}
	})
	t.Run("too many", func(t *testing.T) {
		w := newWorld(t, &outbound.Server{Handler: handler, SessionHooks: hooks, MaxSessions: 1}, esltest.Config{})
		w.place(asyncFull)
		w.place(asyncFull)
		if r := result(t, w, reasons); r != outbound.TooMany {
			t.Errorf("rejected: %s", r)
		}
	})
	t.Run("too fast", func(t *testing.T) {
		reasons := make(chan outbound.Reason, 20)
		hooks := &outbound.Hooks{Rejected: func(_ net.Addr, r outbound.Reason) { reasons <- r }}
		w := newWorld(t, &outbound.Server{Handler: handler, SessionHooks: hooks, MaxRate: 1}, esltest.Config{})
		for range 10 {
			w.place(asyncFull)
		}
		if r := result(t, w, reasons); r != outbound.TooFast {
			t.Errorf("rejected: %s", r)
		}
	})
	t.Run("silence", func(t *testing.T) {
		srv := &outbound.Server{Handler: handler, SessionHooks: hooks, HandshakeTimeout: 50 * time.Millisecond}
		w := newWorld(t, srv, esltest.Config{})
		l := w.dialServer()
		defer func() { _ = l.Close() }()
		if r := result(t, w, reasons); r != outbound.Handshake {
			t.Errorf("rejected: %s", r)
		}
		if _, err := io.Copy(io.Discard, l); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Logf("closed with %v", err)
		}
	})
}

// dialServer connects to our server without being FreeSWITCH.
func (w *world) dialServer() net.Conn {
	w.t.Helper()
	nc, err := net.Dial("tcp", w.addr)
	if err != nil {
		w.t.Fatal(err)
	}
	return nc
}

func TestShutdownWaitsForCalls(t *testing.T) {
	started, release := make(chan struct{}), make(chan struct{})
	w := serve(t, esltest.Config{}, func(ctx context.Context, s *outbound.Session) error {
		close(started)
		<-release
		return s.Answer(ctx)
	})
	w.place(asyncFull)
	result(t, w, started)
	short, cancel := context.WithCancel(w.ctx)
	down := make(chan error, 1)
	go func() { down <- w.srv.Shutdown(w.ctx) }()
	cancel()
	if _, err := net.Dial("tcp", w.addr); err == nil {
		<-short.Done() // the listener may close a moment later
	}
	close(release)
	if err := result(t, w, down); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

func TestShutdownLosesPatience(t *testing.T) {
	started, cause := make(chan struct{}), make(chan error, 1)
	w := serve(t, esltest.Config{}, func(ctx context.Context, s *outbound.Session) error {
		close(started)
		<-ctx.Done()
		cause <- context.Cause(ctx)
		return context.Cause(ctx)
	})
	w.place(asyncFull)
	result(t, w, started)
	ctx, cancel := context.WithTimeout(w.ctx, 20*time.Millisecond)
	defer cancel()
	if err := w.srv.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown: %v", err)
	}
	if err := result(t, w, cause); !errors.Is(err, outbound.ErrServerClosed) {
		t.Errorf("the handler's context ended with %v", err)
	}
}

func TestConnectEvent(t *testing.T) {
	events := make(chan *esl.Event, 1)
	w := serve(t, esltest.Config{}, func(_ context.Context, s *outbound.Session) error {
		if s.Get("Caller-Destination-Number") != asyncFull || s.Variable("direction") != "inbound" {
			t.Errorf("destination %q, direction %q", s.Get("Caller-Destination-Number"), s.Variable("direction"))
		}
		if s.Mode() != call.AsyncFull || s.State() != call.StateExecute {
			t.Errorf("mode %v, state %v", s.Mode(), s.State())
		}
		events <- s.ConnectEvent()
		return nil
	})
	w.place(asyncFull)
	if ev := result(t, w, events); ev.Name() != "CHANNEL_DATA" || ev.UUID() == "" {
		t.Errorf("got %v", ev)
	}
}

// TestListenAndServe ends with its context, and fails at once for what cannot be served.
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

// TestSessionSurface asks a session what its channel does not know: its connection, its legs,
// and commands of its own.
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

// TestCloseHangsUp closes the server while callers hear music: FreeSWITCH plays to the
// end what runs when a connection closes, which would be never.
func TestCloseHangsUp(t *testing.T) {
	for _, extension := range []string{asyncFull, asyncSingle} {
		t.Run("socket "+modes[extension], func(t *testing.T) {
			playing, done := make(chan string, 1), make(chan error, 1)
			w := serve(t, esltest.Config{}, func(ctx context.Context, s *outbound.Session) error {
				if err := s.Answer(ctx); err != nil {
					return err
				}
				playing <- s.UUID()
				_, err := s.Playback(ctx, "local_stream://moh")
				done <- err
				return err
			})
			w.place(extension)
			leg := w.fs.Leg(result(t, w, playing))
			if err := leg.WaitApp(w.ctx, "playback"); err != nil {
				t.Fatal(err)
			}
			if err := w.srv.Close(); err != nil {
				t.Error(err)
			}
			if err := result(t, w, done); !errors.Is(err, outbound.ErrServerClosed) {
				t.Errorf("the music ended with %v", err)
			}
			if cause, err := leg.WaitHangup(w.ctx); err != nil || cause != string(call.NormalClearing) {
				t.Errorf("the caller hears %s, cause %q: %v", leg.State().App, cause, err)
			}
		})
	}
}
