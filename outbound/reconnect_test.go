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

// TestConnectionLost cuts the connection under an operation: it fails at once, and
// the channel can be used over the next connection.
func TestConnectionLost(t *testing.T) {
	w := serve(t, esltest.Config{}, func(context.Context, *outbound.Session) error { return nil })
	ctl := control(t, w)
	ch := ctl.Attach(w.parked(), nil)
	gone := ctl.Attach(w.parked(), nil)
	subject := &subject{world: w, ch: ch, orig: ctl}
	playing := make(chan struct{})
	subject.during("playback", func() { close(playing) })
	lost := make(chan error, 2)
	go func() {
		_, err := ch.Playback(w.ctx, "tone_stream://%(600000,0,440)")
		lost <- err
	}()
	go func() {
		_, err := gone.Wait(w.ctx, "CHANNEL_BRIDGE")
		lost <- err
	}()
	result(t, w, playing)
	_ = w.by.Close()
	w.fs.CutConnections()
	for range 2 {
		if err := result(t, w, lost); !errors.Is(err, esl.ErrDisconnected) {
			t.Errorf("ended with %v", err)
		}
	}
	result(t, w, w.up)
	if err := ch.Break(w.ctx); err != nil {
		t.Errorf("break: %v", err)
	}
	if _, err := ch.Execute(w.ctx, "set", "a=b"); err != nil {
		t.Errorf("channel unusable: %v", err)
	}
	if err := ch.Hangup(w.ctx, call.NormalClearing); err != nil {
		t.Errorf("hangup: %v", err)
	}
}

// TestHangupNeverSent loses the connection after a hangup whose context had ended: it is
// not taken for what has become of the call.
func TestHangupNeverSent(t *testing.T) {
	w := serve(t, esltest.Config{}, func(context.Context, *outbound.Session) error { return nil })
	ctl := control(t, w)
	ch := ctl.Attach(w.parked(), nil)
	ended, cancel := context.WithCancel(w.ctx)
	cancel()
	if err := ch.Hangup(ended, call.UserBusy); err == nil {
		t.Error("a hangup whose context had ended has no error")
	}
	ctl.Lost(esl.ErrClosed)
	if err := ch.Err(); !errors.Is(err, esl.ErrClosed) {
		t.Errorf("the channel ended with %v", err)
	}
	if w.fs.Leg(ch.UUID()).State().HungUp {
		t.Error("the call was hung up")
	}
}

// TestRestart looks that the channels of a FreeSWITCH that is no more have ended.
func TestRestart(t *testing.T) {
	w := serve(t, esltest.Config{}, func(context.Context, *outbound.Session) error { return nil })
	ctl := control(t, w)
	ch := ctl.Attach(w.parked(), nil)
	ended := make(chan error, 1)
	go func() { ended <- ch.Park(w.ctx) }()
	_ = w.by.Close()
	if err := w.fs.Restart(); err != nil {
		t.Fatal(err)
	}
	result(t, w, w.up)
	if err := result(t, w, ended); !isHangup(err) && !errors.Is(err, esl.ErrDisconnected) {
		t.Errorf("park ended with %v", err)
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-ch.Done():
	case <-timer.C:
		t.Error("the channel lives on")
	}
	if _, ok := ctl.Channel(ch.UUID()); ok {
		t.Error("the controller keeps the channel")
	}
}

// TestGoneChannel attaches to a call that is no more.
func TestGoneChannel(t *testing.T) {
	w := serve(t, esltest.Config{}, func(context.Context, *outbound.Session) error { return nil })
	ctl := control(t, w)
	for name, say := range map[string]func(*call.Channel) error{
		"answer": func(c *call.Channel) error { return c.Answer(w.ctx) },
		"set":    func(c *call.Channel) error { return c.Set(w.ctx, "a", "b") },
		"get":    func(c *call.Channel) error { _, err := c.GetVariable(w.ctx, "a"); return err },
		"break":  func(c *call.Channel) error { return c.Break(w.ctx) },
	} {
		ch := ctl.Attach(esl.NewUUID(), nil)
		if err := say(ch); !isHangup(err) {
			t.Errorf("%s: %v", name, err)
		}
		if _, ok := ctl.Channel(ch.UUID()); ok {
			t.Errorf("%s: the controller keeps the channel", name)
		}
	}
}

