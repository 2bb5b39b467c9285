package outbound_test

import (
	"context"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/call"
	"github.com/genesis-esl/genesis/esl/esltest"
	"github.com/genesis-esl/genesis/outbound"
)

// TestBridgeOfWhoTalks takes a call from the one it is connected with to another: the end of the first conversation is
// not that of the second.
func TestBridgeOfWhoTalks(t *testing.T) {
	w := serve(t, esltest.Config{}, func(context.Context, *outbound.Session) error { return nil })
	ctl := control(t, w)
	var legs []*call.Channel
	for range 3 {
		leg, err := ctl.Originate(w.ctx, call.Originate{To: call.To(call.User("1000", ""))})
		if err != nil {
			t.Fatal(err)
		}
		legs = append(legs, leg)
	}
	c, first, second := legs[0], legs[1], legs[2]
	if err := c.Connect(w.ctx, first); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		b, err := c.Bridge(w.ctx, second)
		if err == nil && b.Cause != call.UserBusy {
			t.Errorf("ended with %+v", b)
		}
		ended <- err
	}()
	w.untilTrue(func() bool { return c.Peer() == second.UUID() })
	select {
	case err := <-ended:
		t.Fatalf("ended while they talk: %v", err)
	case <-time.After(1200 * time.Millisecond): // longer than a leg is given to tell of its end
	}
	w.fs.Leg(second.UUID()).Hangup(string(call.UserBusy))
	if err := result(t, w, ended); err != nil {
		t.Error(err)
	}
}
