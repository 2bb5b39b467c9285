package ring

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/genesis-esl/genesis/call"
)

// Destination is somebody who may take the call. Only To is required.
type Destination struct {
	// To is the dial string to call.
	To call.Dial
	// ID names the destination for the balancer and in logs. Empty: To as a dial string.
	ID string
	// Timeout is how long the destination rings. Zero: as the RingTime option says.
	Timeout time.Duration
	// Delay is how long after the start the destination begins to ring, in Parallel; at once when nobody else rings any
	// more. Other modes ignore it.
	Delay time.Duration
	// Weight is the destination's relative share of the calls, in Weighted. Zero means 1.
	Weight int
	// Vars are set on its legs, and override those of the Vars option.
	Vars call.Vars
}

func (d Destination) id() string {
	if d.ID != "" {
		return d.ID
	}
	return d.To.String()
}

// Answer is who took the call.
type Answer struct {
	// Channel is their leg, answered and parked. The caller of Ring has to bridge it or hang it up.
	Channel *call.Channel
	// Destination is who took the call, and Index its place in the list given.
	Destination Destination
	Index       int
	// Missed are the attempts that failed before, in the order in which they failed.
	Missed []Attempt
}

// Attempt is a destination that did not take the call, with its index in the list
// given.
type Attempt struct {
	Destination Destination
	Index       int
	// Err is the reason: usually a *call.HangupError; call.NoAnswer when its time was over; or ErrNotConfirmed.
	Err error
}

var (
	// ErrNoAnswer says that nobody took the call. The error is a *NoAnswerError.
	ErrNoAnswer = errors.New("ring: nobody answered")
	// ErrNotConfirmed is the error of a destination that answered but did not press the digit asked
	// for.
	ErrNotConfirmed = errors.New("ring: answered, but not accepted")
)

// NoAnswerError says that nobody took the call, and why. errors.Is finds ErrNoAnswer in it, and the errors of the
// attempts: errors.Is(err, call.UserBusy) is true when somebody was busy.
type NoAnswerError struct {
	// TimedOut says that the time of the Timeout option was over.
	TimedOut bool
	// Attempts are all calls that were made, in the order in which they failed.
	Attempts []Attempt
}

// Error tells what became of each attempt.
func (e *NoAnswerError) Error() string {
	text := ErrNoAnswer.Error()
	for i, a := range e.Attempts {
		separator := ", "
		if i == 0 {
			separator = ": "
		}
		text += fmt.Sprintf("%s%s: %v", separator, a.Destination.id(), a.Err)
	}
	return text
}

// Unwrap returns ErrNoAnswer and the errors of the attempts.
func (e *NoAnswerError) Unwrap() []error {
	errs := []error{ErrNoAnswer}
	for _, a := range e.Attempts {
		errs = append(errs, a.Err)
	}
	return errs
}

// Config makes a Ringer. The zero value is usable.
type Config struct {
	// Balancer counts calls. Nil: one in memory, of this Ringer alone.
	Balancer Balancer
	// MeterProvider and TracerProvider receive metrics and spans; nil records nothing.
	MeterProvider  metric.MeterProvider
	TracerProvider trace.TracerProvider
	// Logger is told when the balancer fails; the call then goes on without it. Nil means slog.Default().
	Logger *slog.Logger
}

// Ringer rings destinations. Make one with New. It is safe for concurrent use; a program
// needs only one.
type Ringer struct {
	balancer Balancer
	tel      *telemetry
	log      *slog.Logger
}

// New returns a Ringer. The error is that of making its metrics.
func New(cfg Config) (*Ringer, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	tel, err := newTelemetry(cfg.MeterProvider, cfg.TracerProvider, cfg.Balancer != nil)
	if err != nil {
		return nil, fmt.Errorf("ring: %w", err)
	}
	if cfg.Balancer == nil {
		cfg.Balancer = NewMemory()
	}
	return &Ringer{balancer: cfg.Balancer, tel: tel, log: cfg.Logger}, nil
}

// Ring calls destinations until one of them takes the call. It fails with a *NoAnswerError when none does, or when the
// time of the Timeout option is over; with context.Cause(ctx) when ctx ends; and with the *call.HangupError when the
// caller given by For hangs up. When it returns, nobody rings any more.
//
// with makes the calls: a call.Controller, or the caller's outbound.Session. Ring cancels attempts that are no longer
// wanted through a context whose cause is the hangup cause: call.LoseRace, call.OriginatorCancel or call.NoAnswer.
//
// No call is lost when the balancer fails: the destinations are then called in the order given. When Ring returns, the
// balancer counts only the attempt that won. A balancer that takes longer than a fifth of a second to end the others
// is left to do so in the background.
func (r *Ringer) Ring(ctx context.Context, with call.Originator, destinations []Destination, mode Mode, opts ...Option) (*Answer, error) {
	o := newOptions(opts)
	if err := check(destinations, mode, o); err != nil {
		return nil, err
	}
	ctx, report := r.tel.start(ctx, mode, len(destinations), o.timeout)
	ctx, cancel := o.bound(ctx)
	defer cancel()
	race := newRace(r, with, destinations, mode, o)
	answer, err := race.run(ctx)
	report(answer, err)
	return answer, err
}

func check(destinations []Destination, mode Mode, o options) error {
	if mode >= modes {
		return fmt.Errorf("ring: unknown mode %d", mode)
	}
	if len(destinations) == 0 {
		return errors.New("ring: nobody to call")
	}
	if o.timeout < 0 || o.ringTime <= 0 {
		return errors.New("ring: a time-out must not be negative")
	}
	for _, d := range destinations {
		if d.Timeout < 0 || d.Delay < 0 || d.Weight < 0 {
			return fmt.Errorf("ring: %s: Timeout, Delay and Weight must not be negative", d.id())
		}
		if _, err := d.To.Encode(); err != nil {
			return fmt.Errorf("ring: %w", err)
		}
	}
	return nil
}
