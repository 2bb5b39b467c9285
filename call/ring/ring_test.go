package ring_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/call"
	"github.com/genesis-esl/genesis/call/ring"
	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/esl/esltest"
	"github.com/genesis-esl/genesis/internal/faultproxy"
)

// soon is what must not take as long as a ringing telephone.
const soon = 5 * time.Second

func TestOneOfTwoAnswersAtOnce(t *testing.T) {
	w := newWorld(t, esltest.Endpoint{Match: "user/rings", Answer: -1})
	start := time.Now()
	answer := w.ring(users("rings", "answers"), ring.Parallel)
	if answer.Destination.ID != "answers" || answer.Index != 1 || time.Since(start) > soon {
		t.Errorf("%q won after %s", answer.Destination.ID, time.Since(start))
	}
	w.alone(answer)
}

func TestTwoAnswerBeforeAnybodyWaits(t *testing.T) {
	w := newWorld(t)
	next, losers := 0, 0
	for range 20 {
		answer := w.ring(users("one", "two"), ring.Parallel)
		w.alone(answer)
		if err := answer.Channel.Hangup(w.ctx, ""); err != nil {
			t.Fatal(err)
		}
		from := next
		_, next = w.await("CHANNEL_HANGUP", answer.Destination.ID, from)
		for _, s := range w.sights(from, next) {
			if s.event != "CHANNEL_HANGUP" || s.user == answer.Destination.ID {
				continue
			}
			losers++
			if s.cause != "LOSE_RACE" {
				t.Errorf("the loser was hung up with %q", s.cause)
			}
		}
	}
	if losers == 0 { // one that had not even been called when the other answered has no leg
		t.Error("nobody ever lost")
	}
}

