package consumer

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/genesis-esl/genesis/esl"
)

// ResyncEvent is the name of an event that the app itself makes. After each connect, a
// handler registered for it learns of every call that began or ended unseen:
//
//	app.HandleFunc(consumer.ResyncEvent, func(ctx context.Context, ev *esl.Event) error {
//		switch ev.Get("Resync") {
//		case "ended": // no CHANNEL_HANGUP_COMPLETE came or will come for ev.UUID()
//		case "new":   // no CHANNEL_CREATE came or will come for ev.UUID()
//		}
//		return nil
//	})
//
// It is a CUSTOM event with the headers Resync, Unique-ID, Channel-Name,
// Call-Direction, Caller-Caller-ID-Number and Caller-Destination-Number (as far as
// known). It comes in order with the other events of the call. At the first connect,
// calls that already exist are "new".
//
// The app compares the calls that it knows from events with FreeSWITCH's "show channels
// as json", once the events have caught up with that list. Calls that both began and
// ended while the connection was down leave no trace. A user that may not run "api
// show" gets no such events, only a warning in the log. The same goes for a client
// whose Filters keep this event out, or whose Limits.Body is too small for the list,
// which takes some 1 KiB for each channel.
//
// Keep a set of calls, not a counter: of a call that began unseen and ends before the
// comparison, only the CHANNEL_HANGUP_COMPLETE is seen.
const ResyncEvent = "genesis::resync"

// resyncEvents are what following the calls takes.
var resyncEvents = []string{"CHANNEL_CREATE", "CHANNEL_HANGUP_COMPLETE", "CHANNEL_DESTROY", ResyncEvent}

// resyncTimeout bounds how long FreeSWITCH may take for its list of channels.
const resyncTimeout = 10 * time.Second

// markTimeout bounds how long the mark may take to come back then. It comes behind all events that wait for their
// handlers; what is remembered meanwhile is some 80 bytes for each call.
var markTimeout = 5 * time.Minute

// followed is a call that exists, as far as events tell.
type followed struct {
	headers []esl.Header
	over    bool // CHANNEL_HANGUP_COMPLETE was seen; CHANNEL_DESTROY is yet to come
	unseen  bool // there was a time without events in its life, in which CHANNEL_HANGUP_COMPLETE can have come
	untold  bool // the app knows it from an event of its own alone: neither CHANNEL_CREATE nor "new" came
}

// tracker follows calls and finds out which ones changed while nobody looked.
// A nil tracker does nothing.
type tracker struct {
	app  *App
	wg   sync.WaitGroup
	stop context.CancelFunc
	ctx  context.Context

	mu    sync.Mutex
	next  esl.Handler
	calls map[string]*followed
	round *round
}

// round is one comparison. It ends when the mark comes back on the event socket:
// events that were on their way when the list was made have come by then.
type round struct {
	mark    string          // of the list that was asked for last
	before  map[string]bool // calls not over when the connection came up
	touched map[string]bool // calls with events since then
	rows    map[string]row
	over    chan struct{} // closed when the mark has come back, or another round has begun
}

// row is a line of show channels as json.
type row struct {
	UUID      string `json:"uuid"`
	Direction string `json:"direction"`
	Name      string `json:"name"`
	Caller    string `json:"cid_num"`
	Callee    string `json:"dest"`
}

// newTracker returns nil unless somebody wants ResyncEvent.
func newTracker(a *App) *tracker {
	if !slices.Contains(a.Events(), ResyncEvent) {
		return nil
	}
	ctx, stop := context.WithCancel(context.Background())
	return &tracker{app: a, ctx: ctx, stop: stop, calls: map[string]*followed{}}
}

// wait ends what is under way.
func (t *tracker) wait() {
	if t != nil {
		t.stop()
		t.wg.Wait()
	}
}

// watch returns a handler that looks at events before h takes them.
func (t *tracker) watch(h esl.Handler) esl.Handler {
	if t == nil {
		return h
	}
	t.next = h
	return t
}

// HandleEvent follows one event.
func (t *tracker) HandleEvent(ctx context.Context, ev *esl.Event) {
	t.HandleEvents(ctx, []*esl.Event{ev})
}

