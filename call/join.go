package call

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/genesis-esl/genesis/esl"
)

// ErrUnbound says that a Controller was used before Bind.
var ErrUnbound = errors.New("call: the controller has no connection yet")

// boundTransport is a transport that may come later.
type boundTransport struct {
	t atomic.Pointer[Transport]
}

func (b *boundTransport) Send(ctx context.Context, cmd esl.Command) (*esl.Reply, error) {
	if t := b.t.Load(); t != nil {
		return (*t).Send(ctx, cmd)
	}
	return nil, ErrUnbound
}

func (b *boundTransport) API(ctx context.Context, cmd string) (string, error) {
	if t := b.t.Load(); t != nil {
		return (*t).API(ctx, cmd)
	}
	return "", ErrUnbound
}

func (b *boundTransport) BgAPI(ctx context.Context, cmd string) (string, error) {
	if t := b.t.Load(); t != nil {
		return (*t).BgAPI(ctx, cmd)
	}
	return "", ErrUnbound
}

// Bind sets the transport for the commands of the controller and its channels.
func (k *Controller) Bind(t Transport) { k.t.t.Store(&t) }

// Join adds to the configuration of a Client what the controller needs: the
// subscriptions, the events as they are read, and the news of lost and new
// connections. The controller gets an event before any handler does, so a handler
// can wait for events of its call. What cfg already has is kept.
func (k *Controller) Join(cfg *esl.ClientConfig) {
	for _, name := range EventNames() {
		if !slices.Contains(cfg.Events, name) {
			cfg.Events = append(slices.Clip(cfg.Events), name)
		}
	}
	hooks := esl.Hooks{}
	if cfg.Hooks != nil {
		hooks = *cfg.Hooks
	}
	nextEvents, nextUp, nextDown := hooks.Events, cfg.OnUp, cfg.OnDown
	hooks.Events = func(events []*esl.Event) {
		for _, ev := range events {
			k.Handle(ev)
		}
		if nextEvents != nil {
			nextEvents(events)
		}
	}
	cfg.Hooks = &hooks
	cfg.OnUp = func(ctx context.Context, up esl.Up) {
		k.Up(ctx, up)
		if nextUp != nil {
			nextUp(ctx, up)
		}
	}
	cfg.OnDown = func(err error) {
		k.Down()
		if errors.Is(err, esl.ErrClosed) { // there is no other one to wait for
			k.endOutage()
		}
		if nextDown != nil {
			nextDown(err)
		}
	}
}

// Down tells the controller that the connection is lost for now. Operations that wait for
// an event fail with esl.ErrDisconnected, as the event may be missed; the channels are
// kept. New operations that end with an event wait for Up, even if commands work already.
func (k *Controller) Down() {
	k.beginOutage()
	for _, c := range k.all() {
		c.Interrupt()
	}
}

// Up tells the controller that the connection is back. Channels whose calls ended
// meanwhile end here too; if FreeSWITCH was restarted, all of them do. Their cause stays
// unknown. The others learn their present state: answered, parked, or bridged with whom.
// Up also hangs up the legs of an Originate that failed with the connection, and the
// calls that Discard could not hang up.
func (k *Controller) Up(ctx context.Context, up esl.Up) {
	k.endOutage()
	k.settleUp(ctx, up)
	if up.First {
		return
	}
	if !up.Restarted {
		k.lookAgain(ctx, k.all())
		return
	}
	for _, c := range k.all() {
		// A call that was made since then has not been able to tell of itself yet.
		if c.unborn() || c.eventsSoFar() == 0 && k.mayExist(ctx, c) {
			continue
		}
		c.Ended()
		k.release(c)
	}
}

// all returns the channels there are.
func (k *Controller) all() []*Channel {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Collect(maps.Values(k.channels))
}
