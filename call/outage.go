package call

import (
	"context"

	"github.com/genesis-esl/genesis/esl"
)

// A Client's connection for commands can be back before the one for events. The end of what
// FreeSWITCH is told meanwhile would be missed, so that it is told later.

// listening has something be expected, once it will be heard. It is expected first, and then
// it is looked whether events come: Interrupt comes behind the loss.
func (c *Channel) listening(ctx context.Context, expect, forget func()) error {
	for {
		expect()
		over := c.cfg.of.outage()
		if over == nil {
			return nil
		}
		var err error
		select {
		case <-over:
		case <-c.ctx.Done():
			err = c.Err()
		case <-ctx.Done():
			err = c.ended(ctx)
		}
		forget()
		if err != nil {
			return err
		}
	}
}

// expect notes an application that is about to be executed, once its end will be heard.
func (c *Channel) expect(ctx context.Context) (x *execution, err error) {
	err = c.listening(ctx, func() {
		x = &execution{id: esl.NewUUID(), started: make(chan struct{}), done: make(chan *esl.Event, 1)}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.running = append(c.running, x)
	}, func() { c.drop(x) })
	return x, err
}

// awaitNext is await of an event that a command is about to cause, once it will be heard.
func (c *Channel) awaitNext(ctx context.Context, match func(name string, ev *esl.Event) bool) (w *waiter, err error) {
	err = c.listening(ctx, func() { w = c.await(match) }, func() { c.forget(w) })
	return w, err
}

// outage is closed when events come again; nil while they do, and for no controller.
func (k *Controller) outage() <-chan struct{} {
	if k == nil {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.deaf
}

func (k *Controller) beginOutage() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.deaf == nil {
		k.deaf = make(chan struct{})
	}
}

func (k *Controller) endOutage() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.deaf != nil {
		close(k.deaf)
		k.deaf = nil
	}
}
