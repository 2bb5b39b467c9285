package esltest_test

import (
	"testing"

	"github.com/genesis-esl/genesis/esl/esltest"
)

func TestAttendedTransfer(t *testing.T) {
	srv := start(t, esltest.Config{Frame: -1})
	ctx := testContext(t)
	for name, tc := range map[string]struct {
		end    func(a, third *esltest.Call)
		joined bool
	}{
		"caller hangs up":      {func(a, _ *esltest.Call) { a.Hangup("") }, true},
		"third party hangs up": {func(_, third *esltest.Call) { third.Hangup("") }, false},
		"caller presses #":     {func(a, _ *esltest.Call) { a.Press("#") }, false},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := srv.Call(ctx, esltest.CallConfig{Actions: []esltest.Action{{App: "bridge", Data: "user/1002"}}})
			if err != nil {
				t.Fatal(err)
			}
			bridged := func(s esltest.State) bool { return s.BridgedTo != "" }
			state, err := a.Wait(ctx, bridged)
			if err != nil {
				t.Fatal(err)
			}
			b := srv.Leg(state.BridgedTo)
			if _, err := b.Wait(ctx, func(s esltest.State) bool { return s.Channel == "CS_EXCHANGE_MEDIA" }); err != nil {
				t.Fatal(err)
			}
			a.Execute("att_xfer", "{origination_uuid=third}user/1003")
			if state, err = a.Wait(ctx, func(s esltest.State) bool { return s.BridgedTo == "third" }); err != nil {
				t.Fatal(err)
			}
			third := srv.Leg("third")
			tc.end(a, third)
			if tc.joined {
				if _, err := b.Wait(ctx, func(s esltest.State) bool { return s.BridgedTo == "third" }); err != nil {
					t.Error(err)
				}
				b.Hangup("")
			} else {
				if _, err := a.Wait(ctx, func(s esltest.State) bool { return s.BridgedTo == b.UUID() }); err != nil {
					t.Error(err)
				}
				a.Hangup("")
			}
			for _, leg := range []*esltest.Call{a, b, third} {
				if err := leg.WaitEnded(ctx); err != nil {
					t.Error(err)
				}
			}
		})
	}
}
