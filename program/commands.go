package program

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/genesis-esl/genesis/consumer"
)

// consumerVerbs are what a consumer program can write.
var consumerVerbs = verbs{
	"api":       nil,
	"bgapi":     nil,
	"command":   {"headers", "body"},
	"subscribe": nil,
}

// line takes a line from the program's stdout: a command is carried out, anything
// else logged. Commands run one after the other, in the order written; only a
// bgapi does not hold up the next.
func (c *Consumer) line(ctx context.Context, p *process, generation int, line []byte, cut int) {
	if cut > 0 {
		logOutput(c.logger(), slog.LevelWarn, "stdout", p.pid(), line, cut)
		return
	}
	r, err := consumerVerbs.parseRequest(line)
	if err == errNoRequest {
		logOutput(c.logger(), slog.LevelInfo, "stdout", p.pid(), line, 0)
		return
	}
	if err != nil {
		c.answer(ctx, generation, r, nil, err)
		return
	}
	if r.verb != "bgapi" {
		limited, cancel := context.WithTimeout(ctx, orDefault(c.CommandTimeout, 30*time.Second))
		defer cancel()
		result, err := c.execute(limited, r)
		c.answer(ctx, generation, r, result, err)
		return
	}
	select {
	case c.jobs <- struct{}{}:
	case <-ctx.Done():
		return
	}
	c.commands.Go(func() {
		defer func() { <-c.jobs }()
		result, err := c.execute(ctx, r)
		c.answer(ctx, generation, r, result, err)
	})
}

// answer sends the reply, or logs a failure nobody asked about.
func (c *Consumer) answer(ctx context.Context, generation int, r request, result any, err error) {
	if r.id == nil {
		if err != nil && ctx.Err() == nil {
			c.logger().WarnContext(ctx, "a command of the program failed", "command", r.verb, "error", err)
		}
		return
	}
	_ = c.feed.addReply(ctx, generation, encodeReply(r.id, result, err)) // fails when the program is ending
}

// execute carries out a command. It waits for the first connection.
func (c *Consumer) execute(ctx context.Context, r request) (any, error) {
	if r.verb == "subscribe" {
		return nil, c.subscribe(ctx, r)
	}
	text, err := r.text()
	if err != nil {
		return nil, err
	}
	select {
	case <-c.connected:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	client := c.client.Load()
	switch r.verb {
	case "api":
		return nonNil(client.API(ctx, text))
	case "bgapi":
		return nonNil(client.BgAPI(ctx, text))
	default:
		cmd, err := newMessage(r, text)
		if err != nil {
			return nil, err
		}
		reply, err := client.Send(ctx, cmd)
		if err != nil {
			return nil, err
		}
		return reply.Text(), nil
	}
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
func (c *Consumer) subscribe(ctx context.Context, r request) error {
	var names []string
	if err := r.decode(&names); err != nil {
		return err
	}
	for _, name := range names {
		if name == "" || strings.ContainsAny(name, " \r\n") {
			return invalid("subscribe: %q is no event name", name)
		}
		if name == consumer.ResyncEvent && !c.following {
			return invalid("subscribe: %s has to be asked for from the start, with --event", name)
		}
		if name == "*" || name == "ALL" {
			return invalid("subscribe: everything is what a program gets that does not subscribe")
		}
	}
	c.want(names)
	select {
	case <-c.connected:
	default:
		// Not connected yet: the subscription goes with the first connection.
		c.later.Lock()
		defer c.later.Unlock()
		if c.client.Load() == nil {
			c.pending = append(c.pending, names...)
			return nil
		}
	}
	return c.client.Load().Subscribe(ctx, names...)
}

// message is a command of any kind, with headers and a body.
type message struct {
	Line    string
	Headers map[string]string
	Body    string
}

func newMessage(r request, line string) (message, error) {
	m := message{Line: line}
	if err := r.field("headers", &m.Headers); err != nil {
		return m, err
	}
	if err := r.field("body", &m.Body); err != nil {
		return m, err
	}
	word, _, _ := strings.Cut(strings.TrimSpace(line), " ")
	switch word = strings.ToLower(word); word {
	case "auth", "userauth", "exit":
		return m, invalid("command: %s is for genesis itself", word)
	case "event", "events", "nixevent", "noevents", "myevents", "divert_events", "filter", "log", "nolog", "linger", "nolinger":
		return m, invalid("command: %s would have no effect on the events the program gets; use subscribe", word)
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
