package call

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/genesis-esl/genesis/esl"
)

// ControllerConfig makes a Controller. The zero value is usable.
type ControllerConfig struct {
	// Mode is what the transport can do. The zero value is Remote: an esl.Client.
	Mode Mode
	// Instruments measures operations. Nil measures nothing.
	Instruments *Instruments
	// Logger takes what no operation can return. Nil means slog.Default().
	Logger *slog.Logger
	// BreakTimeout and StreamLimit are those of Config, with the same defaults.
	BreakTimeout time.Duration
	StreamLimit  int
	// Watch subscribes to the events of a channel that is about to exist, where they do not
	// come anyway; Unwatch ends that. Both may be nil.
	Watch   func(ctx context.Context, uuid string) error
	Unwatch func(uuid string)
}

// Controller makes channels over one transport and feeds them their events. It is
// safe for concurrent use.
//
// Over an esl.Client, set it up like this:
//
//	ctl := call.NewController(ctx, nil, call.ControllerConfig{})
//	ctl.Join(&cfg)
//	client, err := esl.NewClient(cfg)
//	…
//	ctl.Bind(client)
//	err = client.Serve(ctx, handler)
//
// The handler is whatever else takes the events: a consumer app, whose handlers can
// then use the controller's channels, or the controller itself.
type Controller struct {
	t   boundTransport
	cfg ControllerConfig
	ctx context.Context
	end context.CancelCauseFunc

	mu       sync.Mutex
	channels map[string]*Channel
	closed   error
	ups      int           // how often Up has been called
	owed     []namedLegs   // to be ended over the next connection
	deaf     chan struct{} // closed when events come again; nil while they do
}

// NewController returns a controller whose channels end with parent at the latest. t may
// be nil; Bind then sets it later.
func NewController(parent context.Context, t Transport, cfg ControllerConfig) *Controller {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	k := &Controller{cfg: cfg}
	if t != nil {
		k.Bind(t)
	}
	k.ctx, k.end = context.WithCancelCause(parent)
	return k
}

// HandleEvent gives an event to the channel that it is about, if that is one of the
// controller's. It never blocks.
func (k *Controller) HandleEvent(_ context.Context, ev *esl.Event) { k.Handle(ev) }

// Handle is HandleEvent, and reports whether the event was about a channel of the
// controller.
func (k *Controller) Handle(ev *esl.Event) bool {
	uuid := ev.UUID()
	if uuid == "" {
		return false
	}
	k.mu.Lock()
	c := k.channels[uuid]
	k.mu.Unlock()
	if c == nil {
		return false
	}
	c.HandleEvent(ev)
	switch ev.Name() {
	case "CHANNEL_HANGUP_COMPLETE", "CHANNEL_DESTROY":
		k.leave(c)
	case "CHANNEL_STATE":
		if c.State() == StateDestroy {
			k.leave(c)
		}
	}
	return true
}

// lastWords is how long a channel that has ended waits for the rest of its events.
const lastWords = 5 * time.Second

// leave releases a channel when both of its last events have come, or one of them and
// the other does not come.
func (k *Controller) leave(c *Channel) {
	if c.State() == StateDestroy && c.HangupComplete() != nil {
		k.release(c)
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if c.leaving == nil && k.channels[c.uuid] == c {
		c.leaving = time.AfterFunc(lastWords, func() { k.release(c) })
	}
}

// Attach returns the channel with the given UUID, which must exist in FreeSWITCH;
// nothing checks that. data is an event of the channel, or nil if none has been seen.
func (k *Controller) Attach(uuid string, data *esl.Event) *Channel {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.attach(uuid, data)
}

func (k *Controller) attach(uuid string, data *esl.Event) *Channel {
	if c := k.channels[uuid]; c != nil {
		return c
	}
	var c *Channel
	c = New(k.ctx, &k.t, Config{
		UUID: uuid, Mode: k.cfg.Mode, Data: data, Instruments: k.cfg.Instruments, Logger: k.cfg.Logger,
		BreakTimeout: k.cfg.BreakTimeout, StreamLimit: k.cfg.StreamLimit,
		gone: func() { k.release(c) }, // no event will say so
		of:   k,
	})
	if k.closed != nil {
		c.Lost(k.closed)
		return c
	}
	if k.channels == nil {
		k.channels = make(map[string]*Channel)
	}
	k.channels[uuid] = c
	return c
}

// renew is Attach for a call that is about to be made, even if it has the UUID of one
// that has just ended.
func (k *Controller) renew(uuid string) *Channel {
	k.mu.Lock()
	old := k.channels[uuid]
	if old != nil && old.Err() != nil {
		delete(k.channels, uuid)
		defer func() { old.Lost(old.Err()) }()
	}
	defer k.mu.Unlock()
	return k.attach(uuid, nil)
}

// Channel returns the controller's channel with the given UUID, if it has one. A channel
// that has ended is kept until its last event has come, some seconds at most.
func (k *Controller) Channel(uuid string) (*Channel, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	c, ok := k.channels[uuid]
	return c, ok
}

// Detach forgets a channel: it gets no more events, and ends with esl.ErrClosed.
// The call itself goes on.
func (k *Controller) Detach(c *Channel) {
	k.release(c)
	c.Lost(esl.ErrClosed)
}

// release forgets a channel that has ended; its streams end with it.
func (k *Controller) release(c *Channel) {
	k.mu.Lock()
	if k.channels[c.uuid] != c {
		k.mu.Unlock()
		return
	}
	delete(k.channels, c.uuid)
	if c.leaving != nil {
		c.leaving.Stop()
	}
	k.mu.Unlock()
	if k.cfg.Unwatch != nil {
		k.cfg.Unwatch(c.uuid)
	}
	if err := c.Err(); err != nil {
		c.Lost(err)
	}
}

// Lost ends all channels with err, because the connection has ended for good or
// FreeSWITCH was restarted.
func (k *Controller) Lost(err error) {
	k.mu.Lock()
	channels := k.channels
	k.channels = nil
	k.mu.Unlock()
	for _, c := range channels {
		c.Lost(err)
	}
}

// Close ends all channels with err; a channel that is attached later ends at once.
func (k *Controller) Close(err error) {
	k.mu.Lock()
	if k.closed == nil {
		k.closed = err
	}
	k.mu.Unlock()
	k.Lost(err)
	k.end(err)
}
