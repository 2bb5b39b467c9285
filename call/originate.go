package call

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"strings"
	"time"
)

// App is a dialplan application with its argument.
type App struct {
	// Name of the application, such as "park".
	Name string
	// Args is its argument. A ")" cannot be written there.
	Args string
}

// Originate asks for a new call. Only To is required.
type Originate struct {
	// To is the destination.
	To Dial
	// Vars are set on every leg. Those of Leg.With and Dial.With override them.
	Vars Vars
	// CallerName and CallerNumber are what the called party sees.
	CallerName, CallerNumber string
	// Timeout is how long the call may ring in total, in whole seconds, rounded up. Zero
	// means FreeSWITCH's default (60 s).
	Timeout time.Duration
	// App is what the call does once it is answered. The zero value parks it, ready for
	// operations on its Channel.
	App App
	// Extension sends the answered call into the dialplan instead of App.
	Extension Extension
	// EarlyMedia lets early media count as an answer: Originate then returns with the
	// first sound, with the call in AnswerEarly. By default only an answer counts
	// (ignore_early_media).
	EarlyMedia bool
	// UUID is the Unique-ID of the new channel; it needs a To of a single leg. Empty: a
	// random one. While a channel has it, and for a moment after a call that failed,
	// FreeSWITCH refuses it to another (DestinationOutOfOrder).
	UUID string
}

// Originator makes calls: a *Controller and an *outbound.Session do.
type Originator interface {
	// Originate makes a call and waits until it is answered, as Controller.Originate does.
	Originate(ctx context.Context, o Originate) (*Channel, error)
}

// Command returns the api command that Originate runs, for logs and tests. Legs
// without a UUID get a new one each time.
func (o Originate) Command() (string, error) {
	arg, _, err := o.encode()
	return "originate " + arg, err
}

// encode writes the arguments of the originate command, and tells the UUIDs of all
// legs that can come of it, if they are known.
func (o Originate) encode() (arg string, legs namedLegs, err error) {
	dial := o.To.under(o.vars())
	if o.UUID != "" {
		if err := checkToken("UUID", o.UUID); err != nil {
			return "", legs, err
		}
		dial = dial.WithUUID(o.UUID)
	}
	legs = dial.name()
	target, err := legs.dial.Encode()
	if err != nil {
		return "", legs, err
	}
	destination, err := o.destination()
	if err != nil {
		return "", legs, err
	}
	return word(target) + " " + destination, legs, nil
}

func (o Originate) vars() Vars {
	vars := maps.Clone(o.Vars)
	if vars == nil {
		vars = Vars{}
	}
	set := func(name, value string) {
		if _, given := vars[name]; !given && value != "" {
			vars[name] = value
		}
	}
	set("origination_caller_id_name", o.CallerName)
	set("origination_caller_id_number", o.CallerNumber)
	if o.Timeout > 0 {
		set("originate_timeout", wholeSeconds(o.Timeout))
	}
	if !o.EarlyMedia {
		set("ignore_early_media", "true")
	}
	return vars
}

// destination writes &app(args), or an extension.
func (o Originate) destination() (string, error) {
	if o.Extension.Number != "" {
		return o.Extension.encode()
	}
	app := o.App
	app.Name = cmp.Or(app.Name, "park")
	if err := checkName(app.Name); err != nil {
		return "", fmt.Errorf("call: application %q: %w", app.Name, ErrUnencodable)
	}
	if err := checkArgument("argument of "+app.Name, app.Args); err != nil {
		return "", err
	}
	if strings.Contains(app.Args, ")") {
		return "", fmt.Errorf("call: argument of %s holds a closing parenthesis: %w", app.Name, ErrUnencodable)
	}
	return word("&" + app.Name + "(" + app.Args + ")"), nil
}

