package esltest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/genesis-esl/genesis/esl"
)

// CallConfig describes a call that arrives at the simulated FreeSWITCH. The
// zero value is a call from 1001 to 5000 that runs the dialplan.
type CallConfig struct {
	// UUID is the channel's Unique-ID. Default: a new one.
	UUID string
	// From and FromName are the caller's number and name. Default: 1001, no name.
	From, FromName string
	// To is the number dialled. Default 5000.
	To string
	// Variables are set on the channel before it starts.
	Variables map[string]string

	// Outbound is the host:port of an outbound server (or host:port|host:port) that
	// gets the call, as by the socket application: async and full, unless the two
	// fields that follow say otherwise.
	Outbound string
	// Sync opens the socket without async.
	Sync bool
	// SingleChannel opens the socket without full.
	SingleChannel bool
	// Actions run instead of the dialplan; when Outbound is set too, before anything
	// else.
	Actions []Action

	// Digits are pressed by the caller once the call is answered: the first one after
	// DigitDelay, the others DigitDelay apart. Default 0: at once.
	Digits     string
	DigitDelay time.Duration
	// HangupAfter is the time from the start of the call until the caller hangs up. 0:
	// never.
	HangupAfter time.Duration
	// HangupCause is the cause of that hangup. Default NORMAL_CLEARING.
	HangupCause string

	observe *tally // the load that the call belongs to
}

// Call is a handle on a leg in the simulated FreeSWITCH: the caller's side of the
// leg. Its methods are safe for concurrent use.
type Call struct {
	ch *channel
}

// Call places a call. It returns as soon as the call exists; ctx is not used
// afterwards. It fails when the server is not running, when the UUID is in use, and
// when there are too many sessions.
func (s *Server) Call(ctx context.Context, cfg CallConfig) (*Call, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c := s.enter()
	if c == nil {
		return nil, errors.New("esltest: server is not running")
	}
	defer c.wg.Done()
	setDefault(&cfg.From, "1001")
	setDefault(&cfg.To, "5000")
	ch := c.newChannel("sofia/internal/"+cfg.From+"@"+s.cfg.Domain, cfg.UUID, inboundCall)
	ch.kind = "sofia"
	ch.apps = cfg.actions()
	if !c.enter(ch) {
		return nil, fmt.Errorf("esltest: call refused: %s", c.refusal(ch.uuid))
	}
	ch.mu.Lock()
	p := &ch.profile
	p.dialplan = "XML"
	p.cidName, p.cidNumber, p.ani, p.dest = cfg.FromName, cfg.From, cfg.From, cfg.To
	p.origName, p.origNumber = cfg.FromName, cfg.From
	p.network, p.source, p.context = s.cfg.IPv4, "mod_sofia", "default"
	ch.logNew()
	ch.setCodecs()
	ch.add("direction", inboundCall, "uuid", ch.uuid, "call_uuid", ch.uuid, "session_id", itoa(ch.number),
		"sip_from_user", cfg.From, "sip_from_host", s.cfg.Domain, "sip_to_user", cfg.To, "sip_req_user", cfg.To,
		"sip_network_ip", s.cfg.IPv4, "channel_name", ch.name,
		"read_codec", "L16", "read_rate", "8000", "write_codec", "L16", "write_rate", "8000")
	for _, name := range slices.Sorted(maps.Keys(cfg.Variables)) {
		ch.set(name, cfg.Variables[name])
	}
	ch.mu.Unlock()
	if ch.observe = cfg.observe; ch.observe != nil {
		ch.observe.began(ch)
	}
	c.wg.Go(ch.runInbound)
	if cfg.Digits != "" {
		c.wg.Go(func() { ch.keyIn(cfg.Digits, cfg.DigitDelay) })
	}
	if cfg.HangupAfter > 0 {
		c.after(cfg.HangupAfter, ch.gone, func() { ch.hangup(cfg.HangupCause, "caller") })
	}
	return &Call{ch}, nil
}

func (cfg *CallConfig) actions() []Action {
	actions := slices.Clone(cfg.Actions)
	if cfg.Outbound == "" {
		return actions
	}
	data := cfg.Outbound
	if !cfg.Sync {
		data += " async"
	}
	if !cfg.SingleChannel {
		data += " full"
	}
	return append(actions, Action{App: "socket", Data: data})
}

// keyIn presses digits once the call is answered.
func (ch *channel) keyIn(digits string, delay time.Duration) {
	ch.awaitAnswer(nil)
	if delay <= 0 {
		ch.press(digits, "RTP", 2000)
		return
	}
	for _, digit := range strings.Split(digits, "") {
		if !ch.pause(delay) {
			return
		}
		ch.press(digit, "RTP", 2000)
	}
}

// Leg returns a handle on the channel with the given UUID, such as one that an app
// has originated; nil when there is none.
func (s *Server) Leg(uuid string) *Call {
	if c := s.current(); c != nil {
		if ch := c.channel(uuid); ch != nil {
			return &Call{ch}
		}
	}
	return nil
}

// Legs returns a handle on every channel, in the order in which they were created.
func (s *Server) Legs() []*Call {
	c := s.current()
	if c == nil {
		return nil
	}
	var legs []*Call
	for _, ch := range c.sessions() {
		legs = append(legs, &Call{ch})
	}
	return legs
}

// UUID returns the channel's Unique-ID.
func (c *Call) UUID() string { return c.ch.uuid }

// Press presses digits on the caller's phone, at once.
func (c *Call) Press(digits string) { c.ch.press(digits, "RTP", 2000) }

