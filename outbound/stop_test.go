package outbound_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/call"
	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/esl/esltest"
	"github.com/genesis-esl/genesis/outbound"
)

// TestStopInEveryMode ends the context of a playback: with async it stops, without it
// goes on, and the error says so.
func TestStopInEveryMode(t *testing.T) {
	for extension, mode := range modes {
		t.Run("socket "+mode, func(t *testing.T) {
			type outcome struct {
				played, next error
				after        time.Duration
			}
			done := make(chan outcome, 1)
			w := serve(t, esltest.Config{}, func(ctx context.Context, s *outbound.Session) error {
				if err := s.Answer(ctx); err != nil {
					return err
				}
				enough := errors.New("enough")
				stopped, cancel := context.WithCancelCause(ctx)
				defer cancel(nil)
				start := time.Now()
				if s.Mode().Async() {
					(&subject{world: worldOf(t), ch: s.Channel}).onStart(ctx, "playback", func() { cancel(enough) })
				} else {
					defer time.AfterFunc(100*time.Millisecond, func() { cancel(enough) }).Stop()
				}
				var o outcome
				_, o.played = s.Playback(stopped, "tone_stream://%(1500,0,440)")
				_, o.next = s.Execute(ctx, "set", "a=b")
				o.after = time.Since(start)
				if !errors.Is(o.played, enough) {
					t.Errorf("playback ended with %v", o.played)
				}
				done <- o
				return nil
			})
			w.place(extension)
			o := result(t, w, done)
			async := extension == asyncFull || extension == asyncSingle
			if errors.Is(o.played, call.ErrMode) == async {
				t.Errorf("playback ended with %v", o.played)
			}
			if o.next != nil {
				t.Errorf("channel unusable: %v", o.next)
			}
			// The simulator does not run break within another application, as FreeSWITCH does.
			if full := extension == asyncFull; extension != asyncSingle && full != (o.after < 1400*time.Millisecond) {
				t.Errorf("free again after %v", o.after)
			}
		})
	}
}

func worldOf(t *testing.T) *world { return &world{t: t} }

// onStart is during for a context of its own.
func (s *subject) onStart(ctx context.Context, app string, fn func()) {
	s.ctx = ctx
	s.on("CHANNEL_EXECUTE", func(ev *esl.Event) bool { return ev.Get("Application") == app }, fn)
}

// TestStopQueued ends the context of a playback that waits for its turn: the one that
// runs goes on, and the other is not played when its turn comes.
func TestStopQueued(t *testing.T) {
	overBoth(t, func(t *testing.T, ctx context.Context, s *subject) {
		if err := s.ch.Answer(ctx); err != nil {
			t.Fatal(err)
		}
		const first, second = "tone_stream://%(600000,0,440)", "tone_stream://%(600000,0,880)"
		playing, played := make(chan struct{}), make(chan error, 1)
		s.during("playback", func() { close(playing) })
		go func() {
			_, err := s.ch.Playback(ctx, first)
			played <- err
		}()
		result(t, s.world, playing)
		impatient, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		defer cancel()
		if _, err := s.ch.Playback(impatient, second); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the second ended with %v", err)
		}
		if now := s.fs.Leg(s.ch.UUID()).State(); now.App != "playback" || now.Data != first {
			t.Errorf("running now: %s %s", now.App, now.Data)
		}
		if err := s.ch.Break(ctx); err != nil {
			t.Error(err)
		}
		if err := result(t, s.world, played); err != nil {
			t.Errorf("the first ended with %v", err)
		}
		if _, err := s.ch.Execute(ctx, "set", "a=b"); err != nil {
			t.Errorf("the second was played all the same: %v", err)
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

// TestStopBehindSomebodyElse cancels an application over a client while a session's runs, which
// goes on; the one that was cancelled does not run when its turn has come.
func TestStopBehindSomebodyElse(t *testing.T) {
	playing, broken, played, after := make(chan string, 1), make(chan struct{}), make(chan error, 1), make(chan error, 1)
	w := serve(t, esltest.Config{}, func(ctx context.Context, s *outbound.Session) error {
		if err := s.Answer(ctx); err != nil {
			return err
		}
		playing <- s.UUID()
		_, err := s.Playback(ctx, "tone_stream://%(600000,0,440)")
		played <- err
		select {
		case <-broken:
		case <-ctx.Done():
		}
		_, err = s.Execute(ctx, "set", "a=b")
		after <- err
		return err
	})
	w.place(asyncFull)
	ctl := control(t, w)
	c := ctl.Attach(result(t, w, playing), nil)
	w.untilTrue(func() bool { return w.fs.Leg(c.UUID()).State().App == "playback" })
	ctx, cancel := context.WithTimeout(w.ctx, 100*time.Millisecond)
	defer cancel()
	if _, err := c.Playback(ctx, "tone_stream://%(600000,0,880)"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("ended with %v", err)
	}
	select {
	case err := <-played:
		t.Fatalf("somebody else's playback ended with %v", err)
	default:
	}
	w.api("uuid_break " + c.UUID())
	if err := result(t, w, played); err != nil {
		t.Error(err)
	}
	close(broken)
	if err := result(t, w, after); err != nil {
		t.Error(err)
	}
}