// HandleEvents follows a batch and hands it on. Events of the comparison that the
// mark completes come where the mark was.
func (t *tracker) HandleEvents(ctx context.Context, events []*esl.Event) {
	from := 0
	for i, ev := range events {
		if ev.Name() == "CUSTOM" && ev.Subclass() == ResyncEvent {
			t.hand(ctx, events[from:i])
			from = i + 1
			t.finish(ctx, ev.Get("Resync-Mark"))
			continue
		}
		if ended := t.follow(ev); ended != nil {
			t.hand(ctx, events[from:i])
			from = i
			t.hand(ctx, []*esl.Event{ended})
		}
	}
	t.hand(ctx, events[from:])
}

func (t *tracker) hand(ctx context.Context, events []*esl.Event) {
	if len(events) > 0 {
		t.next.(esl.BatchHandler).HandleEvents(ctx, events)
	}
}

// follow notes the beginning and end of calls. It returns an event of the comparison for a call whose
// CHANNEL_DESTROY comes without the CHANNEL_HANGUP_COMPLETE before it, which fell into a time without events.
func (t *tracker) follow(ev *esl.Event) (ended *esl.Event) {
	name := ev.Name()
	if name != "CHANNEL_CREATE" && name != "CHANNEL_HANGUP_COMPLETE" && name != "CHANNEL_DESTROY" {
		if strings.HasPrefix(name, "CHANNEL_") {
			t.glimpse(ev)
		}
		return nil
	}
	uuid := strings.Clone(ev.UUID())
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.round != nil {
		t.round.touched[uuid] = true
	}
	switch name {
	case "CHANNEL_CREATE":
		t.calls[uuid] = &followed{headers: described(uuid, ev)}
	case "CHANNEL_HANGUP_COMPLETE":
		if c := t.calls[uuid]; c != nil {
			c.over = true
		}
	case "CHANNEL_DESTROY":
		if c := t.calls[uuid]; c != nil && c.unseen && !c.over {
			ended = resyncEvent("ended", c.headers)
		}
		delete(t.calls, uuid)
	}
	return ended
}

// glimpse notes a call that an event shows before the comparison has. When the connection is lost again before that is
// over, and the call ends meanwhile, nothing else would know that the app has ever heard of it.
func (t *tracker) glimpse(ev *esl.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.round == nil || t.calls[ev.UUID()] != nil || t.round.touched[ev.UUID()] {
		return
	}
	uuid := strings.Clone(ev.UUID())
	t.calls[uuid] = &followed{unseen: true, untold: true, headers: described(uuid, ev)}
}

func described(uuid string, ev *esl.Event) []esl.Header {
	return describe(uuid, ev.Get("Channel-Name"), ev.Get("Call-Direction"),
		ev.Get("Caller-Caller-ID-Number"), ev.Get("Caller-Destination-Number"))
}

func describe(uuid, name, direction, caller, callee string) []esl.Header {
	headers := []esl.Header{{Name: "Unique-ID", Value: uuid}}
	add := func(name, value string) {
		if value != "" {
			headers = append(headers, esl.Header{Name: name, Value: strings.Clone(value)})
		}
	}
	add("Channel-Name", name)
	add("Call-Direction", direction)
	add("Caller-Caller-ID-Number", caller)
	add("Caller-Destination-Number", callee)
	return headers
}

// up begins a comparison; events go on meanwhile.
func (t *tracker) up(client *esl.Client) {
	if t == nil {
		return
	}
	r := &round{before: map[string]bool{}, touched: map[string]bool{}, over: make(chan struct{})}
	t.mu.Lock()
	for uuid, c := range t.calls {
		if c.over {
			delete(t.calls, uuid) // its CHANNEL_DESTROY may have been missed
			r.touched[uuid] = true
			continue
		}
		c.unseen = true
		r.before[uuid] = true
	}
	if t.round != nil {
		close(t.round.over)
	}
	t.round = r
	t.mu.Unlock()
	t.wg.Go(func() { t.attend(client, r) })
}

// attend sees to it that a comparison ends: a round that goes on remembers every call that comes and goes.
func (t *tracker) attend(client *esl.Client, r *round) {
	err := t.ask(client, r)
	if err == nil {
		err = t.marked(r)
	}
	if t.giveUp(r) && err != nil && t.ctx.Err() == nil {
		t.app.logger().WarnContext(t.ctx, "calls that changed unseen are unknown", "error", err)
	}
}

