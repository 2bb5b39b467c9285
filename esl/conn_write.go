package esl

import (
	"bytes"
	"context"
	"runtime"
	"sync"
	"time"
)

// answer is what a waiting command gets.
type answer struct {
	reply *Reply // to a command
	event *Event // of a background job
	err   error
}

// waiter is a command's place in the reply queue.
type waiter struct {
	answer chan answer // holds one, so that nobody waits for a caller that left
	at     uint64      // where the message starts in the stream of bytes
	api    bool        // an api command, which holds up what FreeSWITCH sends
	jobs   refusal     // what it means to BACKGROUND_JOB when it is refused
}

// sender is whose a command is.
type sender bool

const (
	fromApp sender = false
	fromUs  sender = true
)

var waiters = sync.Pool{New: func() any { return &waiter{answer: make(chan answer, 1)} }}

// replyQueue holds the places of the commands that FreeSWITCH has yet to answer,
// in the order they were written.
type replyQueue struct {
	places []*waiter
	head   int
}

func (q *replyQueue) push(w *waiter) {
	if q.head > 0 && len(q.places) == cap(q.places) {
		n := copy(q.places, q.places[q.head:])
		clear(q.places[n:])
		q.places, q.head = q.places[:n], 0
	}
	q.places = append(q.places, w)
}

func (q *replyQueue) pop() *waiter {
	if q.head == len(q.places) {
		return nil
	}
	w := q.places[q.head]
	q.places[q.head] = nil
	q.head++
	if q.head == len(q.places) {
		q.places, q.head = q.places[:0], 0
	}
	return w
}

func (q *replyQueue) len() int { return len(q.places) - q.head }

func (q *replyQueue) drain() []*waiter {
	left := q.places[q.head:]
	q.places, q.head = nil, 0
	return left
}

// Send writes cmd and waits for FreeSWITCH's answer to it.
//
// The error is a *ReplyError when FreeSWITCH refused (the reply is returned as well,
// and the connection is fine), a *DisconnectedError when the connection ended first,
// ErrInjection when cmd is not exactly one message (nothing was written), and ctx's
// cause when ctx ended first. In that last case the command may still run, and its
// reply is discarded when it comes. Nothing is written when ctx has ended already.
func (c *Conn) Send(ctx context.Context, cmd Command) (*Reply, error) {
	if ctx.Err() != nil { // first: a command that is built is written, which its BuildMessage may note
		return nil, context.Cause(ctx)
	}
	message, err := encodeCommand(cmd)
	if err != nil {
		return nil, err
	}
	return c.roundTrip(ctx, message, fromApp)
}

// Pipeline writes all commands at once and waits for all replies, which it returns in the
// order of the commands. The error is the first that any command met, as Send would return
// it; the reply of a command that got none is nil. When any command is refused with
// ErrInjection, or ctx has ended already, none is written.
func (c *Conn) Pipeline(ctx context.Context, cmds ...Command) ([]*Reply, error) {
	messages := make([][]byte, len(cmds))
	for i, cmd := range cmds {
		message, err := encodeCommand(cmd)
		if err != nil {
			return nil, err
		}
		messages[i] = message
	}
	replies := make([]*Reply, len(cmds))
	if ctx.Err() != nil {
		return replies, context.Cause(ctx)
	}
	places := make([]*waiter, 0, len(cmds))
	infos := make([]sentCommand, len(cmds))
	for i, message := range messages {
		infos[i] = c.commandStart(ctx, message)
	}
	places, first := c.enqueue(places, fromApp, messages...)
	for i := range infos {
		err := first
		if i < len(places) {
			replies[i], err = c.await(infos[i].ctx, places[i], messages[i])
		}
		c.commandEnd(infos[i], replies[i], err)
		if first == nil {
			first = err
		}
	}
	return replies, first
}

// API runs an api command, such as "status" or "uuid_exists …", and returns its
// output, untouched. FreeSWITCH does nothing else on this connection until the
// command has ended: use BgAPI for a command that takes time. Errors are those of
// Send; output that starts with -ERR or -USAGE is a *ReplyError.
func (c *Conn) API(ctx context.Context, cmd string) (string, error) {
	reply, err := c.Send(ctx, Line("api "+cmd))
	if reply == nil {
		return "", err
	}
	return reply.Body(), err
}

func (c *Conn) roundTrip(ctx context.Context, message []byte, from sender) (*Reply, error) {
	info := c.commandStart(ctx, message)
	var one [1]*waiter
	places, err := c.enqueue(one[:0], from, message)
	var reply *Reply
	if err == nil {
		reply, err = c.await(info.ctx, places[0], message)
	}
	c.commandEnd(info, reply, err)
	return reply, err
}

// sentCommand is what the hooks need to know of a command under way.
type sentCommand struct {
	ctx   context.Context
	name  string
	start time.Time
}

