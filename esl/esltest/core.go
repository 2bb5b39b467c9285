package esltest

import (
	"context"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/genesis-esl/genesis/esl"
)

// core is one run of FreeSWITCH: from a start to the next restart.
type core struct {
	srv      *Server
	uuid     string
	started  time.Time
	ln       net.Listener
	ctx      context.Context
	cancel   context.CancelFunc
	wg       sync.WaitGroup
	seq      atomic.Uint64
	session  atomic.Int64
	count    counters
	loggers  atomic.Int64 // sockets that have said log
	members  atomic.Int64 // conference member ids
	presence atomic.Int64
	nobody   atomic.Bool // the last call found no outbound server

	mu        sync.RWMutex
	channels  map[string]*channel
	listeners map[*listener]struct{}
	wide      []sink            // those who may want events of any channel
	own       map[string][]sink // those who want one channel's events, by its UUID in lower case: filters do not tell cases apart
	interest  eventSet          // union of what wide sinks subscribe to
	customs   map[string]bool   // subclasses seen
	rooms     map[string]*room
	globals   []esl.Header
	abandoned []net.Conn // half-open ones that nobody serves any longer
	farewell  string     // what the last notice says instead of the goodbye
}

// sink is whoever gets events.
type sink interface {
	// wants is asked before an event is built.
	subscribed() eventSet
	// offer hands over an event that the sink may still refuse. It must not
	// block and must not call back into the core.
	offer(*event)
}

func newCore(s *Server, ln net.Listener) *core {
	c := &core{
		srv: s, uuid: newUUID(), started: time.Now(), ln: ln,
		channels:  map[string]*channel{},
		listeners: map[*listener]struct{}{},
		own:       map[string][]sink{},
		customs:   map[string]bool{},
		rooms:     map[string]*room{},
	}
	c.globals = c.newGlobals()
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

func (c *core) start() {
	c.wg.Go(c.accept)
	if c.srv.cfg.Heartbeat > 0 {
		c.wg.Go(c.heartbeat)
	}
}

// stop ends everything and waits for it. The connections are cut first, so that none tells of the end.
func (c *core) stop() {
	c.ln.Close()
	c.mu.Lock()
	for l := range c.listeners {
		l.conn.Close()
	}
	c.cancel()
	abandoned := c.abandoned
	c.abandoned = nil
	c.mu.Unlock()
	for _, conn := range abandoned {
		conn.Close()
	}
	c.wg.Wait()
}

// begin keeps stop from returning while a caller from outside is at work; false
// when the run has ended. The caller ends with wg.Done.
func (c *core) begin() bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.ctx.Err() != nil {
		return false
	}
	c.wg.Add(1)
	return true
}

// shutDown is stop with everything that FreeSWITCH says before.
func (c *core) shutDown() {
	c.ln.Close()
	c.fire(evShutdown, source{"switch_core.c", "switch_core_destroy", "3033"}, "",
		esl.Header{Name: "Event-Info", Value: "System Shutting Down"})
	sessions := c.sessions()
	for _, ch := range sessions {
		ch.hangup("SYSTEM_SHUTDOWN", "")
	}
	patience, cancel := context.WithTimeout(c.ctx, 2*time.Second)
	defer cancel()
	for _, ch := range sessions {
		select {
		case <-ch.done:
		case <-patience.Done():
		}
	}
	c.mu.Lock()
	c.farewell = "The system is being shut down.\n"
	c.mu.Unlock()
	for _, l := range c.allListeners() {
		l.dismissed.Store(true)
		l.nudge()
		select {
		case <-l.over:
		case <-patience.Done():
		}
	}
	c.stop()
}

func (c *core) accept() {
	for {
		conn, err := c.ln.Accept()
		if err != nil {
			return
		}
		l := newListener(c, conn, inboundCall)
		if !c.admit(l) {
			conn.Close()
			return
		}
		c.wg.Go(l.serveInbound)
	}
}

// admit registers a connection so that stop can close it.
func (c *core) admit(l *listener) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx.Err() != nil {
		return false
	}
	c.listeners[l] = struct{}{}
	return true
}

// abandon keeps a half-open connection as it is until the run ends: no cable that is cut says so.
func (c *core) abandon(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx.Err() != nil {
		conn.Close()
		return
	}
	c.abandoned = append(c.abandoned, conn)
}

func (c *core) dismiss(l *listener) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.listeners, l)
	c.unlistenLocked(l)
}

func (c *core) allListeners() []*listener {
	c.mu.RLock()
	defer c.mu.RUnlock()
	all := make([]*listener, 0, len(c.listeners))
	for l := range c.listeners {
		all = append(all, l)
	}
	return all
}

// listen files a sink under the one channel it wants events of, or, with an
// empty uuid, under those that may want any.
func (c *core) listen(s sink, uuid string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unlistenLocked(s)
	if uuid == "" {
		c.wide = append(slices.Clone(c.wide), s)
	} else {
		uuid = strings.ToLower(uuid)
		c.own[uuid] = append(slices.Clone(c.own[uuid]), s)
	}
	c.refreshInterest()
}

func (c *core) unlisten(s sink) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unlistenLocked(s)
}

func (c *core) unlistenLocked(s sink) {
	same := func(other sink) bool { return other == s }
	if slices.ContainsFunc(c.wide, same) {
		c.wide = slices.DeleteFunc(slices.Clone(c.wide), same)
	}
	if l, ok := s.(interface{ filedUnder() string }); ok {
		if uuid := strings.ToLower(l.filedUnder()); uuid != "" {
			rest := slices.DeleteFunc(slices.Clone(c.own[uuid]), same)
			if len(rest) == 0 {
				delete(c.own, uuid)
			} else {
				c.own[uuid] = rest
			}
		}
	}
	c.refreshInterest()
}

func (c *core) refreshInterest() {
	c.interest = eventSet{}
	for _, s := range c.wide {
		set := s.subscribed()
		c.interest[0] |= set[0]
		c.interest[1] |= set[1]
	}
}

// wanted says whether anybody would get the event, so that it need not be built
// for nobody.
func (c *core) wanted(id eventID, uuid string) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.interest.has(id) {
		return true
	}
	if uuid == "" {
		return false
	}
	for _, s := range c.own[strings.ToLower(uuid)] {
		if set := s.subscribed(); set.has(id) {
			return true
		}
	}
	return false
}

// publish offers an event to every sink that could want it.
func (c *core) publish(e *event) {
	c.mu.RLock()
	wide, own := c.wide, c.own[strings.ToLower(e.uuid)]
	if e.uuid == "" {
		own = nil
	}
	if e.owner != "" {
		own = c.own[strings.ToLower(e.owner)]
	}
	c.mu.RUnlock()
	for _, s := range wide {
		s.offer(e)
	}
	for _, s := range own {
		s.offer(e)
	}
}

func (c *core) channel(uuid string) *channel {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.channels[uuid]
}

// sessions returns the channels in the order of their creation.
func (c *core) sessions() []*channel {
	c.mu.RLock()
	all := make([]*channel, 0, len(c.channels))
	for _, ch := range c.channels {
		all = append(all, ch)
	}
	c.mu.RUnlock()
	slices.SortFunc(all, func(a, b *channel) int { return int(a.number - b.number) })
	return all
}

// scale turns a duration of media into one of the clock.
func (c *core) scale(d time.Duration) time.Duration {
	return time.Duration(float64(d) / c.srv.cfg.Pace)
}