// ask is compare, tried again for as long as that makes sense.
func (t *tracker) ask(client *esl.Client, r *round) error {
	ctx, cancel := context.WithTimeout(t.ctx, resyncTimeout)
	defer cancel()
	err := t.compare(ctx, client, r)
	// The command socket can be lost, or late, by itself; asking again does no harm.
	// After the loss of the events the comparison of their new connection takes over.
	for err != nil && !lasting(err) && t.current(r) && pause(ctx, compareAgain) {
		err = t.compare(ctx, client, r)
	}
	return err
}

// errNoMark is the end of a comparison whose mark got lost.
var errNoMark = errors.New("FreeSWITCH does not send " + ResyncEvent + ", by which events are known to have caught up: " +
	"a filter keeps it out, or events are far behind")

// marked waits for the mark to come back.
func (t *tracker) marked(r *round) error {
	timer := time.NewTimer(markTimeout)
	defer timer.Stop()
	select {
	case <-r.over:
		return nil
	case <-timer.C:
		return errNoMark
	case <-t.ctx.Done():
		return nil
	}
}

// giveUp ends r, and reports false if that has ended: by its mark, or because a later comparison has taken over.
func (t *tracker) giveUp(r *round) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.round != r {
		return false
	}
	t.round = nil
	return true
}

// compareAgain is how long to wait before a comparison that failed is tried again.
const compareAgain = 50 * time.Millisecond

// lasting reports whether FreeSWITCH said no, which it would say again, or more than Limits allow, which ends the
// command connection each time.
func lasting(err error) bool {
	var reply *esl.ReplyError
	return errors.As(err, &reply) || errors.Is(err, esl.ErrFrameTooLarge)
}

// pause waits for d, or until ctx ends; then it reports false.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// current reports whether r is still to be completed.
func (t *tracker) current(r *round) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.round == r && t.ctx.Err() == nil
}

// compare asks for the list of channels and sends the mark after it.
func (t *tracker) compare(ctx context.Context, client *esl.Client, r *round) error {
	output, err := client.API(ctx, "show channels as json")
	if err != nil {
		return err
	}
	var list struct {
		Rows []row `json:"rows"`
	}
	if err := json.Unmarshal([]byte(output), &list); err != nil {
		return fmt.Errorf("show channels as json: %w", err)
	}
	rows := make(map[string]row, len(list.Rows))
	for _, row := range list.Rows {
		rows[row.UUID] = row
	}
	mark := rand.Text() // that of an attempt before may come yet, and events have not caught up with this list then
	t.mu.Lock()
	r.rows, r.mark = rows, mark
	t.mu.Unlock()
	_, err = client.Send(ctx, markCommand{mark})
	return err
}

// markCommand sends the event that comes back as the mark.
type markCommand struct{ mark string }

func (m markCommand) BuildMessage() string {
	return "sendevent CUSTOM\nEvent-Subclass: " + ResyncEvent + "\nResync-Mark: " + m.mark
}

// finish completes the round that the mark belongs to, if it is the current one.
func (t *tracker) finish(ctx context.Context, mark string) {
	t.mu.Lock()
	r := t.round
	if r == nil || r.rows == nil || r.mark != mark {
		t.mu.Unlock()
		return
	}
	t.round = nil
	close(r.over)
	var changed []*esl.Event
	for uuid := range r.before {
		c := t.calls[uuid]
		if _, exists := r.rows[uuid]; exists || c == nil || r.touched[uuid] {
			continue
		}
		changed = append(changed, resyncEvent("ended", c.headers))
		delete(t.calls, uuid)
	}
	for uuid, row := range r.rows {
		if c := t.calls[uuid]; (c == nil || c.untold) && !r.touched[uuid] {
			c = &followed{unseen: true, headers: describe(uuid, row.Name, row.Direction, row.Caller, row.Callee)}
			t.calls[uuid] = c
			changed = append(changed, resyncEvent("new", c.headers))
		}
	}
	t.mu.Unlock()
	t.hand(ctx, changed)
}

func resyncEvent(what string, headers []esl.Header) *esl.Event {
	return esl.NewEvent(append([]esl.Header{
		{Name: "Event-Name", Value: "CUSTOM"},
		{Name: "Event-Subclass", Value: ResyncEvent},
		{Name: "Resync", Value: what},
	}, headers...), "")
}
