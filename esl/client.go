package esl

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Handler handles events. A Client calls it on one goroutine, in the order in which
// FreeSWITCH sent the events, and never on the goroutine that reads the socket.
// While it is busy, events wait in the connection's queue. ctx ends when Serve has
// to return; a panic is not caught.
type Handler interface {
	HandleEvent(ctx context.Context, event *Event)
}

// HandlerFunc is a function that is a Handler.
type HandlerFunc func(ctx context.Context, event *Event)

// HandleEvent calls f.
func (f HandlerFunc) HandleEvent(ctx context.Context, event *Event) { f(ctx, event) }

// BatchHandler is an optional interface of a Handler: it takes all waiting events at once. The
// slice is valid only during the call; the events stay valid for as long as they are kept.
type BatchHandler interface {
	HandleEvents(ctx context.Context, events []*Event)
}

// Backoff says how long to wait before dialling again: a random time up to Min, up to twice
// that after the next failure, and so on up to Max ("full jitter"). A connection that lasts
// for less than Max counts as a failure too, except the first. FreeSWITCH's listen backlog
// is 5, so many clients must not dial at once. A zero field means its default.
type Backoff struct {
	// Min is the bound of the first wait. Default 100 ms.
	Min time.Duration
	// Max is the bound of every wait. Default 1.5 s. A longer one spares a network with very
	// many clients, but finds FreeSWITCH that much later.
	Max time.Duration
}

// ClientConfig sets up a Client. The zero value connects to a FreeSWITCH with default
// settings on this host, and subscribes to HEARTBEAT only.
type ClientConfig struct {
	// Addr is FreeSWITCH's host:port. Default DefaultAddr.
	Addr string
	// User is USER@DOMAIN for userauth; empty for the socket's own password.
	User string
	// Password defaults to DefaultPassword when User is empty too.
	Password string
	// Dial opens sockets in place of the TCP dialler.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// DialTimeout bounds dialling and authentication together. Default 10 s.
	DialTimeout time.Duration

	// Events names what to subscribe to: event names, subclasses of CUSTOM, or ALL
	// (also "*"). HEARTBEAT is always subscribed to. CUSTOM alone brings no subclass:
	// FreeSWITCH sends those that are named.
	Events []string
	// Format is the shape of events on the wire. Default Plain, the fastest.
	Format Format
	// Filters are set before subscribing.
	Filters []Filter

	// OnUp is called when the Client has connected and subscribed, before the first
	// event of that connection is handled; events wait until it returns. It may use
	// the Client, for example to ask which channels exist. ctx ends with the
	// connection.
	OnUp func(ctx context.Context, up Up)
	// OnDown is called when the connection has ended, after the last event that came on it. err is
	// the reason, ErrClosed when we closed it.
	OnDown func(err error)

	// Backoff says how long to wait between attempts to connect.
	Backoff Backoff
	// GiveUp limits how long the Client tries to connect before Serve returns the last error.
	// Zero means forever.
	GiveUp time.Duration
	// IdleTimeout is how long the event connection may be silent before it is taken to be
	// dead. Default: three times the heartbeat interval that FreeSWITCH announces
	// (Heartbeat-Interval), or 60 s if it announces none. Where event-heartbeat-interval
	// is 60 s or more, IdleTimeout has to be set. An api command may keep the command
	// connection silent for five times as long, unless that was silent as well when the
	// event connection was taken to be dead.
	IdleTimeout time.Duration
	// Queue bounds the events that wait for the handler.
	Queue QueueLimits
	// Limits bounds a frame.
	Limits Limits
	// Hooks is told what happens. Nil costs nothing.
	Hooks *Hooks
}

// Client is a connection to FreeSWITCH that heals. It has one socket for events
// and, from the first command on, another one for commands: FreeSWITCH does nothing
// else on a socket while it runs an api command, and a slow handler must not hold
// up replies.
//
// Its methods are safe for concurrent use; Serve may be called once. Make one with
// NewClient.
type Client struct {
	cfg    ClientConfig
	closed chan struct{}
	once   sync.Once
	served atomic.Bool
	// subscribing is held by the Subscribe whose answer is awaited: until it is there, nobody
	// can tell what is subscribed to.
	subscribing chan struct{}

	mu     sync.Mutex
	sub    subscription
	events *Conn // nil while there is none
	paused *Conn // stopped reading since the last HEARTBEAT of the command connection

	control control
	seen    seen
}

