package observability

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/genesis-esl/genesis/esl"
)

// maxCalls bounds how many calls are followed for the live page, maxShown how many
// of them it lists.
const (
	maxCalls = 20000
	maxShown = 20
)

// calls follows the calls that events tell of: those of the channel events that the
// app subscribes to, and the sessions of an outbound server.
type calls struct {
	mode Mode
	now  func() time.Time

	mu         sync.Mutex
	subscribed func() []string // nil when nobody tells
	begun      bool            // a call was seen to begin, and
	ended      bool            // one to end
	complete   bool            // there are no calls but these
	gap        uint64          // how often events may have been missed
	calls      map[string]*liveCall
	unlisted   int // sessions beyond maxCalls
}

// liveCall is one call. Numbers and names of people are left out: the page has no
// password.
type liveCall struct {
	uuid, direction, state string
	since                  time.Time
	gap                    uint64 // of calls, when this one was last heard of
}

func newCalls(mode Mode, now func() time.Time) *calls {
	// An outbound server sees every session from its beginning to its end.
	return &calls{mode: mode, now: now, complete: mode == Outbound, calls: map[string]*liveCall{}}
}

// The events that tell of a call's beginning, and of its end.
var (
	beginnings = []string{"ALL", "CHANNEL_CREATE"}
	ends       = []string{"ALL", "CHANNEL_HANGUP", "CHANNEL_HANGUP_COMPLETE", "CHANNEL_DESTROY"}
)

// ObserveSubscriptions tells the live page which events come, and so whether it can count
// calls: it can when the names that subscribed returns include the beginning and the end
// of every call. When subscribed returns nothing, for example because filters leave events
// out, the number is unknown. subscribed is called every second, from any goroutine.
// Without ObserveSubscriptions, the page shows a number once it has seen one call begin
// and one call end.
func (o *Observability) ObserveSubscriptions(subscribed func() []string) {
	o.live.calls.mu.Lock()
	defer o.live.calls.mu.Unlock()
	o.live.calls.subscribed = subscribed
}

// countable tells whether calls are seen to begin and to end; the caller holds mu.
func (c *calls) countable() bool {
	if c.mode == Outbound {
		return true
	}
	if c.subscribed == nil {
		return c.begun && c.ended
	}
	names := c.subscribed()
	has := func(name string) bool { return slices.Contains(names, name) }
	return slices.ContainsFunc(beginnings, has) && slices.ContainsFunc(ends, has)
}

// followAll takes what a batch says about calls.
func (c *calls) followAll(batch []*esl.Event) {
	compared := false // once a batch: of many HEARTBEATs the others say the same
	for _, ev := range batch {
		if ev.Name() != "HEARTBEAT" {
			c.follow(ev)
		} else if !compared {
			compared = true
			c.compare(ev)
		}
	}
}

// follow takes what an event says about its call.
func (c *calls) follow(ev *esl.Event) {
	state := ""
	switch ev.Name() {
	case "CHANNEL_CREATE":
		state = "new"
	case "CHANNEL_PROGRESS", "CHANNEL_PROGRESS_MEDIA":
		state = "ringing"
	case "CHANNEL_ANSWER":
		state = "answered"
	case "CHANNEL_BRIDGE":
		state = "bridged"
	case "CHANNEL_PARK":
		state = "parked"
	case "CHANNEL_HANGUP", "CHANNEL_HANGUP_COMPLETE", "CHANNEL_DESTROY":
	default:
		return
	}
	uuid := ev.UUID()
	if uuid == "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	call := c.calls[uuid]
	switch {
	case state == "":
		c.ended = true
		delete(c.calls, uuid)
	case call != nil:
		call.state, call.gap = state, c.gap
	case c.mode == Consumer: // an outbound server's calls are its sessions
		c.begun = c.begun || state == "new"
		if c.add(uuid, directions.of(ev.Get("Call-Direction")), state) == nil {
			c.complete = false
		}
	}
}

// add follows a call, and returns nil when there are too many; the caller holds mu.
func (c *calls) add(uuid, direction, state string) *liveCall {
	if len(c.calls) >= maxCalls {
		return nil
	}
	uuid = strings.Clone(uuid)
	call := &liveCall{uuid, direction, state, c.now(), c.gap}
	c.calls[uuid] = call
	return call
}

// session follows an outbound session until the function it returns is called.
func (c *calls) session(uuid, direction string) func() {
	c.mu.Lock()
	defer c.mu.Unlock()
	call := c.add(uuid, directions.of(direction), "in session")
	if call == nil {
		c.unlisted++
	}
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		switch {
		case call == nil:
			c.unlisted--
		case c.calls[uuid] == call: // and not another session of the same call, which began meanwhile
			delete(c.calls, uuid)
		}
	}
}

// up takes what a new connection says of the calls: there may be some that began unseen,
// and those of before may have ended, unless nothing was missed or all are gone.
func (c *calls) up(u esl.Up) {
	if !u.First && !u.Restarted && !u.MissedUnknown && u.MissedAtMost == 0 {
		return
	}
	c.mu.Lock()
	// What was not heard of from one gap to the next is given up, lest it stay for ever.
	maps.DeleteFunc(c.calls, func(_ string, call *liveCall) bool { return u.Restarted || call.gap != c.gap })
	c.mu.Unlock()
	c.missed()
}

// missed notes that events may have been missed: that a call goes on is known again once
// it is heard of.
func (c *calls) missed() {
	if c.mode == Outbound {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gap++
	c.complete = false
}

// compare holds the calls against the number that a HEARTBEAT says FreeSWITCH has, in the
// order of events. Where it agrees they are all there are.
func (c *calls) compare(heartbeat *esl.Event) {
	sessions, err := strconv.Atoi(heartbeat.Get("Session-Count"))
	if err != nil || c.mode != Consumer {
		return
	}
	c.mu.Lock()
	sure := c.sure()
	switch sessions {
	case len(c.calls):
		for _, call := range c.calls {
			call.gap = c.gap
		}
		c.complete = true
	case sure:
		maps.DeleteFunc(c.calls, func(_ string, call *liveCall) bool { return call.gap != c.gap })
		c.complete = true
	}
	c.mu.Unlock()
	if sessions < sure {
		c.missed()
	}
}

// sure returns how many calls are known to go on; the caller holds mu.
func (c *calls) sure() (n int) {
	for _, call := range c.calls {
		if call.gap == c.gap {
			n++
		}
	}
	return n
}

// count says how many calls there are, and what is known of that.
func (c *calls) count() (n int, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n = c.sure() + c.unlisted
	switch doubtful := len(c.calls) + c.unlisted - n; {
	case !c.countable():
		return 0, "unknown: the app does not get the beginning and the end of every call"
	case c.complete:
		return n, strconv.Itoa(n)
	case doubtful > 0:
		return n, fmt.Sprintf("at least %d, %d more may have ended unseen", n, doubtful)
	}
	return n, fmt.Sprintf("at least %d", n)
}

// newest returns the newest calls.
func (c *calls) newest() []liveCall {
	list := c.all()
	slices.SortFunc(list, func(a, b liveCall) int {
		return cmp.Or(b.since.Compare(a.since), cmp.Compare(a.uuid, b.uuid))
	})
	return list[:min(len(list), maxShown)]
}

// all returns the calls; none where they are not seen to end.
func (c *calls) all() (list []liveCall) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.countable() {
		return nil
	}
	for _, call := range c.calls {
		shown := *call
		if call.gap != c.gap {
			shown.state = "may have ended"
		}
		list = append(list, shown)
	}
	return list
}
