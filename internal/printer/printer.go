// Package printer is the app that runs when none is given: it writes every event to a stream, for people or as JSON
// lines.
package printer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/genesis-esl/genesis/consumer"
	"github.com/genesis-esl/genesis/esl"
)

// Config says what is written and how. The zero value writes all events for people.
type Config struct {
	// JSON writes each event as one line in FreeSWITCH's own shape.
	JSON bool
	// Events are the names and subclasses to subscribe to; empty for all.
	Events []string
	// Filters, as HEADER=VALUE, let through events that have one of the values given for a header, for every header given.
	Filters []string
	// Matches, as HEADER=REGEXP, let through events whose headers match, each of them.
	Matches []string
}

// New returns an app that writes events to w, each with one Write, those of one call in order. The error is for a filter
// that is none; an expression that is none is told by the app's Err.
func New(w io.Writer, cfg Config) (*consumer.App, error) {
	opts, err := cfg.options()
	if err != nil {
		return nil, err
	}
	names := cfg.Events
	if len(names) == 0 {
		names = []string{"*"}
	}
	app := consumer.New()
	// Names may overlap, as CUSTOM and a subclass do: a handler for each would print an event several times.
	app.Subscribe(names...)
	wanted := map[string]bool{}
	for _, name := range names {
		wanted[name] = true
	}
	all := wanted["*"] || wanted["ALL"]
	var mu sync.Mutex
	app.HandleFunc("*", func(_ context.Context, ev *esl.Event) error {
		if !all && !wanted[ev.Name()] && (ev.Name() != "CUSTOM" || !wanted[ev.Subclass()]) {
			return nil
		}
		line, err := cfg.line(ev)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		if _, err = w.Write(line); errors.Is(err, syscall.EPIPE) {
			return nil // who read has seen enough: that is no failure of ours, and a signal stops us
		}
		return err
	}, append(opts, consumer.Passive())...)
	return app, nil
}

// options turns filters into conditions. Values of one header are alternatives, however the header is spelt.
func (cfg Config) options() ([]consumer.Option, error) {
	var opts []consumer.Option
	values, headers := map[string][]string{}, []string(nil)
	for _, filter := range cfg.Filters {
		header, value, ok := strings.Cut(filter, "=")
		if !ok || header == "" {
			return nil, fmt.Errorf("filter %q: HEADER=VALUE is allowed", filter)
		}
		header = strings.ToLower(header)
		if !slices.Contains(headers, header) {
			headers = append(headers, header)
		}
		values[header] = append(values[header], value)
	}
	for _, header := range headers {
		opts = append(opts, consumer.OneOf(header, values[header]...))
	}
	for _, match := range cfg.Matches {
		header, expression, ok := strings.Cut(match, "=")
		if !ok || header == "" {
			return nil, fmt.Errorf("match %q: HEADER=REGEXP is allowed", match)
		}
		opts = append(opts, consumer.Match(header, expression))
	}
	return opts, nil
}

func (cfg Config) line(ev *esl.Event) ([]byte, error) {
	if !cfg.JSON {
		return []byte(text(ev)), nil
	}
	line, err := ev.MarshalJSON()
	return append(line, '\n'), err
}

// text is an event for people: when, what, which call, who with whom, and what matters for this kind of event.
func text(ev *esl.Event) string {
	name := ev.Name()
	if ev.Subclass() != "" {
		name += " " + ev.Subclass()
	}
	fields := []string{ev.Timestamp().Local().Format("15:04:05.000"), fmt.Sprintf("%-25s", printable(name))}
	if uuid := ev.UUID(); uuid != "" {
		fields = append(fields, printable(uuid), printable(ev.Get("Call-Direction")))
	}
	if from, to := ev.Get("Caller-Caller-ID-Number"), ev.Get("Caller-Destination-Number"); from != "" || to != "" {
		fields = append(fields, printable(from+" → "+to))
	}
	for _, header := range telling {
		if value, ok := ev.Lookup(header); ok {
			fields = append(fields, header+"="+printable(value))
		}
	}
	return strings.Join(fields, " ") + "\n"
}

// telling are the headers that say what an event is about.
var telling = []string{
	"Answer-State", "Channel-Call-State", "Hangup-Cause", "Application", "Application-Data", "Application-Response",
	"DTMF-Digit", "Other-Leg-Unique-ID", "Job-UUID", "Job-Command", "API-Command", "API-Command-Argument", "Event-Info",
	"Session-Count", "Idle-CPU", "Up-Time", "Action", "from-user",
}

// printable keeps what a peer has sent from moving the cursor.
func printable(s string) string {
	const most = 120
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '·'
		}
		return r
	}, s)
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
