package esl

import (
	"bytes"
	"runtime"
	"time"
)

// queueBatch is how many events go to the queue at a time while more wait in the buffer:
// enough that waking who takes them does not count.
const queueBatch = 64

// read is the goroutine that reads the socket. It runs no user code but hooks and
// Deliver.
func (c *Conn) read() {
	defer func() {
		reclaim(&c.earlier)
		reclaim(&c.lent)
		c.dec.release()
		if c.cfg.Ended != nil {
			<-c.done
			c.cfg.Ended(c.Err())
		}
	}()
	for {
		frame, ok, err := c.dec.cut()
		switch {
		case err != nil:
			c.flushBatch()
			c.fail(err)
			return
		case ok:
			if err := c.take(frame); err != nil {
				c.flushBatch()
				c.fail(err)
				return
			}
			continue
		}
		if err := c.flushBatch(); err != nil {
			c.fail(err)
			return
		}
		if c.answered > 1 || c.queue.waiting() > queueBatch {
			// Those who got an answer may have the next commands ready: they go out together
			// before this goroutine finds that there is nothing to read yet. And events cost
			// least while a cache holds them: without a processor to spare, reading must not
			// run ahead of handling.
			runtime.Gosched()
		}
		c.answered = 0
		c.makeWay()
		if err := c.dec.fill(); err != nil {
			c.fail(err)
			return
		}
		c.beaten = false
		if c.idle != nil {
			c.lastRead.Store(int64(time.Since(c.begun)))
		}
	}
}

// take sends one frame where it belongs.
func (c *Conn) take(frame Frame) error {
	switch frame.Type {
	case FrameEventPlain, FrameEventJSON, FrameEventXML, FrameLog:
		return c.takeEvent(frame)
	case FrameCommandReply, FrameAPIResponse:
		// Events that came before a reply are there before it is.
		if err := c.flushBatch(); err != nil {
			return err
		}
		c.takeReply(frame)
		c.answered++
	case FrameAuthRequest:
		select {
		case <-c.greeted:
		default:
			close(c.greeted)
		}
	case FrameRudeRejection:
		return ErrAccessDenied
	case FrameDisconnectNotice:
		c.takeNotice(frame)
		return c.takeEvent(frame)
	default:
		if c.hooks.Dropped != nil {
			c.hooks.Dropped("unknown_content_type", 1)
		}
	}
	return nil
}

// takeNotice remembers what a notice says, as the reason of what comes next. A
// linger notice announces the end of the call, not of the connection.
func (c *Conn) takeNotice(frame Frame) {
	if frame.Get("Content-Disposition") == "linger" {
		return
	}
	text, _, _ := bytes.Cut(frame.Body(), newline)
	c.mu.Lock()
	c.notice = string(bytes.TrimSpace(text[:min(len(text), 200)]))
	c.mu.Unlock()
}

func (c *Conn) takeEvent(frame Frame) error {
	e, err := c.event(frame)
	if err != nil {
		if c.hooks.Dropped != nil {
			c.hooks.Dropped("malformed", 1)
		}
		return nil // the next frame can be fine
	}
	switch e.id {
	case heartbeatID:
		if c.hooks.Heartbeat != nil && !c.beaten {
			c.beaten = true
			c.hooks.Heartbeat(e)
		}
	case backgroundJobID:
		return c.takeJob(e)
	}
	return c.keep(e)
}

// takeJob takes the result of a job. Events that came before are there before whoever awaits it
// has it, as with a reply.
func (c *Conn) takeJob(e *Event) (err error) {
	awaits, app := c.whose(e)
	if app {
		err = c.keep(e)
	}
	if awaits != nil {
		if err == nil {
			err = c.flushBatch()
		}
		finishJob(awaits, e)
	}
	return err
}

// keep puts an event in the batch that is for the application.
func (c *Conn) keep(e *Event) error {
	if c.queue == nil && c.cfg.Deliver == nil {
		return nil
	}
	c.batch = append(c.batch, e)
	if len(c.batch) >= queueBatch {
		return c.flushBatch()
	}
	return nil
}

// flushBatch puts the events read so far into the queue, or delivers them.
func (c *Conn) flushBatch() error {
	if len(c.batch) == 0 {
		return nil
	}
	taken, n := true, len(c.batch)
	if c.cfg.Deliver == nil {
		taken = c.queue.push(c.batch, c.queueFull)
	} else {
		c.deliver()
	}
	clear(c.batch)
	c.batch = c.batch[:0]
	if c.stalled.Load() {
		c.lastRead.Store(int64(time.Since(c.begun))) // first, lest the pause be taken for silence
		c.stalled.Store(false)
		if c.hooks.Stalled != nil {
			c.hooks.Stalled(false)
		}
	}
	if taken {
		return nil
	}
	reason, err := "slow_consumer", ErrSlowConsumer
	if c.queue.isClosed() {
		reason, err = "shutdown", ErrClosed
		if ended := c.Err(); ended != nil && ended != ErrClosed {
			reason = "disconnected"
		}
	}
	n += c.leave()
	if c.hooks.Dropped != nil {
		c.hooks.Dropped(reason, n)
	}
	return err
}

// leave counts the whole events that were read behind a batch that was not taken, and that
// nobody will get either. A job whose result is among them has ended all the same.
func (c *Conn) leave() (n int) {
	for {
		frame, ok, err := c.dec.cut()
		if !ok || err != nil {
			return n
		}
		e, err := frame.Event()
		if e == nil && err == nil {
			continue // no event
		}
		if err == nil && e.id == backgroundJobID {
			awaits, app := c.whose(e)
			finishJob(awaits, e)
			if !app {
				continue
			}
		}
		n++
	}
}

func (c *Conn) deliver() {
	if c.hooks.Events != nil {
		c.hooks.Events(c.batch)
	}
	for _, e := range c.batch {
		c.cfg.Deliver(e)
	}
}

// queueFull is asked when the queue is full, and says whether to wait for space.
func (c *Conn) queueFull() (wait bool) {
	if c.queue.limits.Overflow == Fail {
		return false
	}
	if !c.stalled.Swap(true) && c.hooks.Stalled != nil {
		c.hooks.Stalled(true)
	}
	return true
}
