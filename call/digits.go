package call

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/genesis-esl/genesis/esl"
)

// Digits is what PlayAndGetDigits and ReadDigits ask for. The zero value of each
// field but File is usable.
type Digits struct {
	// Min and Max are how many digits to collect. Min defaults to 1, Max to Min.
	Min, Max int
	// Tries is how often to ask. Default 1. ReadDigits always asks once.
	Tries int
	// Timeout is how long to wait for the first digit after the prompt. Default 5 s.
	Timeout time.Duration
	// DigitTimeout is how long to wait for each further digit. Default: Timeout.
	DigitTimeout time.Duration
	// Terminators are the digits that end the entry early. Default "#"; "none" means
	// none.
	Terminators string
	// File is the prompt. Required by PlayAndGetDigits; ReadDigits waits in silence
	// without one.
	File string
	// InvalidFile is played after an invalid entry. Empty: nothing is played.
	InvalidFile string
	// Pattern is a regular expression, in FreeSWITCH's syntax (PCRE), that the whole
	// entry must match. Empty: any digits match. ReadDigits ignores it.
	Pattern string
}

// digitsVariable holds the entry.
const digitsVariable = "genesis_digits"

func (d Digits) withDefaults() Digits {
	d.Min = max(d.Min, 1)
	d.Max = max(d.Max, d.Min)
	d.Tries = max(d.Tries, 1)
	if d.Timeout <= 0 {
		d.Timeout = 5 * time.Second
	}
	if d.DigitTimeout <= 0 {
		d.DigitTimeout = d.Timeout
	}
	d.Terminators = cmp.Or(d.Terminators, "#")
	return d
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// PlayAndGetDigits plays a prompt and collects digits, which may interrupt the
// prompt. It returns them without the terminator. ErrNoDigits says that the caller
// pressed nothing valid within the tries.
func (c *Channel) PlayAndGetDigits(ctx context.Context, d Digits) (digits string, err error) {
	ctx, done := c.begin(ctx, opDigits, pathOf(d.File))
	defer func() { done(err) }()
	d = d.withDefaults()
	if err := d.check(); err != nil {
		return "", err
	}
	if d.File == "" {
		return "", fmt.Errorf("call: digits asked for without a prompt: %w", ErrUnencodable)
	}
	arg := strings.Join([]string{
		strconv.Itoa(d.Min), strconv.Itoa(d.Max), strconv.Itoa(d.Tries), milliseconds(d.Timeout), word(d.Terminators),
		word(d.File), word(cmp.Or(d.InvalidFile, "silence_stream://250")), digitsVariable,
		word(cmp.Or(d.Pattern, `[0-9*#]+`)), milliseconds(d.DigitTimeout),
	}, " ")
	ev, err := c.execute(ctx, "play_and_get_digits", arg)
	if err != nil {
		return "", err
	}
	return entered(ev, d)
}

// ReadDigits collects digits once, with or without a prompt. It returns the digits
// that came before the timeout, even when they are fewer than Min; ErrNoDigits says
// that there were none.
func (c *Channel) ReadDigits(ctx context.Context, d Digits) (digits string, err error) {
	ctx, done := c.begin(ctx, opReadDigits)
	defer func() { done(err) }()
	d = d.withDefaults()
	if err := d.check(); err != nil {
		return "", err
	}
	arg := strings.Join([]string{
		strconv.Itoa(d.Min), strconv.Itoa(d.Max), word(cmp.Or(d.File, "silence_stream://10")), digitsVariable,
		milliseconds(d.Timeout), word(d.Terminators), milliseconds(d.DigitTimeout),
	}, " ")
	ev, err := c.execute(ctx, "read", arg)
	if err != nil {
		return "", err
	}
	if digits := ev.Variable(digitsVariable); digits != "" {
		return strings.Clone(digits), nil
	}
	return "", ErrNoDigits
}

func (d Digits) check() error {
	for what, s := range map[string]string{
		"prompt": d.File, "file for a wrong entry": d.InvalidFile, "pattern": d.Pattern, "terminators": d.Terminators,
	} {
		if err := checkData(what, s); err != nil {
			return err
		}
	}
	return nil
}

// entered takes the entry from the event that ended play_and_get_digits.
func entered(ev *esl.Event, d Digits) (string, error) {
	digits := ev.Variable(digitsVariable)
	if result := ev.Variable("read_result"); result == "failure" || result == "timeout" || len(digits) < d.Min {
		return "", ErrNoDigits
	}
	return strings.Clone(digits), nil
}
