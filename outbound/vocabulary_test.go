package outbound_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/call"
	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/esl/esltest"
	"github.com/genesis-esl/genesis/outbound"
)

// TestVocabulary says every word once.
func TestVocabulary(t *testing.T) {
	overBoth(t, func(t *testing.T, ctx context.Context, s *subject) {
		file := filepath.Join(t.TempDir(), "a.wav")
		for _, word := range []struct {
			name string
			say  func() error
		}{
			{"ring ready", func() error { return s.ch.RingReady(ctx) }},
			{"pre-answer", func() error { return s.ch.PreAnswer(ctx) }},
			{"answer", func() error { return s.ch.Answer(ctx) }},
			{"answer again", func() error { return s.ch.Answer(ctx) }},
			{"wait for the answer", func() error { return s.ch.WaitAnswer(ctx) }},
			{"sleep", func() error { return s.ch.Sleep(ctx, 20*time.Millisecond) }},
			{"log", func() error { return s.ch.Log(ctx, "INFO", "hello, it's me") }},
			{"say", func() error { return s.ch.Say(ctx, call.Say{Text: "1234"}) }},
			{"speak", func() error { return s.ch.Speak(ctx, call.Speech{Engine: "flite", Voice: "kal", Text: "it's me"}) }},
			{"hold", func() error { return s.ch.Hold(ctx) }},
			{"unhold", func() error { return s.ch.Unhold(ctx) }},
			{"record in the background", func() error { return s.ch.StartRecord(ctx, file) }},
			{"stop recording", func() error { return s.ch.StopRecord(ctx, file) }},
			{"record", func() error {
				_, err := s.ch.Record(ctx, call.Recording{File: file, Limit: time.Second, Silence: 3 * time.Second})
				return err
			}},
			{"send", func() error { _, err := s.ch.Send(ctx, esl.Line("noevents")); return err }},
		} {
			if word.name == "send" && s.ch.Mode() != call.AsyncFull {
				continue
			}
			if err := word.say(); err != nil {
				t.Errorf("%s: %v", word.name, err)
			}
		}
	})
}

