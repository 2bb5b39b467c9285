package program

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/genesis-esl/genesis/outbound"
)

// Outbound runs an executable for each call that FreeSWITCH hands over. The process
// reads the call's data and events from its stdin, and writes commands to its
// stdout. Outbound is an outbound.Handler, safe for concurrent use. Bound the
// number of processes with outbound.Server.MaxSessions, whose own default is far
// too high for that (genesis.Run uses DefaultMaxSessions).
//
// The file is looked up anew for each call: after a change, new calls get the new
// program, and calls in progress keep the old one.
type Outbound struct {
	// Path is the executable; Args are its arguments.
	Path string
	Args []string
	// Dir is the working directory; empty for our own.
	Dir string
	// Env names variables to pass on besides the usual ones (NAME), or sets them
	// (NAME=VALUE).
	Env []string
	// Version is what the program finds in GENESIS_VERSION.
	Version string
	// Resume has the dialplan continue when the program has ended; otherwise the call
	// is hung up.
	Resume bool
	// Stop says how the program is made to end when the call is over first.
	Stop Stop
	// Logger gets what the program writes that is no command, and its stderr.
	// slog.Default() when nil.
	Logger *slog.Logger
}

// DefaultMaxSessions is how many calls at a time genesis.Run gives to an Outbound
// by default: each call is a process, with memory of its own.
const DefaultMaxSessions = 1000

// hangupGrace is how long after the hangup CHANNEL_HANGUP_COMPLETE, which has all
// about the call, is waited for before the program's stdin is closed.
const hangupGrace = time.Second

// visit is one run of the program for one call.
type visit struct {
	o       *Outbound
	s       *outbound.Session
	p       *process
	feed    *feed
	log     *slog.Logger
	turns   *turns         // commands that run one after the other
	pending gate           // commands not answered yet
	atOnce  sync.WaitGroup // commands that do not wait for their turn
	jobs    chan struct{}  // a place for each of them
}

// HandleSession runs the program until it ends, or, once the call is over, has been
// made to end. The error says how the program failed: that it could not be started,
// or its exit code.
func (o *Outbound) HandleSession(ctx context.Context, s *outbound.Session) error {
	log := o.Logger
	if log == nil {
		log = slog.Default()
	}
	events := s.Events()
	defer events.Close()
	p, err := spawn(o.Path, o.Args, o.environment(s), o.Dir)
	if err != nil {
		return err
	}
	defer p.release()
	v := &visit{o: o, s: s, p: p, feed: newFeed(), log: log.With("call", s.UUID()),
		turns: newTurns(), jobs: make(chan struct{}, maxJobs)}
	_ = v.feed.addEvent(ctx, append(s.ConnectEvent().AppendJSON(nil), '\n'))
	return v.run(ctx, events)
}

func (o *Outbound) environment(s *outbound.Session) []string {
	data := s.ConnectEvent()
	get := func(header string) string {
		value := data.Get(header)
		return value[:min(len(value), 1024)]
	}
	return environment(o.Env, map[string]string{
		"GENESIS_MODE":               "outbound",
		"GENESIS_VERSION":            o.Version,
		"GENESIS_CALL_UUID":          s.UUID(),
		"GENESIS_CALLER_NUMBER":      get("Caller-Caller-ID-Number"),
		"GENESIS_CALLER_NAME":        get("Caller-Caller-ID-Name"),
		"GENESIS_DESTINATION_NUMBER": get("Caller-Destination-Number"),
	})
}

// run goes on until the program has ended and all that it asked for is done.
func (v *visit) run(ctx context.Context, events stream) error {
	halt := make(chan struct{})
	written := make(chan struct{})
	go func() {
		defer close(written)
		(&writer{feed: v.feed, w: v.p.stdin}).run(halt)
	}()
	over := make(chan struct{}) // the program has been told all
	told, stopTelling := context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		defer close(over)
		v.tell(told, events)
	}()
	var output sync.WaitGroup
	output.Go(func() { logStderr(v.log, v.p) })
	output.Go(v.read)
	output.Go(v.work)

	stopped := v.wait(ctx, over, written)
	v.turns.ended()
	stopTelling()
	<-over
	v.feed.close()
	close(halt)
	<-written
	v.feed.nextGeneration() // nobody reads replies any more
	output.Wait()
	v.atOnce.Wait()
	return v.result(ctx, stopped)
}

// wait waits for the program to end. When the call is over first, it makes it end,
// and reports that.
func (v *visit) wait(ctx context.Context, over, written <-chan struct{}) (stopped bool) {
	select {
	case <-v.p.done:
		return false
	case <-ctx.Done():
	}
	timer := time.NewTimer(hangupGrace)
	defer timer.Stop()
	select {
	case <-v.p.done:
		return false
	case <-over:
		select { // the program learns what became of its commands
		case <-v.pending.wait():
		case <-timer.C:
		}
	case <-timer.C:
	}
	v.feed.close()
	closing := time.NewTimer(max(v.o.Stop.withDefaults().Close, 0))
	defer closing.Stop()
	select {
	case <-written:
	case <-v.p.done:
		return false
	case <-closing.C:
		_ = v.p.stdin.SetWriteDeadline(time.Unix(1, 0))
	}
	return v.p.stop(v.o.Stop)
}

// tell feeds the program the call's events, to CHANNEL_HANGUP_COMPLETE or the end
// of the connection.
func (v *visit) tell(ctx context.Context, events stream) {
	var line []byte
	for {
		ev, err := events.Next(ctx)
		if err != nil {
			return
		}
		line = append(ev.AppendJSON(line[:0]), '\n')
		if v.feed.addEvent(ctx, line) != nil {
			return
		}
		if ev.Name() == "CHANNEL_HANGUP_COMPLETE" && ev.UUID() == v.s.UUID() {
			return
		}
	}
}

// result ends the session as the options say.
func (v *visit) result(ctx context.Context, stopped bool) error {
	if v.o.Resume && ctx.Err() == nil {
		if err := v.s.Resume(ctx); err != nil {
			v.log.WarnContext(ctx, "the dialplan could not be resumed", "error", err)
		}
	}
	switch {
	case v.p.err == nil:
		return nil
	case stopped:
		v.log.WarnContext(ctx, "the program did not end with its call and was made to", "program", v.o.Path, "error", v.p.err)
		return nil
	default:
		return fmt.Errorf("program: %s: %w", v.o.Path, v.p.err)
	}
}