// Originate makes a call and waits until it is answered. It runs in the background of
// FreeSWITCH and blocks nothing. If ctx ends meanwhile, the call is hung up with
// OriginatorCancel, or with context.Cause(ctx) if that is a Cause: LoseRace tells a
// telephone that somebody else has answered. If the call is not answered, the error is a
// *HangupError with the cause. A call that was answered but is over by now is no error:
// its channel has ended.
func (k *Controller) Originate(ctx context.Context, o Originate) (c *Channel, err error) {
	ctx, done := k.cfg.Instruments.begin(ctx, opCreate, attr("originate.to", o.To.String()))
	defer func() { done(err) }()
	arg, legs, err := o.encode()
	if err != nil {
		return nil, err
	}
	ctx, leave := k.within(ctx)
	defer leave()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	adopted, err := k.adopt(ctx, legs.uuids)
	if err != nil {
		return nil, err
	}
	uuid, err := k.launch(ctx, arg, legs)
	c = k.disown(adopted, uuid)
	if err != nil {
		return nil, err
	}
	if c != nil {
		err = k.settle(ctx, c, o.EarlyMedia)
	} else {
		c, err = k.meet(ctx, uuid)
	}
	if err != nil { // whoever gets an error has no call
		k.drop(ctx, uuid)
		if c != nil {
			k.Detach(c)
		}
		return nil, err
	}
	return c, nil
}

// within returns a context that ends with the controller too.
func (k *Controller) within(ctx context.Context) (_ context.Context, leave func()) {
	ctx, end := context.WithCancelCause(ctx)
	if k.ctx.Err() != nil {
		end(context.Cause(k.ctx))
	}
	stop := context.AfterFunc(k.ctx, func() { end(context.Cause(k.ctx)) })
	return ctx, func() {
		stop()
		end(nil)
	}
}

// adopt makes channels for the legs, so that nothing of them is missed.
func (k *Controller) adopt(ctx context.Context, uuids []string) (adopted []*Channel, err error) {
	for _, uuid := range uuids {
		c := k.renew(uuid) // first: who lets go of the one before is to see it
		c.setExpected(true)
		adopted = append(adopted, c)
		if err := k.watch(ctx, uuid); err != nil {
			k.disown(adopted, "")
			return nil, err
		}
	}
	return adopted, nil
}

func (k *Controller) watch(ctx context.Context, uuid string) error {
	if k.cfg.Watch == nil {
		return nil
	}
	return k.cfg.Watch(ctx, uuid)
}

// disown forgets all legs but one, which it returns. That one may be over already: a
// new channel in its place would never learn of it.
func (k *Controller) disown(adopted []*Channel, but string) (kept *Channel) {
	for _, c := range adopted {
		if c.uuid == but {
			kept = c
			c.setExpected(false)
			continue
		}
		k.Detach(c)
	}
	return kept
}

// settle waits until the channel's own events say what the command's answer said:
// the two can come on two sockets.
func (k *Controller) settle(ctx context.Context, c *Channel, early bool) error {
	timer := time.NewTimer(goneGrace)
	defer timer.Stop()
	for {
		w := c.await(anyEvent)
		if s := c.AnswerState(); s == AnswerAnswered || early && s == AnswerEarly {
			c.forget(w)
			return nil
		}
		select {
		case <-w.found:
		case <-timer.C:
			c.forget(w)
			return k.look(ctx, c) // its events do not come
		case <-c.Done():
			c.forget(w)
			if isHangup(c.Err()) {
				return nil // answered, and over since
			}
			return c.Err()
		case <-ctx.Done():
			c.forget(w)
			return context.Cause(ctx)
		}
	}
}

// meet makes a channel for a leg that nobody could name beforehand, such as one of a raw
// dial string. What it has told already, its hangup too, has gone unheard.
func (k *Controller) meet(ctx context.Context, uuid string) (*Channel, error) {
	if err := k.watch(ctx, uuid); err != nil {
		return nil, err
	}
	c := k.Attach(uuid, nil)
	return c, k.look(ctx, c)
}