// TestRefusals says what cannot be said.
func TestRefusals(t *testing.T) {
	overBoth(t, func(t *testing.T, ctx context.Context, s *subject) {
		for name, say := range map[string]func() error{
			"nothing to play":     func() error { _, err := s.ch.Playback(ctx, ""); return err },
			"variables in a file": func() error { _, err := s.ch.Playback(ctx, "%[a=b]c.wav"); return err },
			"nothing to say":      func() error { return s.ch.Say(ctx, call.Say{}) },
			"two words": func() error {
				return s.ch.Say(ctx, call.Say{Text: "1", Type: "number pronounced"})
			},
			"command in speech":       func() error { return s.ch.Speak(ctx, call.Speech{Text: "${system(reboot)}"}) },
			"engine in speech":        func() error { return s.ch.Speak(ctx, call.Speech{Text: "a|b"}) },
			"file with arguments":     func() error { _, err := s.ch.Record(ctx, call.Recording{File: "a.wav 5"}); return err },
			"no file":                 func() error { return s.ch.StartRecord(ctx, "") },
			"no prompt":               func() error { _, err := s.ch.PlayAndGetDigits(ctx, call.Digits{}); return err },
			"no conference":           func() error { return s.ch.Conference(ctx, call.Conference{}) },
			"profile in its name":     func() error { return s.ch.Conference(ctx, call.Conference{Name: "a@b"}) },
			"application in a number": func() error { return s.ch.Transfer(ctx, call.Extension{Number: "&park()"}) },
			"both legs":               func() error { return s.ch.Transfer(ctx, call.Extension{Number: "-both 1"}) },
			"cause of two words":      func() error { return s.ch.Hangup(ctx, "A B") },
			"application of two words": func() error {
				_, err := s.ch.Execute(ctx, "play back", "")
				return err
			},
		} {
			if err := say(); !errors.Is(err, call.ErrUnencodable) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := s.ch.Execute(ctx, "playback", "a\nb"); !errors.Is(err, esl.ErrInjection) {
			t.Errorf("line break: %v", err)
		}
		if s.ch.Err() != nil {
			t.Errorf("the call has ended: %v", s.ch.Err())
		}
	})
}

func TestTransfer(t *testing.T) {
	overBoth(t, func(t *testing.T, ctx context.Context, s *subject) {
		if err := s.ch.Answer(ctx); err != nil {
			t.Fatal(err)
		}
		if err := s.ch.Transfer(ctx, call.Extension{Number: "9196"}); err != nil {
			t.Errorf("transfer: %v", err)
		}
		if !s.ch.Away() {
			t.Error("the channel does not know that it was transferred")
		}
	})
}

func TestPark(t *testing.T) {
	overBoth(t, func(t *testing.T, ctx context.Context, s *subject) {
		enough := errors.New("enough")
		stopped, cancel := context.WithTimeoutCause(ctx, 20*time.Millisecond, enough)
		defer cancel()
		if err := s.ch.Park(stopped); !errors.Is(err, enough) {
			t.Errorf("parked until %v", err)
		}
		if err := s.ch.Answer(ctx); err != nil {
			t.Errorf("channel unusable: %v", err)
		}
	})
}

// TestResumedCallLives looks that the end of the handler is not the call's.
func TestResumedCallLives(t *testing.T) {
	ended := make(chan *outbound.Session, 1)
	w := newWorld(t, &outbound.Server{
		Handler: outbound.HandlerFunc(func(ctx context.Context, s *outbound.Session) error {
			if err := s.Answer(ctx); err != nil {
				return err
			}
			return s.Resume(ctx)
		}),
		SessionHooks: &outbound.Hooks{SessionEnd: func(s *outbound.Session, _ time.Duration, err error) {
			if err != nil {
				t.Errorf("the handler returned %v", err)
			}
			ended <- s
		}},
	}, esltest.Config{})
	w.place(asyncFull)
	s := result(t, w, ended)
	if out := w.api("uuid_exists " + s.UUID()); out != "true" {
		t.Errorf("uuid_exists: %q", out)
	}
}

func TestConference(t *testing.T) {
	overBoth(t, func(t *testing.T, ctx context.Context, s *subject) {
		if err := s.ch.Answer(ctx); err != nil {
			t.Fatal(err)
		}
		s.during("conference", func() { s.kill(call.NormalClearing) })
		err := s.ch.Conference(context.WithoutCancel(ctx), call.Conference{Name: "room1", Flags: []string{"mute", "deaf"}})
		if !errors.Is(err, call.NormalClearing) {
			t.Errorf("got %v", err)
		}
	})
}

func TestStreams(t *testing.T) {
	overBoth(t, func(t *testing.T, ctx context.Context, s *subject) {
		all, some := s.ch.Events(), s.ch.Events("CHANNEL_EXECUTE")
		if err := s.ch.Answer(ctx); err != nil {
			t.Fatal(err)
		}
		if ev, err := some.Next(ctx); err != nil || ev.Name() != "CHANNEL_EXECUTE" {
			t.Errorf("got %v, %v", ev, err)
		}
		for range 100 {
			ev, err := all.Next(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if ev.Name() == "CHANNEL_EXECUTE_COMPLETE" {
				break
			}
		}
		s.kill(call.NormalClearing)
		background := context.WithoutCancel(ctx)
		if _, err := s.ch.WaitHangup(background); err != nil {
			t.Fatal(err)
		}
		last := ""
		for range 100 {
			ev, err := all.Next(background)
			if err != nil {
				break
			}
			last = ev.Name()
			if last == "CHANNEL_HANGUP_COMPLETE" {
				break
			}
		}
		if last != "CHANNEL_HANGUP_COMPLETE" {
			t.Errorf("the stream ended with %s", last)
		}
		if ev := s.ch.HangupComplete(); ev == nil {
			t.Error("no CHANNEL_HANGUP_COMPLETE")
		}
		some.Close()
		if ev, err := some.Next(background); err == nil {
			t.Errorf("a closed stream gives %v", ev)
		}
	})
}

// TestSlowConsumer ends a session whose handler lets events pile up.
func TestSlowConsumer(t *testing.T) {
	for name, limits := range map[string]esl.QueueLimits{"events": {Events: 5}, "bytes": {Bytes: 20_000}} {
		t.Run(name, func(t *testing.T) { slowConsumer(t, limits) })
	}
}

func slowConsumer(t *testing.T, limits esl.QueueLimits) {
	done := make(chan error, 1)
	w := newWorld(t, &outbound.Server{
		Queue: limits,
		Handler: outbound.HandlerFunc(func(ctx context.Context, s *outbound.Session) error {
			stream := s.Channel.Events() // and nobody reads it
			defer stream.Close()
			var err error
			for range 100 {
				if _, err = s.Execute(ctx, "set", "a=b"); err != nil {
					break
				}
			}
			done <- err
			return err
		}),
	}, esltest.Config{})
	w.place(asyncFull)
	if err := result(t, w, done); !errors.Is(err, esl.ErrSlowConsumer) {
		t.Errorf("got %v", err)
	}
}

// TestModes says clearly what a mode cannot do.
func TestModes(t *testing.T) {
	for extension, mode := range modes {
		t.Run("socket "+mode, func(t *testing.T) {
			done := make(chan struct{})
			w := serve(t, esltest.Config{Pace: 50}, func(ctx context.Context, s *outbound.Session) error {
				defer close(done)
				full, async := s.Mode().Full(), s.Mode().Async()
				if want := extension == asyncFull || extension == syncFull; full != want {
					t.Errorf("full: %v", full)
				}
				if want := extension == asyncFull || extension == asyncSingle; async != want {
					t.Errorf("async: %v", async)
				}
				_, err := s.API(ctx, "status")
				if refused := errors.Is(err, call.ErrMode); refused == full {
					t.Errorf("api: %v", err)
				}
				_, err = s.Originate(ctx, call.Originate{To: call.To(call.User("busy", ""))})
				if refused := errors.Is(err, call.ErrMode); refused == full {
					t.Errorf("originate: %v", err)
				}
				if err := s.Break(ctx); errors.Is(err, call.ErrMode) == async {
					t.Errorf("break: %v", err)
				}
				if err := s.SetMany(ctx, call.Vars{"a": "1", "b": "2 3"}); err != nil {
					t.Errorf("set: %v", err)
				}
				if v, err := s.GetVariable(ctx, "b"); err != nil || v != "2 3" {
					t.Errorf("get: %q, %v", v, err)
				}
				return s.Answer(ctx)
			})
			w.place(extension)
			result(t, w, done)
		})
	}
}

// TestAttendedTransfer consults somebody who hangs up first: the call goes on.
func TestAttendedTransfer(t *testing.T) {
	overBoth(t, func(t *testing.T, ctx context.Context, s *subject) {
		if err := s.ch.Answer(ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := s.ch.AttendedTransfer(ctx, call.To(call.User("short", ""))); err != nil {
			t.Errorf("a consultation that ends: %v", err)
		}
		if b, err := s.ch.AttendedTransfer(ctx, call.To(call.User("busy", ""))); !errors.Is(err, call.UserBusy) || b.Answered || s.ch.Err() != nil {
			t.Errorf("to somebody busy: %+v, %v; call %v", b, err, s.ch.Err())
		}
		stopped, cancel := context.WithCancel(ctx)
		defer cancel()
		s.during("att_xfer", cancel)
		if _, err := s.ch.AttendedTransfer(stopped, call.To(call.User("never", ""))); !errors.Is(err, context.Canceled) {
			t.Errorf("stopped: %v", err)
		}
		if err := s.ch.Set(ctx, "after", "transfer"); err != nil {
			t.Errorf("channel unusable: %v", err)
		}
	})
}
