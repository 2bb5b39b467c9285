package call

import (
	"context"

	"github.com/genesis-esl/genesis/esl"
)

// A Client's connection for commands can be back before the one for events. The end of what
// FreeSWITCH is told meanwhile would be missed, so that it is told later.

// listen waits until events come, and tells whether it had to.
func (c *Channel) listen(ctx context.Context) (waited bool, err error) {
	if c.cfg.of == nil {
		return false, nil
	}
	over := c.cfg.of.outage()
	if over == nil {
		return false, nil
	}
	select {
	case <-over:
		return true, nil
	case <-c.ctx.Done():
		return true, c.Err()
	case <-ctx.Done():
		return true, c.ended(ctx)
	}
}

// expect notes an application that is about to be executed, once its end will be heard. It
// listens last: Interrupt comes behind the loss.
func (c *Channel) expect(ctx context.Context) (*execution, error) {
	for {
		x := &execution{id: esl.NewUUID(), started: make(chan struct{}), done: make(chan *esl.Event, 1)}
		c.mu.Lock()
		c.running = append(c.running, x)
		c.mu.Unlock()
		waited, err := c.listen(ctx)
		if !waited {
			return x, nil
		}
		c.drop(x)
		if err != nil {
			return nil, err
		}
	}
}

// awaitNext is await of an event that a command is about to cause, once it will be heard.
func (c *Channel) awaitNext(ctx context.Context, name string) (*waiter, error) {
	for {
		w := c.await(named([]string{name}))
		waited, err := c.listen(ctx)
		if !waited {
			return w, nil
		}
		c.forget(w)
		if err != nil {
			return nil, err
		}
	}
}

// outage is closed when events come again; nil while they do.
func (k *Controller) outage() <-chan struct{} {
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