func TestOneIsBusyAndOneAnswers(t *testing.T) {
	w := newWorld(t, esltest.Endpoint{Match: "user/answers", Ring: 50 * time.Millisecond, Answer: 50 * time.Millisecond})
	for _, list := range [][]ring.Destination{users("busy", "answers"), users("answers", "busy")} {
		answer := w.ring(list, ring.Parallel)
		if answer.Destination.ID != "answers" {
			t.Errorf("%q won", answer.Destination.ID)
		}
		if len(answer.Missed) != 1 || !errors.Is(answer.Missed[0].Err, call.UserBusy) {
			t.Errorf("missed %+v", answer.Missed)
		}
		w.alone(answer)
		if err := answer.Channel.Hangup(w.ctx, ""); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSequentialWithABusyFirst(t *testing.T) {
	w := newWorld(t)
	start := time.Now()
	answer := w.ring(users("busy", "answers"), ring.Sequential)
	if answer.Destination.ID != "answers" || time.Since(start) > soon {
		t.Errorf("%q won after %s", answer.Destination.ID, time.Since(start))
	}
	w.alone(answer)
}

func TestNobodyAnswers(t *testing.T) {
	w := newWorld(t)
	for _, mode := range []ring.Mode{
		ring.Parallel, ring.Sequential, ring.Balancing, ring.RoundRobin, ring.Random, ring.LongestIdle, ring.Weighted,
	} {
		r := newRinger(t, ring.Config{})
		list := users("busy", "reject", "noanswer")
		list[2].Timeout = 100 * time.Millisecond
		_, err := r.Ring(w.ctx, w.calls, list, mode)
		var nobody *ring.NoAnswerError
		if !errors.As(err, &nobody) || len(nobody.Attempts) != 3 || nobody.TimedOut {
			t.Fatalf("%s: %v", mode, err)
		}
		for _, cause := range []error{ring.ErrNoAnswer, call.UserBusy, call.CallRejected, call.NoAnswer} {
			if !errors.Is(err, cause) {
				t.Errorf("%s: %v is not %v", mode, err, cause)
			}
		}
	}
	w.empty()
}

// empty waits until no leg is left.
func (w *world) empty() {
	w.t.Helper()
	for _, leg := range w.fs.Legs() {
		if _, err := leg.WaitHangup(w.ctx); err != nil {
			w.t.Errorf("a leg is still there: %v", err)
		}
	}
}

func TestTimeoutOfTheWhole(t *testing.T) {
	w := newWorld(t, esltest.Endpoint{Match: "user/", Answer: -1})
	_, err := newRinger(t, ring.Config{}).Ring(w.ctx, w.calls, users("1", "2"), ring.Sequential, ring.Timeout(100*time.Millisecond))
	var nobody *ring.NoAnswerError
	if !errors.As(err, &nobody) || !nobody.TimedOut || len(nobody.Attempts) != 1 {
		t.Errorf("got %v", err)
	}
	w.empty()
}

func TestDelay(t *testing.T) {
	w := newWorld(t, esltest.Endpoint{Match: "user/rings", Answer: -1})
	list := users("rings", "later")
	list[1].Delay = 200 * time.Millisecond
	start := time.Now()
	answer := w.ring(list, ring.Parallel)
	if took := time.Since(start); answer.Destination.ID != "later" || took < list[1].Delay {
		t.Errorf("%q won after %s", answer.Destination.ID, took)
	}

	list = users("busy", "later")
	list[1].Delay = time.Hour
	start = time.Now()
	answer = w.ring(list, ring.Parallel)
	if took := time.Since(start); answer.Destination.ID != "later" || took > soon {
		t.Errorf("nobody rang: %q won after %s", answer.Destination.ID, took)
	}
}

func TestConfirmation(t *testing.T) {
	w := newWorld(t,
		esltest.Endpoint{Match: "user/machine"},
		esltest.Endpoint{Match: "user/accepts", Ring: 100 * time.Millisecond},
		esltest.Endpoint{Match: "user/wins", Ring: 10 * time.Millisecond},
	)
	w.keys = map[string]string{"declines": "2", "accepts": "1", "wins": "1"}
	confirm := ring.Confirmed(ring.Confirm{File: "tone_stream://%(100,0,440)", Timeout: 10 * time.Second})
	for _, mode := range []ring.Mode{ring.Parallel, ring.Sequential} {
		answer := w.ring(users("declines", "accepts"), mode, confirm)
		if answer.Destination.ID != "accepts" || len(answer.Missed) != 1 || !errors.Is(answer.Missed[0].Err, ring.ErrNotConfirmed) {
			t.Errorf("%s: %q won, missed %+v", mode, answer.Destination.ID, answer.Missed)
		}
		w.alone(answer)
		if err := answer.Channel.Hangup(w.ctx, ""); err != nil {
			t.Error(err)
		}
	}
	answer := w.ring(users("machine", "wins"), ring.Parallel, confirm) // the machine is still being asked
	if answer.Destination.ID != "wins" {
		t.Errorf("%q won", answer.Destination.ID)
	}
	w.alone(answer)
}

// TestCallerHangsUp ends the caller while others ring, in every mode.
func TestCallerHangsUp(t *testing.T) {
	w := newWorld(t, esltest.Endpoint{Match: "user/caller"}, esltest.Endpoint{Match: "user/", Answer: -1})
	next := 0
	for _, mode := range []ring.Mode{ring.Parallel, ring.Sequential, ring.Balancing} {
		caller, err := w.calls.Originate(w.ctx, call.Originate{To: call.To(call.User("caller", ""))})
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error)
		go func() {
			_, err := newRinger(t, ring.Config{}).Ring(w.ctx, w.calls, users("a", "b"), mode, ring.For(caller))
			ended <- err
		}()
		_, next = w.await("CHANNEL_PROGRESS", "a", next)
		w.fs.Leg(caller.UUID()).Hangup("ORIGINATOR_CANCEL")
		var hangup *call.HangupError
		if err := <-ended; !errors.As(err, &hangup) || hangup.UUID != caller.UUID() {
			t.Errorf("%s: got %v", mode, err)
		}
		w.empty()
	}
}

func TestContextEnds(t *testing.T) {
	w := newWorld(t, esltest.Endpoint{Match: "user/", Answer: -1})
	enough := errors.New("enough")
	ctx, cancel := context.WithCancelCause(w.ctx)
	ended := make(chan error)
	go func() {
		_, err := newRinger(t, ring.Config{}).Ring(ctx, w.calls, users("a"), ring.Parallel)
		ended <- err
	}()
	w.await("CHANNEL_PROGRESS", "a", 0)
	cancel(enough)
	if err := <-ended; !errors.Is(err, enough) {
		t.Errorf("got %v", err)
	}
	w.empty()
	if _, err := newRinger(t, ring.Config{}).Ring(ctx, w.calls, users("a"), ring.Parallel); !errors.Is(err, enough) {
		t.Errorf("a context that had ended: %v", err)
	}
}

func TestRefuses(t *testing.T) {
	w := newWorld(t)
	r := newRinger(t, ring.Config{})
	bad := users("1")
	bad[0].Delay = -1
	for name, try := range map[string]func() (*ring.Answer, error){
		"nobody": func() (*ring.Answer, error) { return r.Ring(w.ctx, w.calls, nil, ring.Parallel) },
		"mode":   func() (*ring.Answer, error) { return r.Ring(w.ctx, w.calls, users("1"), ring.Mode(99)) },
		"delay":  func() (*ring.Answer, error) { return r.Ring(w.ctx, w.calls, bad, ring.Parallel) },
		"timeout": func() (*ring.Answer, error) {
			return r.Ring(w.ctx, w.calls, users("1"), ring.Parallel, ring.Timeout(-1))
		},
		"no dial": func() (*ring.Answer, error) { return r.Ring(w.ctx, w.calls, []ring.Destination{{}}, ring.Parallel) },
		"ringtime": func() (*ring.Answer, error) {
			return r.Ring(w.ctx, w.calls, users("1"), ring.Parallel, ring.RingTime(0))
		},
	} {
		if _, err := try(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	w.empty()
}

// leg is a caller over a client.
type leg struct {
	*call.Controller
	*call.Channel
}

func TestConnect(t *testing.T) {
	w := newWorld(t, esltest.Endpoint{Match: "user/short", Hangup: 100 * time.Millisecond})
	r := newRinger(t, ring.Config{})
	for _, who := range []string{"short", "long"} {
		caller, err := w.calls.Originate(w.ctx, call.Originate{To: call.To(call.User("caller", ""))})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(w.ctx)
		defer cancel()
		if who == "long" { // goes on until the caller is told to do something else
			go func() {
				if _, err := w.fs.Leg(caller.UUID()).Wait(w.ctx, func(s esltest.State) bool { return s.BridgedTo != "" }); err == nil {
					cancel()
				}
			}()
		}
		answer, _, err := r.Connect(ctx, leg{w.calls, caller}, users("busy", who), ring.Sequential)
		if who == "short" && err != nil || who == "long" && !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", who, err)
		}
		if answer == nil || answer.Destination.ID != who || answer.Channel.Err() == nil {
			t.Errorf("%s: taken by %+v", who, answer)
		}
		if err := caller.Hangup(w.ctx, ""); err != nil {
			t.Error(err)
		}
	}
	w.empty()
}

// TestConnectCallerHangsUp ends the caller before and while others ring.
func TestConnectCallerHangsUp(t *testing.T) {
	w := newWorld(t, esltest.Endpoint{Match: "user/caller"}, esltest.Endpoint{Match: "user/", Answer: -1})
	caller, err := w.calls.Originate(w.ctx, call.Originate{To: call.To(call.User("caller", ""))})
	if err != nil {
		t.Fatal(err)
	}
	r := newRinger(t, ring.Config{})
	connect := func() error {
		_, _, err := r.Connect(w.ctx, leg{w.calls, caller}, users("a", "b"), ring.Parallel)
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- connect() }()
	w.await("CHANNEL_PROGRESS", "a", 0)
	w.fs.Leg(caller.UUID()).Hangup("ORIGINATOR_CANCEL")
	start := time.Now()
	for _, err := range []error{<-ended, connect()} {
		var hangup *call.HangupError
		if !errors.As(err, &hangup) || hangup.UUID != caller.UUID() {
			t.Errorf("got %v", err)
		}
	}
	if took := time.Since(start); took > soon {
		t.Errorf("the others rang for %s more", took)
	}
	w.empty()
}

// TestConnectionLostForLong keeps FreeSWITCH out of reach until Ring or Connect has returned: the leg that is asked for
// a digit, or talks, is hung up when the connection is back.
func TestConnectionLostForLong(t *testing.T) {
	confirmed := ring.Confirmed(ring.Confirm{File: "tone_stream://%(600000,0,440)"})
	for name, run := range map[string]func(w *world, r *ring.Ringer, caller *call.Channel) error{
		"while asked": func(w *world, r *ring.Ringer, _ *call.Channel) error {
			_, err := r.Ring(w.ctx, w.calls, users("a"), ring.Parallel, confirmed)
			return err
		},
		"while connected": func(w *world, r *ring.Ringer, caller *call.Channel) error {
			_, _, err := r.Connect(w.ctx, leg{w.calls, caller}, users("a"), ring.Parallel)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			caller, err := w.calls.Originate(w.ctx, call.Originate{To: call.To(call.User("caller", ""))})
			if err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- run(w, newRinger(t, ring.Config{}), caller) }()
			called := func() (up []*esltest.Call) {
				for _, leg := range w.fs.Legs() {
					if leg.UUID() != caller.UUID() && !leg.State().HungUp {
						up = append(up, leg)
					}
				}
				return up
			}
			poll(t, func() bool {
				up := called()
				return len(up) == 1 && (up[0].State().App == "play_and_get_digits" || up[0].State().BridgedTo != "")
			})
			w.cable.Refuse(true)
			w.cable.Freeze() // both sockets at once: nothing goes over the other one
			w.cable.Cut(faultproxy.RST)
			if err := <-ended; !errors.Is(err, esl.ErrDisconnected) && !errors.Is(err, ring.ErrNoAnswer) {
				t.Errorf("ended with %v", err)
			}
			if len(called()) != 1 {
				t.Error("hung up without a connection")
			}
			w.cable.Thaw()
			w.cable.Refuse(false)
			poll(t, func() bool { return len(called()) == 0 })
		})
	}
}

