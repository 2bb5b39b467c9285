package esl

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Filter is one of FreeSWITCH's event filters. An event passes when any filter matches
// it and none rejects it, so further filters do not narrow the selection. Filters would
// also drop HEARTBEAT and BACKGROUND_JOB, so a Client adds filters that let these
// through; when all filters reject, it adds one that lets everything else through.
type Filter struct {
	// Header is the name of the header to look at, such as Unique-ID.
	Header string
	// Value is what the header must equal, without regard to case; or /re/, a regular
	// expression; or a minus sign and a text, which rejects events whose header equals
	// the text. FreeSWITCH takes no regular expression after the minus sign.
	Value string
}

// subscription is what a Client asks of every connection it opens.
type subscription struct {
	format  Format
	names   []string // event names, in the order first asked for; ALL alone stands for all
	classes []string // subclasses of CUSTOM
	filters []Filter
	// unanswered are those of names and classes that FreeSWITCH has not been asked for, or not
	// said a word about.
	unanswered []string
}

// add notes names, up to one that is none, and returns those that are new.
func (s *subscription) add(names ...string) (added []string, err error) {
	for _, name := range names {
		name = strings.TrimSpace(name)
		class, custom := strings.CutPrefix(name, "CUSTOM ")
		switch {
		case name == "" || strings.ContainsAny(class, " \t\r\n\x00"):
			return added, fmt.Errorf("esl: event %q: a name of FreeSWITCH's, a subclass of CUSTOM or ALL is allowed", name)
		case name == "*":
			name = "ALL"
		}
		list := &s.names
		if custom || !IsEventName(name) {
			list, name = &s.classes, class
		}
		if !slices.Contains(*list, name) {
			*list = append(*list, name)
			added = append(added, name)
		}
	}
	return added, nil
}

// remove takes back what add has added.
func (s *subscription) remove(added []string) {
	gone := func(name string) bool { return slices.Contains(added, name) }
	s.names = slices.DeleteFunc(slices.Clone(s.names), gone)
	s.classes = slices.DeleteFunc(slices.Clone(s.classes), gone)
}

// command returns the event command for everything subscribed to. What stands behind CUSTOM are
// subclasses to FreeSWITCH, so that it comes last.
func (s *subscription) command() Command {
	words := []string{"event", s.format.String()}
	custom := len(s.classes) > 0
	if slices.Contains(s.names, "ALL") {
		words = append(words, "ALL")
	} else {
		for _, name := range s.names {
			if name == "CUSTOM" {
				custom = true
				continue
			}
			words = append(words, name)
		}
	}
	if custom {
		words = append(append(words, "CUSTOM"), s.classes...)
	}
	return Line(strings.Join(words, " "))
}

// commands returns all that is needed to set up a fresh connection.
func (s *subscription) commands() []Command {
	var cmds []Command
	for _, f := range s.filters {
		cmds = append(cmds, Line("filter "+f.Header+" "+f.Value))
	}
	switch {
	case len(s.filters) == 0:
	case slices.ContainsFunc(s.filters, func(f Filter) bool { return !f.rejects() }):
		for _, name := range []string{"HEARTBEAT", "BACKGROUND_JOB"} {
			cmds = append(cmds, Line("filter Event-Name "+name))
		}
	default:
		// As soon as there is a filter, nothing passes but what one lets through.
		cmds = append(cmds, Line("filter Event-Name /./"))
	}
	return append(cmds, s.command())
}

// rejects reports whether what matches is kept away: the last sign before the value counts.
func (f Filter) rejects() bool {
	rest := strings.TrimLeft(f.Value, "+- ")
	signs := strings.TrimRight(f.Value[:len(f.Value)-len(rest)], " ")
	return strings.HasSuffix(signs, "-")
}

func checkFilters(filters []Filter) error {
	for _, f := range filters {
		if f.Header == "" || strings.ContainsAny(f.Header, " \t\r\n\x00") {
			return fmt.Errorf("esl: filter header %q: the name of one header is allowed", f.Header)
		}
		if f.Value == "" || strings.ContainsAny(f.Value, "\r\n\x00") {
			return fmt.Errorf("esl: filter %s: value %q: a text of one line is allowed", f.Header, f.Value)
		}
		if rest := strings.TrimLeft(f.Value, "+- "); rest != f.Value && strings.HasPrefix(rest, "/") {
			return fmt.Errorf("esl: filter %s: value %q: FreeSWITCH takes no regular expression behind a sign", f.Header, f.Value)
		}
	}
	return nil
}

// resubscribe asks a fresh connection for everything. Who calls Subscribe meanwhile comes behind
// it: events must not come before the filters.
func (c *Client) resubscribe(ctx context.Context, conn *Conn) error {
	c.subscribing <- struct{}{} // nobody holds it for long: the connection before has ended
	defer func() { <-c.subscribing }()
	c.mu.Lock()
	cmds, unanswered := c.sub.commands(), c.sub.unanswered
	c.sub.unanswered, c.events = nil, conn
	c.mu.Unlock()
	_, err := conn.Pipeline(ctx, cmds...)
	if err == nil {
		return nil
	}
	err = fmt.Errorf("esl: subscribing to %v: %w", c.Subscriptions(), err)
	c.mu.Lock()
	defer c.mu.Unlock()
	var refused *ReplyError
	if errors.As(err, &refused) {
		c.sub.remove(unanswered)
	} else {
		c.sub.unanswered = unanswered
	}
	return err
}
