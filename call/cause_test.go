package call_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/genesis-esl/genesis/call"
)

func TestCause(t *testing.T) {
	tests := []struct {
		cause        call.Cause
		number, q850 int
		known        bool
	}{
		{call.NormalClearing, 16, 16, true},
		{call.UserBusy, 17, 17, true}, // as in h1_async_full: hangup_cause_q850 17
		{call.Interworking, 127, 127, true},
		{call.OriginatorCancel, 487, 16, true},
		{call.LoseRace, 702, 16, true},
		{call.None, 0, 0, true},
		{"", -1, 0, false},
		{"SOMETHING_NEW", -1, 16, false},
	}
	for _, tt := range tests {
		if got := tt.cause.Number(); got != tt.number {
			t.Errorf("%q.Number() = %d, want %d", tt.cause, got, tt.number)
		}
		if got := tt.cause.Q850(); got != tt.q850 {
			t.Errorf("%q.Q850() = %d, want %d", tt.cause, got, tt.q850)
		}
		if got := tt.cause.Known(); got != tt.known {
			t.Errorf("%q.Known() = %v", tt.cause, got)
		}
		if tt.known && call.CauseOf(tt.number) != tt.cause {
			t.Errorf("CauseOf(%d) = %q, want %q", tt.number, call.CauseOf(tt.number), tt.cause)
		}
	}
	if got := call.CauseOf(9999); got != "" {
		t.Errorf("CauseOf(9999) = %q", got)
	}
}

func TestHangupErrorIs(t *testing.T) {
	err := fmt.Errorf("wrapped: %w", &call.HangupError{UUID: "1", Cause: call.UserBusy})
	if !errors.Is(err, call.UserBusy) {
		t.Error("is not UserBusy")
	}
	if errors.Is(err, call.NoAnswer) {
		t.Error("is NoAnswer")
	}
	var hangup *call.HangupError
	if !errors.As(err, &hangup) || hangup.UUID != "1" {
		t.Errorf("as %v", hangup)
	}
}