// TestVars sets variables on every leg, those of a destination over those of all.
func TestVars(t *testing.T) {
	w := newWorld(t, esltest.Endpoint{Match: "user/", Ring: time.Millisecond, Answer: -1})
	list := users("plain", "special")
	list[1].Vars = call.Vars{"tenant": "its own"}
	done := make(chan error, 1)
	go func() {
		vars := call.Vars{"tenant": "acme, inc", "color": "blue"}
		_, err := newRinger(t, ring.Config{}).Ring(w.ctx, w.calls, list, ring.Parallel, ring.Vars(vars), ring.Timeout(soon))
		done <- err
	}()
	w.await("CHANNEL_PROGRESS", "plain", 0)
	w.await("CHANNEL_PROGRESS", "special", 0)
	seen := map[string]string{}
	for _, leg := range w.fs.Legs() {
		if !leg.State().HungUp {
			seen[leg.Variable("tenant")] = leg.Variable("color")
		}
	}
	if len(seen) != 2 || seen["acme, inc"] != "blue" || seen["its own"] != "blue" {
		t.Errorf("the legs have tenant and color %v", seen)
	}
	for _, leg := range w.fs.Legs() {
		leg.Answer()
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestDirectoryGroup rings groups of FreeSWITCH's directory.
func TestDirectoryGroup(t *testing.T) {
	w := newWorld(t, esltest.Endpoint{Match: `^group/nights@example\.net$`, Cause: "USER_NOT_REGISTERED"},
		esltest.Endpoint{Match: `^group/sales@example\.net$`}, esltest.Endpoint{Match: "", Cause: "UNALLOCATED_NUMBER"})
	answer := w.ring([]ring.Destination{
		{To: call.To(call.Group("nights", "example.net"))}, {To: call.To(call.Group("sales", "example.net"))},
	}, ring.Sequential)
	if answer.Index != 1 || len(answer.Missed) != 1 || !errors.Is(answer.Missed[0].Err, call.UserNotRegistered) {
		t.Errorf("%d answered, missed %+v", answer.Index, answer.Missed)
	}
	w.alone(answer)
}
