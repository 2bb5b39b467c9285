package esl

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// control is the connection for commands. It is opened by the first command, and
// again by the first after a loss.
type control struct {
	// lock is held while dialling, as a channel so that ctx can end the wait for it.
	lock chan struct{}
	// opening is true while openAside is at work.
	opening atomic.Bool

	mu     sync.Mutex
	conn   *Conn
	closed bool
}

func (k *control) get() *Conn {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.conn
}

// set keeps conn, unless everything is closed already.
func (k *control) set(conn *Conn) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return false
	}
	k.conn = conn
	return true
}

func (k *control) close() {
	k.mu.Lock()
	conn := k.conn
	k.closed = true
	k.mu.Unlock()
	if conn != nil {
		_ = conn.Close()
	}
}

// withControl runs do with the command connection. When the connection turns out
// to have ended before anything was written, do gets a new one, once.
func (c *Client) withControl(ctx context.Context, do func(*Conn) error) error {
	for again := true; ; again = false {
		conn, err := c.openControl(ctx)
		if err != nil {
			return err
		}
		err = do(conn)
		var lost *DisconnectedError
		if again && errors.As(err, &lost) && !lost.Sent && !c.isClosed() {
			continue
		}
		return err
	}
}

func (c *Client) isClosed() bool {
	select {
	case <-c.closed:
		return true
	default:
		return false
	}
}

// openControl returns the command connection. While FreeSWITCH cannot be reached it
// tries again, with backoff, for as long as ctx allows; a few times only with one that never ends.
func (c *Client) openControl(ctx context.Context) (*Conn, error) {
	if conn := c.control.get(); conn != nil && conn.Err() == nil {
		return conn, nil
	}
	endless := ctx.Done() == nil
	var enough <-chan time.Time // whoever holds the lock may wait for longer than this caller would
	if endless {
		timer := time.NewTimer((controlAttempts + 1) * c.cfg.DialTimeout)
		defer timer.Stop()
		enough = timer.C
	}
	select {
	case c.control.lock <- struct{}{}:
		defer func() { <-c.control.lock }()
	case <-enough:
		return nil, errDialTimeout
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-c.closed:
		return nil, &DisconnectedError{Cause: ErrClosed}
	}
	ctx, cancel := untilDone(ctx, c.closed)
	defer cancel()
	for failures := 0; ; failures++ {
		conn, err := c.dialControl(ctx)
		switch {
		case err == nil:
			return conn, nil
		case c.isClosed():
			return nil, &DisconnectedError{Cause: ErrClosed}
		case endless && failures >= controlAttempts || !passing(err) || errors.Is(err, context.Cause(ctx)):
			return nil, err
		case ctx.Err() == nil && sleep(ctx, min(c.cfg.Backoff.wait(failures), time.Second)):
			continue
		case c.isClosed():
			return nil, &DisconnectedError{Cause: ErrClosed}
		}
		return nil, errors.Join(context.Cause(ctx), err)
	}
}

// openAside opens the command connection on a goroutine of its own, unless one does already: an
// application that is behind stalls many times a second, and FreeSWITCH may be slow to answer.
func (c *Client) openAside() {
	if c.control.opening.Swap(true) {
		return
	}
	go func() {
		defer c.control.opening.Store(false)
		_, _ = c.openControl(context.Background()) // the next stall tries again
	}()
}

// controlAttempts bounds the attempts behind the first for a caller whose context never ends.
const controlAttempts = 5

// passing reports whether err can be gone at the next attempt.
func passing(err error) bool {
	return !errors.Is(err, ErrAuthentication) && !errors.Is(err, ErrAccessDenied)
}

func (c *Client) dialControl(ctx context.Context) (*Conn, error) {
	if conn := c.control.get(); conn != nil && conn.Err() == nil {
		return conn, nil // somebody else opened it meanwhile
	}
	conn, err := Dial(ctx, c.cfg.Addr, c.dialConfig("commands", QueueLimits{Overflow: Discard}))
	if err != nil {
		return nil, unsent(err)
	}
	// The results of jobs come here, and heartbeats keep the connection from being
	// taken for dead. A restricted user may be refused; commands work all the same.
	_, err = conn.Send(ctx, Line("event plain HEARTBEAT BACKGROUND_JOB"))
	var refused *ReplyError
	if errors.As(err, &refused) { // both, where one of them is not allowed
		_, err = conn.Send(ctx, Line("event plain HEARTBEAT"))
	}
	switch {
	case errors.As(err, &refused):
		conn.setIdleTimeout(0)
	case err != nil:
		_ = conn.Close()
		return nil, unsent(err)
	}
	if !c.control.set(conn) {
		_ = conn.Close()
		return nil, &DisconnectedError{Cause: ErrClosed}
	}
	return conn, nil
}
