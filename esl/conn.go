package esl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// ConnConfig sets up a Conn. The zero value is usable.
type ConnConfig struct {
	// Info describes the connection to the hooks.
	Info ConnInfo
	// Hooks is told what happens. Nil costs nothing.
	Hooks *Hooks
	// Limits bounds what FreeSWITCH can make us hold in one frame.
	Limits Limits
	// Queue bounds the events that wait to be read.
	Queue QueueLimits
	// Deliver is called with each event, in order; the event does not go into the
	// queue, so ReadEvents gets none. Deliver runs on the goroutine that reads, before
	// any reply that came after the event is handed out: it must neither block nor wait
	// for a reply. Nil means the queue.
	Deliver func(*Event)
	// Ended is called once, after the last event has been delivered, with the reason
	// why the connection ended (see Err). May be nil.
	Ended func(error)
	// WriteTimeout is how long a write may take before the connection is given up.
	// Default 10 s.
	WriteTimeout time.Duration
	// IdleTimeout ends the connection with ErrIdle when nothing was received for that
	// long. Zero means never. A connection that stopped reading because its queue is
	// full is not idle. While FreeSWITCH runs an api command, and so sends nothing
	// else, the limit is five times as long.
	IdleTimeout time.Duration
}

// Conn is one event socket connection, made by Dial, Accept or NewConn. Its methods
// are safe for concurrent use.
//
// Commands are pipelined: each takes its place in the reply queue as it is written,
// and replies are matched in order. A caller whose context ends leaves its place
// behind, so no other command gets its reply. When the connection ends, every
// waiting caller gets a *DisconnectedError at once.
//
// One goroutine reads the socket until the connection ends; another exists only
// while there is something to write. Events wait in a queue for ReadEvents, unless
// ConnConfig.Deliver takes them.
type Conn struct {
	nc       net.Conn
	cfg      ConnConfig
	hooks    *Hooks
	dec      *Decoder
	queue    *eventQueue // nil when events are delivered or discarded
	batch    []*Event    // read, not yet in the queue; the reading goroutine's
	lent     []*Event    // what lies in the decoder's buffer, see lend; likewise
	earlier  []*Event    // what lies in resting; likewise
	resting  []byte      // the buffer that was read into before; likewise
	answered int         // replies taken since the last read; likewise
	beaten   bool        // the hook Heartbeat has run since the last read; likewise
	greeted  chan struct{}
	done     chan struct{}
	begun    time.Time    // of the monotonic clock, which nobody can set
	lastRead atomic.Int64 // nanoseconds since begun
	doubted  atomic.Int64 // lastRead when doubt was called, -1 before
	overdue  atomic.Int64 // lastRead when the limit was found to be reached, -1 before
	idle     *time.Timer
	// direct writes what the socket has room for, on whichever goroutine has a command.
	// It is nil where writing may have to wait: a net.Pipe has no buffer, and TLS may
	// have to read first.
	direct  *rawWriter
	stalled atomic.Bool

	mu          sync.Mutex
	err         error
	over        time.Time // when err came
	established bool      // ConnectEnd has seen no error
	notice      string
	replies     replyQueue
	out         []byte // messages not yet handed to the socket
	spare       []byte
	queued      uint64 // bytes ever put into out
	handed      uint64 // bytes ever handed to the socket
	flushing    bool
	jobs        jobTable
}

// NewConn starts a connection over nc, which the Conn owns from now on. It neither
// greets nor authenticates: Dial and Accept do.
func NewConn(nc net.Conn, cfg ConnConfig) *Conn {
	if cfg.WriteTimeout <= 0 {
		cfg.WriteTimeout = 10 * time.Second
	}
	if cfg.Info.Remote == "" && nc.RemoteAddr() != nil {
		cfg.Info.Remote = nc.RemoteAddr().String()
	}
	c := &Conn{
		nc:      nc,
		cfg:     cfg,
		hooks:   cfg.Hooks,
		dec:     NewDecoder(socketReader(nc), cfg.Limits),
		direct:  socketWriter(nc),
		greeted: make(chan struct{}),
		done:    make(chan struct{}),
		begun:   time.Now(),
	}
	c.doubted.Store(-1)
	c.overdue.Store(-1)
	if c.hooks == nil {
		c.hooks = &Hooks{}
	}
	if cfg.Queue.Overflow != Discard && cfg.Deliver == nil {
		c.queue = newEventQueue(cfg.Queue)
	}
	if cfg.IdleTimeout > 0 {
		c.mu.Lock() // which checkIdle takes, however soon: idle is set before it looks
		c.idle = time.AfterFunc(cfg.IdleTimeout, c.checkIdle)
		c.mu.Unlock()
	}
	go c.read()
	return c
}

// Done is closed when the connection has ended.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Err says why the connection ended: io.EOF when the peer closed it (perhaps
// wrapped with the text of its notice), io.ErrUnexpectedEOF when the peer closed it
// within a frame, ErrClosed when we closed it, ErrAccessDenied, ErrIdle,
// ErrSlowConsumer, ErrFrameTooLarge, ErrProtocol or a network error. It is nil
// while the connection lasts.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// endedAt returns when the connection ended.
func (c *Conn) endedAt() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.over
}

