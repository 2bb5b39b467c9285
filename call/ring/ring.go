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

// Destination is one who may take the call. Only To is required.
type Destination struct {
	// To is who is called.
	To call.Dial
	// ID is what the balancer knows the destination by, and logs. Empty: To as a dial string.
	ID string
	// Timeout is how long it rings. Zero: as the RingTime option says.
	Timeout time.Duration
	// Delay is how long after the start it begins to ring, in Parallel; at once when nobody else rings any more.
	// Other modes do not know it.
	Delay time.Duration
	// Weight is how large its share of the calls is, in Weighted. Zero means 1.
	Weight int
	// Vars are set on its legs, over those of the Vars option.
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
	// Channel is their leg, answered and parked. Whoever called Ring bridges it or hangs it up.
	Channel *call.Channel
	// Destination is what was called, and Index its place in the list given.
	Destination Destination
	Index       int
	// Missed are those who failed before, in the order of their failing.
	Missed []Attempt
}

// Attempt is a destination that did not take the call.
type Attempt struct {
	Destination Destination
	Index       int
	// Err is why: a *call.HangupError as a rule; call.NoAnswer when its time was over; ErrNotConfirmed.
	Err error
}

var (
	// ErrNoAnswer says that nobody took the call. The error is a *NoAnswerError.
	ErrNoAnswer = errors.New("ring: nobody answered")
	// ErrNotConfirmed is that of a destination that answered but did not press the digit asked for.
	ErrNotConfirmed = errors.New("ring: answered, but not accepted")
)

// NoAnswerError says that nobody took the call, and why. errors.Is finds ErrNoAnswer in it, and the causes of the
// attempts: errors.Is(err, call.UserBusy) tells that somebody was busy.
type NoAnswerError struct {
	// TimedOut says that the time of the Timeout option was over.
	TimedOut bool
	// Attempts are all who were called, in the order of their failing.
	Attempts []Attempt
}

// Error tells what became of each.
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
	// Logger is told when the balancer fails, and the call goes on without it. Nil discards.
	Logger *slog.Logger
}

// Ringer rings. It is safe for concurrent use; make one for the program.
type Ringer struct {
	balancer Balancer
	tel      *telemetry
	log      *slog.Logger
}

// New returns a Ringer.
func New(cfg Config) (*Ringer, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
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

// Ring calls destinations until one of them takes the call. It fails with a *NoAnswerError when none does, also when
// the time of the Timeout option is over, and with context.Cause when ctx ends or, with the *call.HangupError, when
// the caller given by For hangs up. When it returns, nobody rings any more.
//
// Calls are made by with: a call.Controller, or the caller's outbound.Session. Attempts that are not wanted any more
// are cancelled with a context whose cause is the hangup cause: call.LoseRace, call.OriginatorCancel or call.NoAnswer.
//
// A balancer that fails costs no call: the destinations are then called in the order given. When Ring returns, the
// balancer counts no attempt any more but the one that won; one that needs longer than a fifth of a second for that is
// told in the background.
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
