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

// Bind gives the controller and its channels the transport for their commands.
func (k *Controller) Bind(t Transport) { k.t.t.Store(&t) }

// Join adds to the configuration of a Client what the controller needs of it: the
// subscriptions, the events as they are read (before any handler has them, so that a
// handler can wait for events of the call it handles), and the news of lost and new
// connections. What cfg has already is kept.
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

// Down tells that the connection is lost for now: what waits for an event fails with
// esl.ErrDisconnected, as the event may be missed. The channels are kept. Operations that
// end with an event begin no sooner than Up, even if commands work already.
func (k *Controller) Down() {
	k.beginOutage()
	for _, c := range k.all() {
		c.Interrupt()
	}
}

// Up tells that the connection is back: channels that have ended meanwhile end here
// too, all of them if FreeSWITCH was restarted. Their cause stays unknown. The others
// learn how they are by now: answered, parked or with whom they talk. The legs of an
// Originate that failed with the connection are hung up, and the calls that Discard could
// not.
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