// LocalAddr returns our end of the connection.
func (c *Conn) LocalAddr() net.Addr { return c.nc.LocalAddr() }

// RemoteAddr returns FreeSWITCH's end of the connection.
func (c *Conn) RemoteAddr() net.Addr { return c.nc.RemoteAddr() }

// Close ends the connection at once. Waiting callers get ErrDisconnected with
// ErrClosed as its cause. Closing twice is fine. It never returns an error.
func (c *Conn) Close() error {
	c.fail(ErrClosed)
	return nil
}

// fail ends the connection for the given reason; the first one counts.
func (c *Conn) fail(cause error) {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	if cause == io.EOF && c.notice != "" {
		cause = fmt.Errorf("%w after FreeSWITCH said %q", io.EOF, c.notice)
	}
	c.err, c.over = cause, time.Now()
	waiting := c.replies.drain()
	jobs := c.jobs.drain()
	handed, established := c.handed, c.established
	c.mu.Unlock()

	_ = c.nc.Close() // it is over either way
	close(c.done)
	if c.idle != nil {
		c.idle.Stop()
	}
	if c.queue != nil {
		c.queue.close()
	}
	for _, w := range waiting {
		w.answer <- answer{err: &DisconnectedError{Sent: handed > w.at, Cause: cause}}
	}
	for _, job := range jobs {
		select {
		case job <- answer{err: &DisconnectedError{Sent: true, Cause: cause}}:
		default: // its event has come
		}
	}
	if established && c.hooks.Disconnected != nil {
		c.hooks.Disconnected(c.cfg.Info, cause)
	}
}

// checkIdle ends a connection that has been silent for too long, or looks again
// when the silence so far can reach the limit.
func (c *Conn) checkIdle() {
	limit := c.idleTimeout()
	patience := limit
	if c.runsAPI() && c.doubted.Load() != c.lastRead.Load() {
		patience *= apiPatience
	}
	stalled := c.stalled.Load() // first: a pause that ends meanwhile has counted as a read
	read := c.lastRead.Load()
	left := patience - (time.Since(c.begun) - time.Duration(read))
	switch {
	case limit <= 0: // lifted while the timer fired
	case stalled:
		c.idle.Reset(limit)
	case left > 0:
		c.idle.Reset(min(left, limit)) // the api command may end long before
	case c.overdue.Swap(read) != read:
		// A process that was stopped for as long, as Ctrl-Z or docker pause does, goes on here, too:
		// what has come meanwhile is read first.
		c.idle.Reset(min(limit/4, time.Second))
	default:
		c.fail(ErrIdle)
	}
}

// apiPatience is how much longer a silence may last while an api command runs.
const apiPatience = 5

// doubt has no patience with an api command until something is read again.
func (c *Conn) doubt() {
	c.doubted.Store(c.lastRead.Load())
	c.checkIdle()
}

// runsAPI reports whether the command whose turn it is is an api command.
func (c *Conn) runsAPI() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.replies.len() > 0 && c.replies.places[c.replies.head].api
}

func (c *Conn) idleTimeout() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cfg.IdleTimeout
}

// setIdleTimeout changes the limit of a connection that has one, once FreeSWITCH
// has told how often its heart beats; zero lifts it.
func (c *Conn) setIdleTimeout(limit time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cfg.IdleTimeout == limit || c.idle == nil || c.err != nil {
		return
	}
	c.cfg.IdleTimeout = limit
	if limit > 0 {
		c.idle.Reset(limit)
	} else {
		c.idle.Stop()
	}
}

// ReadEvents waits for events and puts up to len(dst) of them into dst, in the
// order in which FreeSWITCH sent them. Once the connection has ended and every
// event has been read, it returns Err. When ctx ends first, it returns ctx's cause.
func (c *Conn) ReadEvents(ctx context.Context, dst []*Event) (int, error) {
	n, err := c.takeEvents(ctx, dst)
	c.handOver(dst[:n])
	return n, err
}

// takeEvents is ReadEvents for whoever may yet drop the events: the hook sees them when
// they are handed over.
func (c *Conn) takeEvents(ctx context.Context, dst []*Event) (int, error) {
	if c.queue == nil {
		return 0, errors.New("esl: this connection keeps no events")
	}
	n, over, err := c.queue.take(ctx, dst)
	if over {
		<-c.done
		return 0, c.Err()
	}
	return n, err
}

func (c *Conn) handOver(events []*Event) {
	if len(events) > 0 && c.hooks.Events != nil {
		c.hooks.Events(events)
	}
}

// ReadEvent is ReadEvents for a single event.
func (c *Conn) ReadEvent(ctx context.Context) (*Event, error) {
	var one [1]*Event
	_, err := c.ReadEvents(ctx, one[:])
	return one[0], err
}