func TestUnboundController(t *testing.T) {
	ctl := call.NewController(context.Background(), nil, call.ControllerConfig{})
	defer ctl.Close(esl.ErrClosed)
	if _, err := ctl.Originate(context.Background(), call.Originate{To: call.To(call.User("1", ""))}); !errors.Is(err, call.ErrUnbound) {
		t.Errorf("got %v", err)
	}
	ch := ctl.Attach("1", nil)
	if err := ch.Answer(context.Background()); !errors.Is(err, call.ErrUnbound) {
		t.Errorf("got %v", err)
	}
	if again := ctl.Attach("1", nil); again != ch {
		t.Error("a channel was attached twice")
	}
	ctl.Detach(ch)
	if !errors.Is(ch.Err(), esl.ErrClosed) {
		t.Errorf("a detached channel ended with %v", ch.Err())
	}
	ctl.Close(esl.ErrClosed)
	if ch := ctl.Attach("2", nil); !errors.Is(ch.Err(), esl.ErrClosed) {
		t.Errorf("a channel of a closed controller has %v", ch.Err())
	}
}

// TestConnectionLostWhileOriginating cuts the connection while somebody is called:
// nobody rings any more when Originate has failed.
func TestConnectionLostWhileOriginating(t *testing.T) {
	for name, to := range map[string]call.Dial{
		"one":                 call.To(call.User("never", "")),
		"one after the other": call.To(call.User("never", "")).Then(call.User("never2", "")),
		"raw":                 call.RawDial("user/never,user/never2"),
	} {
		t.Run(name, func(t *testing.T) {
			w := serve(t, scenarioConfig(), func(context.Context, *outbound.Session) error { return nil })
			ctl := control(t, w)
			go func() {
				w.untilTrue(func() bool { return len(w.phones()) > 0 })
				w.fs.CutConnections()
			}()
			c, err := ctl.Originate(w.ctx, call.Originate{To: to})
			if !errors.Is(err, esl.ErrDisconnected) || c != nil {
				t.Errorf("got %v, %v", c, err)
			}
			if up := w.phones(); len(up) > 0 {
				t.Errorf("Originate has returned, and this goes on: %+v", up[0].State())
			}
		})
	}
}

// TestConnectionLostForLong keeps FreeSWITCH out of reach until Originate has failed, and
// lets the phone be answered meanwhile.
func TestConnectionLostForLong(t *testing.T) {
	w := serve(t, scenarioConfig(), func(context.Context, *outbound.Session) error { return nil })
	ctl := control(t, w)
	go func() {
		w.untilTrue(func() bool { return len(w.phones()) > 0 })
		if err := w.fs.Inject(esltest.Fault{Kind: esltest.FaultRefuse}); err != nil {
			t.Error(err)
		}
		w.fs.CutConnections()
		w.phones()[0].Answer()
	}()
	if _, err := ctl.Originate(w.ctx, call.Originate{To: call.To(call.User("never", ""))}); !errors.Is(err, esl.ErrDisconnected) {
		t.Errorf("got %v", err)
	}
	if len(w.phones()) == 0 {
		t.Error("hung up without a connection")
	}
	w.fs.Heal()
	w.untilTrue(func() bool { return len(w.phones()) == 0 })
}

// TestOriginateOverRestart makes calls as soon as FreeSWITCH is there again, on one socket, while
// the other one tells that all calls of before are gone.
func TestOriginateOverRestart(t *testing.T) {
	type made struct {
		ch  *call.Channel
		err error
	}
	w := serve(t, scenarioConfig(), func(context.Context, *outbound.Session) error { return nil })
	ctl := control(t, w)
	for range 4 {
		if err := w.fs.Stop(); err != nil {
			t.Fatal(err)
		}
		calls := make(chan made, 5)
		for range cap(calls) {
			go func() {
				ch, err := ctl.Originate(w.ctx, call.Originate{To: call.To(call.User("1000", ""))})
				calls <- made{ch, err}
			}()
		}
		if err := w.fs.Resume(); err != nil {
			t.Fatal(err)
		}
		result(t, w, w.up)
		for range cap(calls) {
			m := result(t, w, calls)
			if m.err != nil {
				continue // its socket was lost with the FreeSWITCH of before
			}
			if leg := w.fs.Leg(m.ch.UUID()); m.ch.Err() != nil && leg != nil && !leg.State().HungUp {
				t.Errorf("Originate returned a channel with %v, the call is up", m.ch.Err())
			}
		}
	}
}

