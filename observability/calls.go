package observability

import (
	"slices"
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
	now func() time.Time

	mu    sync.Mutex
	seen  bool // events of channels arrive
	calls map[string]*liveCall
}

// liveCall is one call. Numbers and names of people are left out: the page has no
// password.
type liveCall struct {
	uuid, direction, state string
	since                  time.Time
}

func newCalls(now func() time.Time) *calls {
	return &calls{now: now, calls: map[string]*liveCall{}}
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
	c.seen = true
	call := c.calls[uuid]
	switch {
	case state == "":
		delete(c.calls, uuid)
	case call != nil:
		call.state = state
	default:
		c.add(uuid, directions.of(ev.Get("Call-Direction")), state)
	}
}

// add follows a call; the caller holds mu.
func (c *calls) add(uuid, direction, state string) {
	if len(c.calls) < maxCalls {
		uuid = strings.Clone(uuid)
		c.calls[uuid] = &liveCall{uuid, direction, state, c.now()}
	}
}

// session follows an outbound session until the function it returns is called.
func (c *calls) session(uuid string) func() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen = true
	c.add(uuid, inbound, "in session")
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.calls, uuid)
	}
}

// forget drops all calls, as their ends may have been missed.
func (c *calls) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.calls)
}

// newest returns the number of calls and the newest of them; false when no events
// tell of calls.
func (c *calls) newest() (n int, list []liveCall, known bool) {
	list, known = c.all()
	slices.SortFunc(list, func(a, b liveCall) int {
		if order := b.since.Compare(a.since); order != 0 {
			return order
		}
		return strings.Compare(a.uuid, b.uuid)
	})
	return len(list), list[:min(len(list), maxShown)], known
}

func (c *calls) all() (list []liveCall, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	list = make([]liveCall, 0, len(c.calls))
	for _, call := range c.calls {
		list = append(list, *call)
	}
	return list, c.seen
}
