package consumer

import (
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/genesis-esl/genesis/esl"
)

// Option limits a registration to some events, or sets how its handler runs.
// With several, an event has to pass all of them.
type Option func(*registration) error

// Where passes events whose header has exactly this value. The case of header
// names does not matter, that of values does.
func Where(header, value string) Option {
	return filter(func(ev *esl.Event) bool {
		got, ok := ev.Lookup(header)
		return ok && got == value
	})
}

// OneOf passes events whose header equals one of the values.
func OneOf(header string, values ...string) Option {
	values = slices.Clone(values)
	return filter(func(ev *esl.Event) bool {
		got, ok := ev.Lookup(header)
		return ok && slices.Contains(values, got)
	})
}

// Match passes events whose header matches the regular expression (in the
// syntax of package regexp) anywhere in its value; ^ and $ anchor it. With an
// expression that does not compile, Serve fails with an error that names it.
func Match(header, expression string) Option {
	re, err := regexp.Compile(expression)
	if err != nil {
		return func(*registration) error {
			return fmt.Errorf("bad regular expression %q for header %s: %w", expression, header, err)
		}
	}
	return filter(func(ev *esl.Event) bool {
		got, ok := ev.Lookup(header)
		return ok && re.MatchString(got)
	})
}

// Has passes events that have the header, even when it is empty.
func Has(header string) Option {
	return filter(func(ev *esl.Event) bool {
		_, ok := ev.Lookup(header)
		return ok
	})
}

// Passive makes a handler take only events that come anyway: it adds nothing to
// what the app subscribes to. It suits a handler for "*" that works like
// middleware.
func Passive() Option {
	return func(r *registration) error {
		r.passive = true
		return nil
	}
}

// Timeout ends the context of the handler after d. An error that the handler
// returns after that counts as a timeout. Zero sets no limit; a negative d
// makes Serve fail.
func Timeout(d time.Duration) Option {
	return func(r *registration) error {
		if d < 0 {
			return fmt.Errorf("negative timeout %v", d)
		}
		r.timeout = d
		return nil
	}
}

func filter(ok func(*esl.Event) bool) Option {
	return func(r *registration) error {
		r.filters = append(r.filters, ok)
		return nil
	}
}