// NewClient checks cfg and returns a Client. It does not dial: Serve and the first
// command do.
func NewClient(cfg ClientConfig) (*Client, error) {
	if cfg.Addr == "" {
		cfg.Addr = DefaultAddr
	}
	if _, _, err := net.SplitHostPort(cfg.Addr); err != nil {
		return nil, fmt.Errorf("esl: address %q: host:port is allowed: %w", cfg.Addr, err)
	}
	if err := checkText("user", cfg.User); err != nil {
		return nil, err
	}
	if err := checkText("password", cfg.Password); err != nil {
		return nil, err
	}
	if err := checkFilters(cfg.Filters); err != nil {
		return nil, err
	}
	if cfg.DialTimeout <= 0 {
		cfg.DialTimeout = defaultDialTimeout
	}
	if cfg.Backoff.Min <= 0 {
		cfg.Backoff.Min = 100 * time.Millisecond
	}
	if cfg.Backoff.Max <= 0 {
		cfg.Backoff.Max = 1500 * time.Millisecond
	}
	cfg.Queue.Overflow = Block
	if cfg.Hooks == nil {
		cfg.Hooks = &Hooks{}
	}
	c := &Client{cfg: cfg, closed: make(chan struct{}), subscribing: make(chan struct{}, 1)}
	c.control.lock = make(chan struct{}, 1)
	c.sub = subscription{format: cfg.Format, filters: slices.Clone(cfg.Filters)}
	if _, err := c.sub.add(append([]string{"HEARTBEAT"}, cfg.Events...)...); err != nil {
		return nil, err
	}
	return c, nil
}

// Close ends both connections and makes Serve return ErrClosed. Waiting commands fail with
// ErrDisconnected. Close never returns an error.
func (c *Client) Close() error {
	c.once.Do(func() { close(c.closed) })
	c.mu.Lock()
	events := c.events
	c.mu.Unlock()
	if events != nil {
		_ = events.Close()
	}
	c.control.close()
	return nil
}

// Connected reports whether the event connection is up.
func (c *Client) Connected() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.events != nil && c.events.Err() == nil
}

// Subscriptions returns what is subscribed to: event names, then subclasses.
func (c *Client) Subscriptions() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Concat(c.sub.names, c.sub.classes)
}

// Subscribe adds events to the Client's subscription, now and after every reconnect. When
// FreeSWITCH refuses, the error is a *ReplyError and the subscription stays as it was. Without a
// connection Subscribe only notes the names; if the next connection refuses them, they are
// dropped, and Hooks.Retry is told.
//
// Calls are carried out one after the other, so that each gets its own answer. A handler and
// OnUp may call it. While the event queue is full, the answer would have to wait for the events:
// Subscribe then returns at once, and the command follows.
func (c *Client) Subscribe(ctx context.Context, names ...string) error {
	if _, err := new(subscription).add(names...); err != nil {
		return err
	}
	answered, left := make(chan error, 1), make(chan struct{})
	go func() { answered <- c.subscribe(context.WithoutCancel(ctx), left, names) }()
	look := time.NewTicker(stalledAgain)
	defer look.Stop()
	for {
		select {
		case err := <-answered:
			return err
		case <-ctx.Done():
			close(left)
			return context.Cause(ctx)
		case <-look.C:
			c.mu.Lock()
			conn := c.events
			c.mu.Unlock()
			if conn != nil && conn.stalled.Load() {
				return nil
			}
		}
	}
}

// stalledAgain is how often it is looked whether an answer waits for events to be handled.
const stalledAgain = 20 * time.Millisecond

// subscribe adds names in its turn, unless the caller has left. What is refused it takes back: it
// would be refused again, with all the rest, at each reconnect.
func (c *Client) subscribe(ctx context.Context, left <-chan struct{}, names []string) error {
	select {
	case c.subscribing <- struct{}{}:
		defer func() { <-c.subscribing }()
	case <-left:
		return nil
	}
	c.mu.Lock()
	added, err := c.sub.add(names...)
	conn, cmd := c.events, c.sub.command()
	if conn == nil {
		c.sub.unanswered = append(c.sub.unanswered, added...)
	}
	c.mu.Unlock()
	if err != nil || len(added) == 0 || conn == nil {
		return err
	}
	_, err = conn.Send(ctx, cmd)
	var refused *ReplyError
	switch {
	case errors.Is(err, ErrDisconnected): // the next connection will ask for it
		c.mu.Lock()
		c.sub.unanswered = append(c.sub.unanswered, added...)
		c.mu.Unlock()
		return nil
	case errors.As(err, &refused):
		c.mu.Lock()
		c.sub.remove(added)
		c.mu.Unlock()
	}
	return err
}

// Send sends cmd on the command connection, which it opens if need be. While that fails, it
// waits for FreeSWITCH to be back until ctx ends; with a context that never ends, such as
// context.Background, it gives up after a few attempts. A refused password or address is
// final at once. Errors are those of Conn.Send and of Dial. When the connection breaks
// before any of a command was written, the command is sent once more on the next connection.
func (c *Client) Send(ctx context.Context, cmd Command) (reply *Reply, err error) {
	err = c.withControl(ctx, func(conn *Conn) (err error) {
		reply, err = conn.Send(ctx, cmd)
		return err
	})
	return reply, err
}

// API runs an api command on the command connection, like Conn.API. It waits for a connection
// and retries like Send.
func (c *Client) API(ctx context.Context, cmd string) (output string, err error) {
	err = c.withControl(ctx, func(conn *Conn) (err error) {
		output, err = conn.API(ctx, cmd)
		return err
	})
	return output, err
}

// BgAPI runs an api command in the background and waits for its output, like Conn.BgAPI. It
// waits for a connection and retries like Send.
func (c *Client) BgAPI(ctx context.Context, cmd string) (output string, err error) {
	err = c.withControl(ctx, func(conn *Conn) (err error) {
		output, err = conn.BgAPI(ctx, cmd)
		return err
	})
	return output, err
}