// Hangup makes the caller hang up; an empty cause is NORMAL_CLEARING.
func (c *Call) Hangup(cause string) { c.ch.hangup(cause, "caller") }

// Answer answers the call, as a called party does.
func (c *Call) Answer() { c.ch.answer() }

// Execute runs an application on the leg alongside the one that is running, as a
// sendmsg from another socket does.
func (c *Call) Execute(app, arg string) {
	c.ch.queueMessage(&esl.Request{Line: "sendmsg", Headers: []esl.Header{
		{Name: "call-command", Value: "execute"},
		{Name: "execute-app-name", Value: app},
		{Name: "execute-app-arg", Value: arg},
	}})
}

// State is a snapshot of a leg.
type State struct {
	UUID, Name string
	// Channel and Call are FreeSWITCH's names: CS_EXECUTE, ACTIVE.
	Channel, Call string
	// App is the application that is running or ran last, Data its argument.
	App, Data string
	// Answered, HungUp and Ended say how far the call has got: HungUp is true from
	// CHANNEL_HANGUP on, Ended from CHANNEL_DESTROY on.
	Answered, HungUp, Ended bool
	// Cause is the hangup cause, empty while the call lives.
	Cause string
	// BridgedTo is the UUID of the leg that this one is bridged to; empty when there
	// is none.
	BridgedTo string
	// Heard are the digits that were sent to the caller.
	Heard string
	// Pressed are the caller's digits that the application has taken.
	Pressed string
	// AnsweredAfter is the time from the start of the call to the answer.
	AnsweredAfter time.Duration
}

// State returns a snapshot.
func (c *Call) State() State {
	c.ch.mu.Lock()
	defer c.ch.mu.Unlock()
	return c.ch.snapshot()
}

// snapshot is State for a caller that holds mu.
func (ch *channel) snapshot() State {
	s := State{
		UUID: ch.uuid, Name: ch.name, Channel: stateNames[ch.running], Call: callStateNames[ch.callState],
		App: ch.lastApp.App, Data: ch.lastApp.Data, Answered: ch.answered, HungUp: ch.state >= csHangup,
		Ended: ch.running == csDestroy, Cause: ch.cause, BridgedTo: ch.otherUUID,
		Heard: string(ch.sentDigits), Pressed: string(ch.dialed),
	}
	if ch.answerAt > 0 {
		s.AnsweredAfter = time.Duration(ch.answerAt-ch.start) * time.Microsecond
	}
	return s
}

// Executed returns the applications that have run on the leg or are running, in
// order: what an app has done with the call.
func (c *Call) Executed() []Action {
	c.ch.mu.Lock()
	defer c.ch.mu.Unlock()
	return slices.Clone(c.ch.history)
}

// Variable returns a channel variable, or "".
func (c *Call) Variable(name string) string {
	value, _ := c.ch.variable(name)
	return value
}

// SetVariable sets a channel variable; an empty value unsets it.
func (c *Call) SetVariable(name, value string) { c.ch.setVariable(name, value) }

// Wait blocks until reached returns true for the state of the leg. It returns that
// state; or the last state and an error, when ctx ends or the leg has ended without
// reaching it.
func (c *Call) Wait(ctx context.Context, reached func(State) bool) (State, error) {
	for {
		c.ch.mu.Lock()
		s, changed := c.ch.snapshot(), c.ch.changed
		c.ch.mu.Unlock()
		if reached(s) {
			return s, nil
		}
		if s.Ended {
			return s, fmt.Errorf("esltest: call has ended with %s", s.Cause)
		}
		select {
		case <-changed:
		case <-c.ch.done:
		case <-ctx.Done():
			return s, ctx.Err()
		}
	}
}

// WaitAnswered blocks until the call is answered.
func (c *Call) WaitAnswered(ctx context.Context) error {
	_, err := c.Wait(ctx, func(s State) bool { return s.Answered })
	return err
}

// WaitApp blocks until app is running, or was the last application to run.
func (c *Call) WaitApp(ctx context.Context, app string) error {
	_, err := c.Wait(ctx, func(s State) bool { return s.App == app })
	return err
}

// WaitVariable blocks until the variable has the value.
func (c *Call) WaitVariable(ctx context.Context, name, value string) error {
	_, err := c.Wait(ctx, func(State) bool { return c.Variable(name) == value })
	return err
}

// WaitHangup blocks until the call has hung up and returns the cause.
func (c *Call) WaitHangup(ctx context.Context) (cause string, err error) {
	s, err := c.Wait(ctx, func(s State) bool { return s.HungUp })
	return s.Cause, err
}

// WaitEnded blocks until nothing is left of the call, its sockets included.
func (c *Call) WaitEnded(ctx context.Context) error {
	_, err := c.Wait(ctx, func(s State) bool { return s.Ended })
	return err
}

// Fire sends an event to every client that has subscribed to it, as sendevent does.
// headers follow those that every event has.
func (s *Server) Fire(name string, headers []esl.Header, body string) error {
	c := s.current()
	if c == nil {
		return errors.New("esltest: server is not running")
	}
	id, ok := eventByName(name)
	if !ok {
		id = evCustom
		headers = append([]esl.Header{{Name: "Event-Subclass", Value: name}}, headers...)
	}
	e := &event{id: id, headers: append(c.base(id, srcSendEvent, len(headers)), headers...), body: body}
	e.subclass = e.get("Event-Subclass")
	e.uuid = e.get("Unique-ID")
	c.publish(e)
	return nil
}
