package program

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/genesis-esl/genesis/consumer"
)

// consumerVerbs are what a consumer program can write.
var consumerVerbs = verbs{
	"api":       nil,
	"bgapi":     nil,
	"command":   {"headers", "body"},
	"subscribe": nil,
}

// nonNil keeps an error from coming with an empty result.
func nonNil(output string, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return output, nil
}

// subscribe adds to what the program gets. The first time, it ends that the
// program gets everything.
func (o *orders) subscribe(ctx context.Context, r request) error {
	var names []string
	if err := r.decode(&names); err != nil {
		return err
	}
	names = eventNames(names)
	for _, name := range names {
		if name == "" || strings.ContainsAny(name, " \r\n") {
			return invalid("subscribe: %q is no event name", name)
		}
		if name == consumer.ResyncEvent && !o.c.following {
			return invalid("subscribe: %s has to be asked for from the start, with --event", name)
		}
		if name == "*" || name == "ALL" {
			return invalid("subscribe: everything is what a program gets that does not subscribe")
		}
	}
	if client := o.c.wantMore(o.generation, names); client != nil {
		return client.Subscribe(ctx, names...)
	}
	return nil
}

// message is a command of any kind, with headers and a body.
type message struct {
	Line    string
	Headers map[string]string
	Body    string
}

// reserved are the commands that end the connection or begin it anew, subscriptions
// those that change which events come on it.
var (
	reserved      = []string{"exit", "...", "auth", "userauth", "connect", "resume"}
	subscriptions = []string{"event", "nixevent", "noevents", "myevents", "divert_events", "filter", "log", "nolog", "linger", "nolinger"}
)

// refuse returns an error for a command that is genesis' own. FreeSWITCH looks at how
// a line begins, whatever comes behind it.
func refuse(line string, call bool) error {
	line = strings.TrimSpace(line)
	begins := func(word string) bool { return len(line) >= len(word) && strings.EqualFold(line[:len(word)], word) }
	if i := slices.IndexFunc(reserved, begins); i >= 0 {
		return invalid("command: %s is for genesis itself", reserved[i])
	}
	if i := slices.IndexFunc(subscriptions, begins); i >= 0 && call {
		return invalid("command: %s would change the events of the call, which genesis itself goes by", subscriptions[i])
	} else if i >= 0 {
		return invalid("command: %s would have no effect on the events the program gets; use subscribe", subscriptions[i])
	}
	return nil
}

// newMessage reads what goes with the line of a command, in a call or not.
func newMessage(r request, line string, call bool) (message, error) {
	m := message{Line: line}
	if err := r.field("headers", &m.Headers); err != nil {
		return m, err
	}
	if err := r.field("body", &m.Body); err != nil {
		return m, err
	}
	if err := refuse(line, call); err != nil {
		return m, err
	}
	for name := range m.Headers {
		if strings.EqualFold(name, "Content-Length") {
			return m, invalid("headers: Content-Length is set for you")
		}
	}
	return m, nil
}

// BuildMessage writes the message as FreeSWITCH reads it.
func (m message) BuildMessage() string {
	var b strings.Builder
	b.WriteString(m.Line)
	for _, name := range slices.Sorted(maps.Keys(m.Headers)) {
		b.WriteString("\n" + name + ": " + m.Headers[name])
	}
	if m.Body != "" {
		b.WriteString("\nContent-Length: " + strconv.Itoa(len(m.Body)) + "\n\n" + m.Body)
	}
	return b.String()
}
