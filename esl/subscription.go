package esl

import (
	"fmt"
	"slices"
	"strings"
)

// Filter is one of FreeSWITCH's event filters. Filters are an any-of list: an
// event passes when one of them matches, so that several narrow nothing further.
// A Client adds one for HEARTBEAT, which filters would drop too.
type Filter struct {
	// Header is the name of the header to look at, such as Unique-ID.
	Header string
	// Value is what the header must equal, without regard to case; or /re/, a regular
	// expression; or either behind a minus sign, which rejects what matches.
	Value string
}

// subscription is what a Client asks of every connection it opens.
type subscription struct {
	format  Format
	names   []string // event names, in the order first asked for; ALL alone stands for all
	classes []string // subclasses of CUSTOM
	filters []Filter
}

// add notes names and returns those that are new.
func (s *subscription) add(names ...string) (added []string, err error) {
	for _, name := range names {
		name = strings.TrimSpace(name)
		class, custom := strings.CutPrefix(name, "CUSTOM ")
		switch {
		case name == "" || strings.ContainsAny(class, " \t\r\n"):
			return nil, fmt.Errorf("esl: event %q: a name of FreeSWITCH's, a subclass of CUSTOM or ALL is allowed", name)
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

// command returns the event command for everything subscribed to.
func (s *subscription) command() Command {
	names := s.names
	if slices.Contains(names, "ALL") {
		names = []string{"ALL"}
	}
	line := "event " + s.format.String() + " " + strings.Join(names, " ")
	if len(s.classes) > 0 {
		line += " CUSTOM " + strings.Join(s.classes, " ")
	}
	return Line(line)
}

// commands returns all that is needed to set up a fresh connection.
func (s *subscription) commands() []Command {
	var cmds []Command
	positive := false
	for _, f := range s.filters {
		positive = positive || !strings.HasPrefix(f.Value, "-")
		cmds = append(cmds, Line("filter "+f.Header+" "+f.Value))
	}
	if positive {
		for _, name := range []string{"HEARTBEAT", "BACKGROUND_JOB"} {
			cmds = append(cmds, Line("filter Event-Name "+name))
		}
	}
	return append(cmds, s.command())
}

func checkFilters(filters []Filter) error {
	for _, f := range filters {
		if f.Header == "" || strings.ContainsAny(f.Header, " \t\r\n") {
			return fmt.Errorf("esl: filter header %q: the name of one header is allowed", f.Header)
		}
		if f.Value == "" || strings.ContainsAny(f.Value, "\r\n") {
			return fmt.Errorf("esl: filter %s: value %q: a text of one line is allowed", f.Header, f.Value)
		}
	}
	return nil
}
