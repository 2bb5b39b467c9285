package esl

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"time"
)

// heartbeatsUntilDead is how many heartbeats may fail to come before the event
// connection is taken for half-open.
const heartbeatsUntilDead = 3

const defaultHeartbeat = 20 * time.Second

// seen is what the Client remembers of FreeSWITCH from one connection to the next.
type seen struct {
	core     string
	sequence uint64
	since    time.Time // when the connection was lost
	any      bool      // there was a connection before
}

// note remembers the newest event of a batch. Looking at one of many keeps it
// cheap, and can only make the bound of what was missed larger.
func (s *seen) note(e *Event) {
	if core := e.Get("Core-UUID"); core != "" && core != s.core {
		s.core, s.sequence = core, 0
	}
	s.sequence = max(s.sequence, e.Sequence())
}

// Serve connects, subscribes and hands events to h. It does so again after every loss, until
// ctx ends (it then returns nil), Close is called (ErrClosed), ClientConfig.GiveUp has passed,
// or an error occurs that another attempt cannot fix. At the first connection, such errors are
// ErrAuthentication, ErrAccessDenied, and a *ReplyError when this user may not have these
// events. Later on Serve retries after these too, because a FreeSWITCH that is reloading its
// configuration refuses everybody.
//
// The wait before it dials again grows with every failure (see Backoff), and with every
// connection in a row that lasts for less than Backoff.Max.
//
// When Serve returns, no call of h is running and the event connection is closed; commands can
// be sent until Close. Events that have not reached h when ctx ends are dropped.
func (c *Client) Serve(ctx context.Context, h Handler) error {
	if c.served.Swap(true) {
		return errors.New("esl: Client.Serve called twice")
	}
	ctx, cancel := untilDone(ctx, c.closed)
	defer cancel()
	err := c.serve(ctx, h)
	select {
	case <-c.closed:
		return ErrClosed
	default:
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (c *Client) serve(ctx context.Context, h Handler) error {
	failures, brief, trying := 0, 0, time.Now()
	for {
		conn, up, err := c.connect(ctx)
		if err == nil {
			began := time.Now()
			err = c.run(ctx, conn, up, h)
			trying = time.Now()
			// A loss is no failure yet, but one connection after the other that comes up
			// and dies at once is: it must not be dialled as fast as it can die.
			if brief++; trying.Sub(began) >= c.cfg.Backoff.Max {
				brief = 0
			}
			failures = brief
		} else if c.final(err, trying) {
			return err
		}
		wait := c.cfg.Backoff.wait(failures)
		failures++
		if ctx.Err() != nil || c.isClosed() { // which ctx learns of a moment later
			return nil
		}
		if c.cfg.Hooks.Retry != nil {
			c.cfg.Hooks.Retry(wait, err)
		}
		if !sleep(ctx, wait) {
			return nil
		}
	}
}

// final reports whether trying again is in vain.
func (c *Client) final(err error, since time.Time) bool {
	if c.cfg.GiveUp > 0 && time.Since(since) >= c.cfg.GiveUp {
		return true
	}
	var refused *ReplyError
	return !c.seen.any && (errors.Is(err, ErrAuthentication) || errors.Is(err, ErrAccessDenied) || errors.As(err, &refused))
}

// wait returns a random time up to a bound that doubles with every failure.
func (b Backoff) wait(failures int) time.Duration {
	bound := b.Max
	if failures < 32 && b.Min<<failures > 0 && b.Min<<failures < bound {
		bound = b.Min << failures
	}
	return rand.N(bound) + 1
}

// sleep waits for d, or until ctx ends; then it reports false.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (c *Client) dialConfig(role string, queue QueueLimits) DialConfig {
	idle := c.cfg.IdleTimeout
	if idle <= 0 {
		idle = heartbeatsUntilDead * defaultHeartbeat
	}
	return DialConfig{
		User: c.cfg.User, Password: c.cfg.Password, Timeout: c.cfg.DialTimeout, Dial: c.cfg.Dial,
		ConnConfig: ConnConfig{
			Info:        ConnInfo{Role: role},
			Hooks:       c.hooksFor(role),
			Limits:      c.cfg.Limits,
			Queue:       queue,
			IdleTimeout: idle,
		},
	}
}

// connect opens the event connection, subscribes, and asks FreeSWITCH where it
// stands.
func (c *Client) connect(ctx context.Context) (*Conn, Up, error) {
	conn, err := Dial(ctx, c.cfg.Addr, c.dialConfig("events", c.cfg.Queue))
	if err != nil {
		return nil, Up{}, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	ctx, cancel := context.WithTimeoutCause(ctx, c.cfg.DialTimeout, errDialTimeout)
	defer cancel()
	if err := c.resubscribe(ctx, conn); err != nil {
		_ = conn.Close()
		c.mu.Lock()
		c.events = nil
		c.mu.Unlock()
		return nil, Up{}, err
	}
	return conn, c.stand(ctx, conn), nil
}

// stand asks where FreeSWITCH stands, once it is subscribed to, so that whatever
// was created before the answer is either delivered or within the bound.
func (c *Client) stand(ctx context.Context, conn *Conn) Up {
	up := Up{First: !c.seen.any, Remote: c.cfg.Addr}
	if c.seen.any {
		up.Down = time.Since(c.seen.since)
	}
	mark, err := c.position(ctx, conn)
	if err != nil {
		// This user may not run uptime, or FreeSWITCH is too busy. The events come all
		// the same; if the connection is lost again, delivering them will show it.
		up.MissedUnknown = !up.First
		return up
	}
	c.measure(&up, mark)
	return up
}

// positionTimeout bounds how long the first events wait for FreeSWITCH to tell
// where it stands. It takes a millisecond or two where nothing is wrong.
const positionTimeout = 3 * time.Second

// position runs a background job that does nothing: its event tells the core and
// how many events it has created.
func (c *Client) position(ctx context.Context, conn *Conn) (*Event, error) {
	ctx, cancel := context.WithTimeout(ctx, positionTimeout)
	defer cancel()
	if err := conn.subscribeJobs(ctx); err != nil {
		return nil, err
	}
	mark, err := conn.job(ctx, "uptime")
	if err == nil {
		err = conn.unsubscribeJobs(ctx)
	}
	return mark, err
}

// measure compares where FreeSWITCH stands with what was seen last.
func (c *Client) measure(up *Up, mark *Event) {
	up.CoreUUID = mark.Get("Core-UUID")
	sequence := mark.Sequence()
	up.Restarted = !up.First && c.seen.core != "" && up.CoreUUID != c.seen.core
	switch {
	case up.First:
	case up.Restarted:
		up.MissedAtMost = sequence
	case c.seen.sequence == 0:
		up.MissedUnknown = true
	case sequence > c.seen.sequence+1:
		up.MissedAtMost = sequence - c.seen.sequence - 1 // the mark itself is no loss
	}
	c.seen.core = up.CoreUUID
	c.seen.sequence = sequence
}

// run hands the events of one connection to h until it ends, and says why it did.
func (c *Client) run(ctx context.Context, conn *Conn, up Up, h Handler) error {
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	c.seen.any = true
	if c.cfg.Hooks.Up != nil {
		c.cfg.Hooks.Up(up)
	}
	if c.cfg.OnUp != nil {
		c.callOnUp(ctx, conn, up)
	}
	c.deliver(ctx, conn, h)
	_ = conn.Close() // where it was ctx that ended
	<-conn.Done()    // somebody else may be closing it just now
	err := conn.Err()
	c.mu.Lock()
	c.events = nil
	c.mu.Unlock()
	if commands := c.control.get(); errors.Is(err, ErrIdle) && commands != nil {
		commands.doubt() // whoever is silent on both is gone, and no api command keeps him
	}
	c.seen.since = conn.endedAt() // the handler may have had much to do since
	if c.cfg.OnDown != nil {
		c.cfg.OnDown(err)
	}
	return err
}

// callOnUp gives the application a context that ends with the connection.
func (c *Client) callOnUp(ctx context.Context, conn *Conn, up Up) {
	ctx, cancel := untilDone(ctx, conn.Done())
	defer cancel()
	c.cfg.OnUp(ctx, up)
}

// untilDone returns a context that ends with its parent or when done is closed.
func untilDone(parent context.Context, done <-chan struct{}) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(parent)
	go func() {
		select {
		case <-done:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// deliver hands over events until the connection has ended and all are handled,
// or ctx ends: what is not handed over then is dropped.
func (c *Client) deliver(ctx context.Context, conn *Conn, h Handler) {
	batch := make([]*Event, 256)
	for {
		n, err := conn.takeEvents(ctx, batch)
		if ctx.Err() != nil {
			if n += conn.queue.abandon(); n > 0 {
				c.drop("shutdown", n)
			}
			return
		}
		if err != nil {
			return
		}
		c.seen.note(batch[n-1])
		if left := n - conn.handle(ctx, h, batch[:n]); left > 0 {
			c.drop("shutdown", left)
		}
		clear(batch[:n])
	}
}

// handle hands over a batch, event by event to a handler that takes no more, which may be slow:
// ctx can end in between. It returns how many were handed over.
func (c *Conn) handle(ctx context.Context, h Handler, batch []*Event) int {
	if all, ok := h.(BatchHandler); ok {
		c.handOver(batch)
		all.HandleEvents(ctx, batch)
		return len(batch)
	}
	for i, e := range batch {
		if ctx.Err() != nil {
			return i
		}
		c.handOver(batch[i : i+1])
		h.HandleEvent(ctx, e)
	}
	return len(batch)
}

func (c *Client) drop(reason string, n int) {
	if c.cfg.Hooks.Dropped != nil {
		c.cfg.Hooks.Dropped(reason, n)
	}
}

// hooksFor adds to the application's hooks what the Client itself must learn.
func (c *Client) hooksFor(role string) *Hooks {
	hooks := *c.cfg.Hooks
	heartbeat, stalled := hooks.Heartbeat, hooks.Stalled
	hooks.Heartbeat = func(e *Event) {
		c.learnInterval(role, e)
		// The command socket's heartbeats say nothing of the event socket. They count only
		// where that one cannot bring its own.
		if heartbeat != nil && (role != "commands" || c.heldBack()) {
			heartbeat(e)
		}
	}
	hooks.Stalled = func(full bool) {
		if full {
			// Nothing is read from the event socket now, heartbeats included: let them
			// come by the other one.
			c.mu.Lock()
			c.paused = c.events
			c.mu.Unlock()
			c.openAside()
		}
		if stalled != nil {
			stalled(full)
		}
	}
	if role != "events" {
		hooks.Events, hooks.Stalled = nil, nil
	}
	return &hooks
}

// heldBack reports whether the event connection has not been read all the time since
// this was asked last, because the application is behind. To look at the moment alone
// would not do: an application that is slow for long has reading stop and go on all the
// time. An event connection that has taken the place of the one that paused has not.
func (c *Client) heldBack() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	held := c.events != nil && (c.events == c.paused || c.events.stalled.Load())
	c.paused = nil
	return held
}

// learnInterval sets the idle timeout by the interval that a heartbeat announces.
func (c *Client) learnInterval(role string, heartbeat *Event) {
	interval := heartbeat.Get("Heartbeat-Interval")
	if interval == "" || c.cfg.IdleTimeout > 0 {
		return
	}
	seconds, err := strconv.Atoi(interval)
	if err != nil || seconds <= 0 || seconds > 24*60*60 { // sendevent can say anything
		return
	}
	limit := heartbeatsUntilDead * time.Duration(seconds) * time.Second
	c.mu.Lock()
	conn := c.events
	c.mu.Unlock()
	if role == "commands" {
		conn = c.control.get()
	}
	if conn != nil {
		conn.setIdleTimeout(limit)
	}
}
