package program

import (
	"context"
	"errors"
	"sync"
	"time"
)

// attend serves one process until it has ended. It makes it end when stop is
// closed, once the feed is written, and for a restart, which it returns. What the
// process wrote before it ended has then been read; its commands are carried out
// on the side, until ctx ends, and keep nobody waiting.
func (c *Consumer) attend(ctx context.Context, p *process, stop <-chan struct{}) (restart chan struct{}, err error) {
	defer p.release()
	ctx, cancel := context.WithCancelCause(ctx)
	o := &orders{c: c, ctx: ctx, p: p, generation: c.feed.generation, turns: newTurns(), jobs: make(chan struct{}, maxJobs)}
	c.commands.Go(func() {
		defer cancel(nil)
		o.work()
	})
	var output sync.WaitGroup
	output.Go(func() { logStderr(c.logger(), p) })
	output.Go(o.read)
	w := &writer{feed: c.feed, w: p.stdin}
	halt := make(chan struct{})
	written := make(chan bool, 1)
	go func() { written <- w.run(halt) }()

	select {
	case <-p.done:
	case <-stop:
	case restart = <-c.restarts:
	}
	c.finishWriting(p, halt, written, restart == nil)
	p.stop(c.Stop)
	c.setRunning(false)
	time.AfterFunc(c.commandTimeout(), func() { cancel(errLeftBehind) })
	o.turns.ended()
	w.takeBack(len(p.rest()))
	c.feed.nextGeneration()
	output.Wait()
	return restart, exitError(p)
}

// errLeftBehind ends the commands of a program that has ended, so that those of one
// which ends again and again do not pile up.
var errLeftBehind = errors.New("program: its time is over")

// finishWriting waits for the writer: for all that the feed holds when the host
// itself stops, else for the lines that it is at. A program that does not read
// can delay it no longer than its time to end.
func (c *Consumer) finishWriting(p *process, halt chan struct{}, written <-chan bool, all bool) {
	if !all {
		close(halt)
	}
	timer := time.NewTimer(max(c.Stop.withDefaults().Close, 0))
	defer timer.Stop()
	select {
	case <-written:
		return
	case <-p.done:
	case <-timer.C:
		_ = p.stdin.SetWriteDeadline(time.Unix(1, 0))
	}
	if all {
		close(halt)
	}
	<-written
}

// exitError says how a process ended.
func exitError(p *process) error {
	if p.err == nil {
		return errEnded
	}
	return p.err
}

var errEnded = errors.New("it ended by itself, with exit code 0")
