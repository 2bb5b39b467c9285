package consumer

import (
	"context"
	"time"

	"github.com/genesis-esl/genesis/esl"
)

// Hooks tells a higher layer what happens to events inside an App. Every field
// may be nil, and costs nothing then. Hooks run on the goroutines that handle
// the events: they must be safe for concurrent use, return quickly, and never
// block.
type Hooks struct {
	// Routed runs once for each batch of events and each name in it: n events
	// found a handler, one registered for their name or subclass (hit), or only
	// one registered for "*". The number of different names is bounded; those
	// beyond it are called "other".
	Routed func(name string, hit bool, n int)

	// HandlerStart runs before a handler. The context that it returns goes to the
	// handler and to HandlerEnd.
	HandlerStart func(context.Context, *esl.Event) context.Context

	// HandlerEnd runs after a handler. The pointer is valid only during the call.
	HandlerEnd func(context.Context, *Handled)

	// Dropped counts events that were taken from the connection but will not be
	// handled, because the app stopped first (reason "shutdown").
	Dropped func(reason string, n int)
}

// Handled describes one run of one handler.
type Handled struct {
	// Event is what was handled.
	Event *esl.Event
	// Name is the event name, or the subclass of a CUSTOM event; "other" for
	// names beyond the bound on their number.
	Name string
	// Duration is how long the handler ran.
	Duration time.Duration
	// Failure says how the handler failed, and is empty when it did not.
	Failure Failure
	// Err is what the handler returned, or a *PanicError.
	Err error
}

// Failure is a way in which a handler fails.
type Failure string

const (
	// FailureError is an error returned.
	FailureError Failure = "error"
	// FailurePanic is a panic, or the end of the handler's goroutine.
	FailurePanic Failure = "panic"
	// FailureTimeout is the end of the time that option Timeout gave.
	FailureTimeout Failure = "timeout"
)