func (c *Conn) commandStart(ctx context.Context, message []byte) sentCommand {
	info := sentCommand{ctx: ctx}
	if c.hooks.CommandStart == nil && c.hooks.CommandEnd == nil {
		return info
	}
	info.name, info.start = commandName(message), time.Now()
	if c.hooks.CommandStart != nil {
		info.ctx = c.hooks.CommandStart(ctx, CommandInfo{Name: info.name})
	}
	return info
}

func (c *Conn) commandEnd(info sentCommand, reply *Reply, err error) {
	if c.hooks.CommandEnd != nil {
		c.hooks.CommandEnd(info.ctx, CommandInfo{Name: info.name, Duration: time.Since(info.start)}, reply, err)
	}
}

// enqueue gives every message its place and sees that all are written, together
// with whatever else waits.
//
// A command that is alone on the connection is written right here, which spares a
// change of goroutines. In company it is left to a goroutine that writes what many
// callers have to say at once; so is what the socket has no room for, because a caller
// waits for no longer than its context allows.
func (c *Conn) enqueue(places []*waiter, from sender, messages ...[]byte) ([]*waiter, error) {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return nil, &DisconnectedError{Cause: c.err}
	}
	alone := c.direct != nil && c.replies.len() == 0
	for _, message := range messages {
		w := waiters.Get().(*waiter)
		w.at, w.api, w.jobs = c.queued, bytes.HasPrefix(message, apiVerb), meansNothing
		if from == fromApp {
			w.jobs = c.jobs.watch(message)
		}
		c.replies.push(w)
		places = append(places, w)
		c.out = append(c.out, message...)
		c.queued += uint64(len(message))
	}
	if c.flushing {
		c.mu.Unlock()
		return places, nil
	}
	c.flushing = true
	if !alone || len(c.out) > smallBuffer {
		c.mu.Unlock()
		go c.flush()
		return places, nil
	}
	if c.writeOut(false) {
		go c.flush()
	}
	return places, nil
}

var apiVerb = []byte("api ")

// await waits for the answer to message.
func (c *Conn) await(ctx context.Context, w *waiter, message []byte) (*Reply, error) {
	select {
	case a := <-w.answer:
		waiters.Put(w)
		if a.err != nil {
			return nil, a.err
		}
		return a.reply, replyError(message, a.reply)
	case <-ctx.Done():
		return nil, context.Cause(ctx) // the place stays in the queue
	}
}

// flush writes until nothing is left to write.
func (c *Conn) flush() {
	runtime.Gosched() // whoever else is about to send something comes along
	for more := true; more; {
		c.mu.Lock()
		more = c.writeOut(true)
	}
}

// writeOut writes what waits. Where the socket has no room it waits, for WriteTimeout at
// most, or leaves the rest. The caller holds mu, which is given up. It reports whether
// there is more to write; if not, nobody is flushing any longer.
func (c *Conn) writeOut(wait bool) (more bool) {
	if c.err != nil { // whoever waited has been told that this was not sent
		c.flushing = false
		c.mu.Unlock()
		return false
	}
	out := c.out
	c.out, c.spare = c.spare[:0], nil
	c.handed += uint64(len(out))
	c.mu.Unlock()

	var n int
	var err error
	if wait {
		_ = c.nc.SetWriteDeadline(time.Now().Add(c.cfg.WriteTimeout)) // Write tells
		n, err = c.nc.Write(out)
	} else {
		n, err = c.direct.writeSome(out)
	}
	if n < len(out) {
		c.mu.Lock()
		c.handed -= uint64(len(out) - n) // before fail tells who waits what was sent
		c.mu.Unlock()
	}
	if err != nil && !fromPeer(err) { // else reading comes to the end as well, behind what has arrived
		c.fail(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if n < len(out) && err == nil {
		c.out = append(out[n:], c.out...)
	} else if cap(out) <= largeBuffer {
		c.spare = out
	}
	if c.err == nil && len(c.out) > 0 {
		return true
	}
	if wait {
		_ = c.nc.SetWriteDeadline(time.Time{}) // it would count for what is written next
	}
	c.flushing = false
	return false
}

// takeReply gives a reply to the command whose turn it is.
func (c *Conn) takeReply(frame Frame) {
	c.mu.Lock()
	w, over := c.replies.pop(), c.err != nil
	c.mu.Unlock()
	if w == nil {
		if !over && c.hooks.Dropped != nil { // at the end, whoever waited has been told
			c.hooks.Dropped("unexpected_reply", 1)
		}
		return
	}
	reply := frame.Reply()
	if w.jobs != meansNothing && !reply.OK() {
		c.mu.Lock()
		c.jobs.refused(w.jobs)
		c.mu.Unlock()
	}
	w.answer <- answer{reply: reply}
}