// TestStateAfterOutage lets a call be answered, and another be connected, while the
// connection is lost: their channels learn of it, also where somebody waits already.
func TestStateAfterOutage(t *testing.T) {
	cfg := scenarioConfig()
	cfg.Extensions = []esltest.Extension{{Match: "^7100$", Actions: []esltest.Action{{App: "ring_ready"}, {App: "park"}}}}
	w := serve(t, cfg, func(context.Context, *outbound.Session) error { return nil })
	down := make(chan error, 1)
	ctl := control(t, w, func(cfg *esl.ClientConfig) { cfg.OnDown = func(err error) { down <- err } })
	placed, err := w.fs.Call(w.ctx, esltest.CallConfig{To: "7100"})
	if err != nil {
		t.Fatal(err)
	}
	ringing, unseen := ctl.Attach(placed.UUID(), nil), ctl.Attach(w.parked(), nil)
	if _, err := ringing.Execute(w.ctx, "set", "a=b"); err != nil || ringing.Answered() {
		t.Fatalf("answer state %q, %v", ringing.AnswerState(), err)
	}
	var legs [2]*call.Channel
	for i := range legs {
		if legs[i], err = ctl.Originate(w.ctx, call.Originate{To: call.To(call.User("1000", ""))}); err != nil {
			t.Fatal(err)
		}
		if err := legs[i].WaitPark(w.ctx); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.fs.Inject(esltest.Fault{Kind: esltest.FaultRefuse}); err != nil {
		t.Fatal(err)
	}
	w.fs.CutConnections()
	if err := result(t, w, down); err == nil {
		t.Error("a lost connection has no error")
	}
	waited := make(chan error, 2)
	go func() { waited <- ringing.WaitAnswer(w.ctx) }()
	go func() { waited <- unseen.WaitPark(w.ctx) }()
	w.fs.API(w.ctx, "uuid_answer "+ringing.UUID())
	w.fs.API(w.ctx, "uuid_bridge "+legs[0].UUID()+" "+legs[1].UUID())
	w.untilTrue(func() bool {
		return w.fs.Leg(ringing.UUID()).State().Answered && w.fs.Leg(legs[0].UUID()).State().BridgedTo != ""
	})
	w.fs.Heal()
	result(t, w, w.up)
	for range 2 {
		if err := result(t, w, waited); err != nil {
			t.Errorf("waiting: %v", err)
		}
	}
	if err := ringing.WaitAnswer(w.ctx); err != nil {
		t.Errorf("waiting for an answer that has come: %v", err)
	}
	if legs[0].Peer() != legs[1].UUID() || legs[1].Peer() != legs[0].UUID() || legs[0].Parked() {
		t.Errorf("connected with %q and %q, parked %v", legs[0].Peer(), legs[1].Peer(), legs[0].Parked())
	}
}

// TestEndDuringOutageOfRestrictedUser hangs a call up while the connection of a user is lost who
// may only ask whether there is one.
func TestEndDuringOutageOfRestrictedUser(t *testing.T) {
	cfg := scenarioConfig()
	cfg.Users = []esltest.User{{Name: "u@d", Password: "p", Events: []string{"ALL"}, API: []string{"uuid_exists"}}}
	w := serve(t, cfg, func(context.Context, *outbound.Session) error { return nil })
	ctl := control(t, w, func(cfg *esl.ClientConfig) { cfg.User, cfg.Password = "u@d", "p" })
	ended, lives := ctl.Attach(w.parked(), nil), ctl.Attach(w.parked(), nil)
	if err := w.fs.Inject(esltest.Fault{Kind: esltest.FaultRefuse}); err != nil {
		t.Fatal(err)
	}
	w.fs.CutConnections()
	w.fs.API(w.ctx, "uuid_kill "+ended.UUID())
	w.untilTrue(func() bool { return w.fs.Leg(ended.UUID()) == nil || w.fs.Leg(ended.UUID()).State().Ended })
	w.fs.Heal()
	result(t, w, w.up)
	result(t, w, ended.Context().Done())
	if err := lives.Err(); err != nil {
		t.Errorf("the call that goes on ended with %v", err)
	}
}

// TestPeerOfBeforeOutage cancels a bridge after the one before was taken elsewhere while
// the connection was lost: who was its peer talks on.
func TestPeerOfBeforeOutage(t *testing.T) {
	w := serve(t, scenarioConfig(), func(context.Context, *outbound.Session) error { return nil })
	ctl := control(t, w)
	a := ctl.Attach(w.parked(), nil)
	if err := a.Answer(w.ctx); err != nil {
		t.Fatal(err)
	}
	bridged := make(chan error, 1)
	go func() {
		_, err := a.BridgeTo(w.ctx, call.To(call.User("1000", "")))
		bridged <- err
	}()
	w.untilTrue(func() bool { return a.Peer() != "" })
	b := w.fs.Leg(a.Peer())
	w.fs.CutConnections()
	w.fs.API(w.ctx, "uuid_transfer "+b.UUID()+" 9999")
	w.untilTrue(func() bool { return w.fs.Leg(a.UUID()).State().BridgedTo == "" })
	if err := result(t, w, bridged); !errors.Is(err, esl.ErrDisconnected) {
		t.Errorf("the bridge ended with %v", err)
	}
	result(t, w, w.up)
	ctx, cancel := context.WithCancel(w.ctx)
	(&subject{world: w, ch: a}).during("bridge", cancel)
	if _, err := a.BridgeTo(ctx, call.To(call.User("never", ""))); !errors.Is(err, context.Canceled) {
		t.Errorf("the next bridge ended with %v", err)
	}
	if s := b.State(); s.HungUp {
		t.Errorf("who talks to somebody else was hung up: %+v", s)
	}
}
