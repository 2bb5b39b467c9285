package call

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/genesis-esl/genesis/esl"
)

// Errors to test for with errors.Is.
var (
	// ErrMode says that the mode of the socket cannot do what was asked, such as
	// stopping an application without async. The error is a *ModeError, which says
	// what the operation needs.
	ErrMode = errors.New("call: not possible in this socket mode")
	// ErrNoDigits says that the caller pressed no valid digits within the tries.
	ErrNoDigits = errors.New("call: no valid digits")
	// ErrNotStarted says that FreeSWITCH accepted an application but never began it.
	ErrNotStarted = errors.New("call: application did not start")
)

// HangupError says that a call has ended, or that one was never set up, and why.
// errors.Is(err, call.UserBusy) compares the cause.
type HangupError struct {
	// UUID is the channel that ended; empty when there never was one.
	UUID string
	// Cause is the hangup cause; empty when FreeSWITCH gave none.
	Cause Cause
	// Event is the CHANNEL_HANGUP event; nil when none was seen.
	Event *esl.Event
}

func (e *HangupError) Error() string {
	if e.UUID == "" {
		return "call: not set up: " + cmp.Or(string(e.Cause), "unknown cause")
	}
	return "call: " + e.UUID + " hung up: " + cmp.Or(string(e.Cause), "unknown cause")
}

// Unwrap returns the cause, for errors.Is.
func (e *HangupError) Unwrap() error { return e.Cause }

// ModeError says which argument of the dialplan's socket action is missing for an
// operation. errors.Is(err, ErrMode) is true for it.
type ModeError struct {
	// Operation is what was asked for, such as "stopping an application".
	Operation string
	// Mode is the mode of the socket.
	Mode Mode
	// Needs is the word missing in the dialplan: "async" or "full".
	Needs string
}

func (e *ModeError) Error() string {
	return fmt.Sprintf("call: %s needs %q in the dialplan's socket action, this one is %s", e.Operation, e.Needs, e.Mode)
}

// Is reports whether target is ErrMode.
func (e *ModeError) Is(target error) bool { return target == ErrMode }

// AppError says that an application ended without having done its work.
type AppError struct {
	// App is the application, such as "playback".
	App string
	// Response is FreeSWITCH's Application-Response, such as "FILE NOT FOUND".
	Response string
}

func (e *AppError) Error() string {
	return "call: " + e.App + ": " + strings.ToLower(e.Response)
}

// errorLabel puts an error into one of a closed set of words, for metrics.
func errorLabel(err error) string {
	var (
		hangup *HangupError
		refuse *esl.ReplyError
		app    *AppError
	)
	switch {
	case err == nil:
		return ""
	case errors.Is(err, ErrMode):
		return "mode"
	case errors.As(err, &hangup):
		return "hangup"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.Is(err, esl.ErrInjection), errors.Is(err, ErrUnencodable):
		return "refused"
	case errors.Is(err, esl.ErrSlowConsumer):
		return "slow_consumer"
	case errors.Is(err, esl.ErrDisconnected), errors.Is(err, esl.ErrClosed):
		return "disconnected"
	case errors.As(err, &refuse):
		return "protocol_error"
	case errors.As(err, &app):
		return "application"
	case errors.Is(err, ErrNoDigits):
		return "no_digits"
	default:
		return "other"
	}
}

// isRefused tells whether FreeSWITCH has answered a command with an error.
func isRefused(err error) bool {
	var refused *esl.ReplyError
	return errors.As(err, &refused)
}

// isGone tells whether FreeSWITCH says that there is no such channel.
func isGone(err error) bool {
	var refused *esl.ReplyError
	if !errors.As(err, &refused) {
		return false
	}
	text := strings.ToLower(refused.Text)
	return strings.Contains(text, "no such channel") || strings.Contains(text, "invalid session id") ||
		strings.Contains(text, "no such session") || strings.Contains(text, "cannot locate session") ||
		strings.Contains(text, "invalid uuid")
}
