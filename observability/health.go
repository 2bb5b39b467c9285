package observability

import (
	"sync/atomic"
	"time"
)

// health is the state that probes read: atomics that hooks and setters write, so
// that reading costs no lock and no I/O.
type health struct {
	mode    Mode
	timeout time.Duration
	now     func() time.Time
	started time.Time

	// links counts live event connections of a Client, which has one at most; solo
	// those without a role, which count only where there is no Client.
	links, solo atomic.Int64
	client      atomic.Bool
	// link is the event connection, the last one when there is none now.
	link atomic.Pointer[link]
	// unreachable is set once an attempt to connect has failed, until one succeeds.
	unreachable atomic.Bool
	// beat is the time of the last HEARTBEAT in nanoseconds since started, plus
	// one so that zero can mean none.
	beat atomic.Int64

	running  atomic.Bool
	listens  atomic.Bool
	stopping atomic.Bool

	// critical tells whether a dependency without which the app cannot work fails.
	critical func() bool
}

func newHealth(c Config) *health {
	return &health{mode: c.Mode, timeout: c.HeartbeatTimeout, now: c.Now, started: c.Now()}
}

// link is a change of the event connection.
type link struct {
	remote string
	since  time.Time
}

func (h *health) linked(role, remote string, n int64) {
	if role == roleEvents {
		h.client.Store(true)
		h.links.Add(n)
	} else {
		h.solo.Add(n)
		if h.client.Load() {
			return
		}
	}
	h.link.Store(&link{remote: remote, since: h.now()})
	if n > 0 {
		h.unreachable.Store(false)
	}
}

func (h *health) heartbeat() { h.beat.Store(int64(h.now().Sub(h.started)) + 1) }

// heartbeatAge returns the time since the last HEARTBEAT; false when there was none.
func (h *health) heartbeatAge() (time.Duration, bool) {
	at := h.beat.Load()
	if at == 0 {
		return 0, false
	}
	return max(0, h.now().Sub(h.started)-time.Duration(at-1)), true
}

func (h *health) connected() bool {
	if h.client.Load() {
		return h.links.Load() > 0
	}
	return h.solo.Load() > 0
}

// fresh tells whether FreeSWITCH is known to work: connected, and heard of lately.
func (h *health) fresh() bool {
	if !h.connected() {
		return false
	}
	age, ok := h.heartbeatAge()
	return ok && age <= h.timeout
}

func (h *health) healthy() bool { return h.mode == Outbound || h.fresh() }

func (h *health) ready() bool {
	if h.stopping.Load() || h.critical() {
		return false
	}
	if h.mode == Outbound {
		return h.listens.Load()
	}
	// healthy implies that a first HEARTBEAT came.
	return h.running.Load() && h.healthy()
}

// Healthy reports what GET /health answers: true for 200, false for 503.
func (o *Observability) Healthy() bool { return o.health.healthy() }

// Ready reports what GET /ready answers: true for 200, false for 503.
func (o *Observability) Ready() bool { return o.health.ready() }

// SetAppRunning tells whether a consumer's app is running. A consumer that is not
// running is never ready. An outbound server ignores this.
func (o *Observability) SetAppRunning(running bool) { o.health.running.Store(running) }

// SetListening tells whether an outbound server listens for FreeSWITCH's
// connections. One that does not listen is never ready. A consumer ignores this.
func (o *Observability) SetListening(listening bool) { o.health.listens.Store(listening) }

// SetShuttingDown tells that the process is about to end: /ready answers 503 from
// now on, while /health still reports the state of the connection.
func (o *Observability) SetShuttingDown() { o.health.stopping.Store(true) }
