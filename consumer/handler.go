package consumer

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/genesis-esl/genesis/esl"
)

// Handler reacts to an event. It must be safe for concurrent use, as events of
// different calls are handled in parallel. ctx ends when the app stops before
// the handler is done (see App.DrainTimeout); ClientFrom(ctx) sends commands.
// An error is logged and counted, and changes nothing else.
type Handler interface {
	HandleEvent(ctx context.Context, ev *esl.Event) error
}

// HandlerFunc is a function that is a Handler.
type HandlerFunc func(ctx context.Context, ev *esl.Event) error

// HandleEvent calls f.
func (f HandlerFunc) HandleEvent(ctx context.Context, ev *esl.Event) error { return f(ctx, ev) }

// Middleware wraps a Handler in another.
type Middleware func(Handler) Handler

// PanicError is the error of a handler that panicked or ended its goroutine.
type PanicError struct {
	// Value is what the handler panicked with; nil when it ended its goroutine.
	Value any
	// Stack is the handler's stack, as text.
	Stack []byte
}

func (e *PanicError) Error() string {
	if e.Value == nil {
		return "consumer: handler ended its goroutine"
	}
	return fmt.Sprintf("consumer: handler panicked: %v", e.Value)
}

// Unwrap returns the panic's value when it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// registration is a handler with what limits it to some events.
type registration struct {
	name    string
	handler Handler
	timeout time.Duration
	passive bool
	filters []func(*esl.Event) bool
}

// takes reports whether the event passes all filters.
func (r *registration) takes(ev *esl.Event) bool {
	for _, ok := range r.filters {
		if !ok(ev) {
			return false
		}
	}
	return true
}

// run runs the handler and turns a panic into an error.
func (r *registration) run(ctx context.Context, ev *esl.Event) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	if r.timeout > 0 {
		return r.runFor(ctx, ev)
	}
	return r.handler.HandleEvent(ctx, ev)
}

func (r *registration) runFor(ctx context.Context, ev *esl.Event) error {
	limited, cancel := context.WithTimeoutCause(ctx, r.timeout, errTimeout)
	defer cancel()
	err := r.handler.HandleEvent(limited, ev)
	if err != nil && context.Cause(limited) == errTimeout {
		return fmt.Errorf("%w of %v: %w", errTimeout, r.timeout, err)
	}
	return err
}

var errTimeout = errors.New("consumer: handler reached its timeout")

// failureOf sorts a handler's error.
func failureOf(err error) Failure {
	if err == nil {
		return ""
	}
	var panicked *PanicError
	switch {
	case errors.As(err, &panicked):
		return FailurePanic
	case errors.Is(err, errTimeout):
		return FailureTimeout
	default:
		return FailureError
	}
}
