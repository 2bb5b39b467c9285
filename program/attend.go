package program

import (
	"context"
	"errors"
	"sync"
	"time"
)

// attend serves one process until it has ended. It makes it end when stop is
// closed, once the feed is written, and for a restart, which it returns. The
// commands that the process wrote before it ended are carried out first.
func (c *Consumer) attend(ctx context.Context, p *process, stop <-chan struct{}) (restart chan struct{}, err error) {
	defer p.release()
	var output sync.WaitGroup
	generation := c.feed.generation
	output.Go(func() { logStderr(c.logger(), p) })
	output.Go(func() {
		readLines(&outlet{file: p.stdout}, maxLine, func(line []byte, cut int) bool {
			c.line(ctx, p, generation, line, cut)
			return true
		})
	})
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
	p.stop(ctx, c.Stop)
	w.takeBack(len(p.rest()))
	c.feed.nextGeneration()
	output.Wait()
	return restart, exitError(p)
}

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
	case <-p.done:
		if all {
			close(halt)
		}
		<-written
	case <-timer.C:
		_ = p.stdin.SetWriteDeadline(time.Unix(1, 0))
		if all {
			close(halt)
		}
		<-written
	}
}

// exitError says how a process ended.
func exitError(p *process) error {
	if p.err == nil {
		return errEnded
	}
	return p.err
}

var errEnded = errors.New("it ended by itself, with exit code 0")
