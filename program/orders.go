package program

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/genesis-esl/genesis/esl"
)

// orders are the commands of one process of a Consumer.
type orders struct {
	c          *Consumer
	ctx        context.Context // of the commands; it outlives the process
	p          *process
	generation int
	turns      *turns
	jobs       chan struct{} // a place for each bgapi under way
	givenUp    atomic.Int64  // commands that ctx cut short
}

// read takes lines from the program's stdout until it ends: a command waits for its
// turn, anything else is logged.
func (o *orders) read() {
	readLines(&outlet{file: o.p.stdout}, maxLine, func(line []byte, cut int) bool {
		if cut > 0 {
			logOutput(o.c.logger(), slog.LevelWarn, "stdout", o.p.pid(), line, cut)
			return true
		}
		r, err := consumerVerbs.parseRequest(line)
		if err == errNoRequest {
			logOutput(o.c.logger(), slog.LevelInfo, "stdout", o.p.pid(), line, 0)
			return true
		}
		o.c.pending.enter()
		if err != nil {
			o.answer(r, nil, err)
		} else if !o.turns.add(r) {
			o.c.pending.leave()
		}
		return true
	})
	o.turns.close()
}

// work carries out commands one after the other, in the order written; only a bgapi
// does not hold up the next.
func (o *orders) work() {
	var jobs sync.WaitGroup
	for {
		r, ok := o.turns.next()
		if !ok {
			break
		}
		if r.verb != "bgapi" || o.ended() || !o.place() {
			o.inTurn(r)
			continue
		}
		jobs.Go(func() {
			defer func() { <-o.jobs }()
			o.carryOut(o.ctx, r)
		})
	}
	jobs.Wait()
	if n := o.turns.lost(); n > 0 {
		o.c.logger().Warn("commands of the program were given up: too many waited when it ended", "pid", o.p.pid(), "commands", n)
	}
	if n := o.givenUp.Load(); n > 0 {
		o.c.logger().Warn("commands of the program were not carried out, or not awaited to their end", "pid", o.p.pid(), "commands", n, "error", context.Cause(o.ctx))
	}
}

// place waits for a place among the bgapi under way. There is none once the program
// has ended, for then only that they are sent is waited for.
func (o *orders) place() bool {
	select {
	case o.jobs <- struct{}{}:
		return true
	case <-o.p.done:
	case <-o.ctx.Done():
	}
	return false
}

// inTurn carries out a command while the next one waits.
func (o *orders) inTurn(r request) {
	ctx, cancel := context.WithTimeout(o.ctx, o.c.commandTimeout())
	defer cancel()
	o.carryOut(ctx, r)
}

func (o *orders) carryOut(ctx context.Context, r request) {
	result, err := o.execute(ctx, r)
	o.answer(r, result, err)
}

// execute carries out a command. It waits for the first connection.
func (o *orders) execute(ctx context.Context, r request) (any, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx) // a connection that is open would take it all the same
	}
	if r.verb == "subscribe" {
		return nil, o.subscribe(ctx, r)
	}
	text, err := r.text()
	if err != nil {
		return nil, err
	}
	select {
	case <-o.c.connected:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	client := o.c.client.Load()
	switch r.verb {
	case "api":
		return nonNil(client.API(ctx, text))
	case "bgapi":
		if o.ended() { // nobody is there to learn of its end
			_, err := client.Send(ctx, esl.Line("bgapi "+text))
			return nil, err
		}
		return nonNil(client.BgAPI(ctx, text))
	default:
		cmd, err := newMessage(r, text, false)
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

func (o *orders) ended() bool {
	select {
	case <-o.p.done:
		return true
	default:
		return false
	}
}

// answer sends the reply, or logs a failure nobody asked about or can be told of.
func (o *orders) answer(r request, result any, err error) {
	defer o.c.pending.leave()
	if r.id != nil && o.c.feed.addReply(o.ctx, o.generation, encodeReply(r.id, result, err)) == nil {
		return
	}
	switch {
	case err == nil:
	case o.ctx.Err() != nil:
		o.givenUp.Add(1)
	default:
		o.c.logger().Warn("a command of the program failed", "command", r.verb, "error", err)
	}
}
