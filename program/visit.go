package program

import (
	"context"
	"log/slog"
	"math"
	"time"

	"github.com/genesis-esl/genesis/esl"
)

// stream is what delivers a call's events: a *call.Stream.
type stream interface {
	Next(ctx context.Context) (*esl.Event, error)
}

// read takes lines from the program's stdout until it ends.
func (v *visit) read() {
	readLines(&outlet{file: v.p.stdout}, maxLine, func(line []byte, cut int) bool {
		if cut > 0 {
			logOutput(v.log, slog.LevelWarn, "stdout", v.p.pid(), line, cut)
			return true
		}
		v.pending.enter()
		r, err := callVerbs.parseRequest(line)
		switch {
		case err == errNoRequest:
			v.pending.leave()
			logOutput(v.log, slog.LevelInfo, "stdout", v.p.pid(), line, 0)
		case err != nil:
			v.answer(r, nil, err)
		case v.overtakes(r):
			v.jobs <- struct{}{}
			v.atOnce.Go(func() {
				defer func() { <-v.jobs }()
				v.do(r)
			})
		case !v.turns.add(r):
			v.pending.leave()
		}
		return true
	})
	v.turns.close()
	if n := v.turns.lost(); n > 0 {
		v.log.Warn("commands of the program were given up: too many waited when it ended", "commands", n)
	}
}

// overtakes tells whether a command does not wait for those before it: one that
// stops them, and bgapi, which waits by itself.
func (v *visit) overtakes(r request) bool {
	var now bool
	_ = r.field("now", &now) // looked at again where it matters
	return r.verb == "break" || r.verb == "bgapi" || now
}

// work carries out commands in the order written.
func (v *visit) work() {
	for {
		r, ok := v.turns.next()
		if !ok {
			return
		}
		v.do(r)
	}
}

// do carries out one command. It ends with the call, as the library's operations
// do.
func (v *visit) do(r request) {
	ctx := v.s.Context()
	var seconds float64
	if err := r.field("timeout", &seconds); err != nil || seconds < 0 {
		v.answer(r, nil, invalid("timeout: a number of seconds is allowed"))
		return
	}
	if seconds > 0 {
		limited, cancel := context.WithTimeout(ctx, duration(seconds))
		defer cancel()
		ctx = limited
	}
	result, err := operations[r.verb].do(ctx, v, r)
	v.answer(r, result, err)
}

// answer sends the reply, or logs a failure nobody asked about; that the call is
// over is none.
func (v *visit) answer(r request, result any, err error) {
	defer v.pending.leave()
	if r.id != nil {
		_ = v.feed.addReply(context.Background(), 0, encodeReply(r.id, result, err)) // fails when the program has ended
		return
	}
	if err != nil && kindOf(err) != "hangup" {
		v.log.Warn("a command of the program failed", "command", r.verb, "error", err)
	}
}

// duration turns seconds into a duration, without overflow.
func duration(seconds float64) time.Duration {
	return time.Duration(min(max(seconds, 0)*float64(time.Second), float64(math.MaxInt64/2)))
}
