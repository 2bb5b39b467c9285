package observability

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/genesis-esl/genesis/esl"
)

// pulse is what a HEARTBEAT says about FreeSWITCH, as in recording m_heartbeat. What
// one does not say, or says in a way that makes no sense, is left out.
type pulse struct {
	at                        time.Time
	version, core, host       string
	uptime                    float64 // seconds
	sessions, most, peak      int64
	total, perSecond          int64
	idleCPU                   float64 // 0 to 1
	hasUptime, hasCPU, hasMax bool
}

func readPulse(ev *esl.Event, at time.Time) *pulse {
	whole := func(name string) int64 {
		n, err := strconv.ParseInt(ev.Get(name), 10, 64)
		if err != nil || n < 0 {
			return 0
		}
		return n
	}
	p := &pulse{
		at:        at,
		version:   short(ev.Get("FreeSWITCH-Version")),
		core:      short(ev.Get("Core-UUID")),
		host:      short(ev.Get("FreeSWITCH-Hostname")),
		sessions:  whole("Session-Count"),
		most:      whole("Max-Sessions"),
		peak:      whole("Session-Peak-Max"),
		total:     whole("Session-Since-Startup"),
		perSecond: whole("Session-Per-Sec-Last"),
	}
	_, p.hasMax = ev.Lookup("Max-Sessions")
	if ms, err := strconv.ParseFloat(ev.Get("Uptime-msec"), 64); err == nil && ms >= 0 {
		p.uptime, p.hasUptime = ms/1000, true
	}
	if percent, err := strconv.ParseFloat(ev.Get("Idle-CPU"), 64); err == nil && percent >= 0 && percent <= 100 {
		p.idleCPU, p.hasCPU = percent/100, true
	}
	return p
}

// heartbeats keeps the last HEARTBEAT for the freeswitch_* gauges. They vanish
// while FreeSWITCH is not known to work: an old number would be a lie.
type heartbeats struct {
	health *health
	mu     sync.Mutex
	last   beat // its event is nil before the first
}

// beat is a HEARTBEAT and when it was heard. It is read when somebody asks, not as
// it comes: that happens on the goroutine that reads the socket.
type beat struct {
	event *esl.Event
	at    time.Time
}

// pulse returns what the last HEARTBEAT says, or nil when there was none.
func (h *heartbeats) pulse() *pulse {
	h.mu.Lock()
	last := h.last
	h.mu.Unlock()
	if last.event == nil {
		return nil
	}
	return readPulse(last.event, last.at)
}

func (h *heartbeats) heard(ev *esl.Event) {
	h.mu.Lock()
	h.last = beat{ev, h.health.now()}
	h.mu.Unlock()
	h.health.heartbeat()
}

// up forgets what a HEARTBEAT said when the FreeSWITCH that sent it is not known to be
// the one that is connected now. The first of the new one may have come already.
func (h *heartbeats) up(u esl.Up) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.last.event == nil {
		return
	}
	core := h.last.event.Get("Core-UUID")
	if link := h.health.link.Load(); core == u.CoreUUID || u.CoreUUID == "" && link != nil && !h.last.at.Before(link.since) {
		return
	}
	h.last = beat{}
}

// gauges are the instruments for one HEARTBEAT.
type gauges struct {
	age, uptime, cpu                                      metric.Float64ObservableGauge
	up, info, sessions, sessionsMax, sessionsPeak, perSec metric.Int64ObservableGauge
	total                                                 metric.Int64ObservableCounter
}

func newGauges(meter metric.Meter) (*gauges, error) {
	g := new(gauges)
	var errs []error
	whole := func(name, help string) metric.Int64ObservableGauge {
		inst, err := meter.Int64ObservableGauge(name, metric.WithDescription(help))
		errs = append(errs, err)
		return inst
	}
	real := func(name, unit, help string) metric.Float64ObservableGauge {
		inst, err := meter.Float64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(help))
		errs = append(errs, err)
		return inst
	}
	g.age = real("genesis.heartbeat.age", "s", "Time since FreeSWITCH's last HEARTBEAT.")
	g.up = whole("freeswitch.up", "1 while connected to FreeSWITCH and its HEARTBEAT is recent.")
	g.info = whole("freeswitch.info", "Which FreeSWITCH this is; always 1.")
	g.uptime = real("freeswitch.uptime", "s", "Time since FreeSWITCH started.")
	g.sessions = whole("freeswitch.sessions", "Sessions now.")
	g.sessionsMax = whole("freeswitch.sessions.max", "Most sessions that FreeSWITCH allows.")
	g.sessionsPeak = whole("freeswitch.sessions.peak", "Most sessions at a time since FreeSWITCH started.")
	g.perSec = whole("freeswitch.sessions.per_second", "Sessions created in the last second.")
	g.cpu = real("freeswitch.idle_cpu", "1", "Share of the processor that is idle, 0 to 1.")
	var err error
	g.total, err = meter.Int64ObservableCounter("freeswitch.sessions.total",
		metric.WithDescription("Sessions since FreeSWITCH started."))
	return g, errors.Join(append(errs, err)...)
}

func newHeartbeats(meter metric.Meter, health *health) (*heartbeats, error) {
	h := &heartbeats{health: health}
	g, err := newGauges(meter)
	if err != nil {
		return nil, err
	}
	_, err = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		if health.mode == Consumer {
			h.observe(o, g)
		}
		return nil
	}, g.age, g.up, g.info, g.uptime, g.sessions, g.sessionsMax, g.sessionsPeak, g.perSec, g.cpu, g.total)
	return h, err
}

func (h *heartbeats) observe(o metric.Observer, g *gauges) {
	if age, ok := h.health.heartbeatAge(); ok {
		o.ObserveFloat64(g.age, age.Seconds())
	}
	fresh := h.health.fresh()
	o.ObserveInt64(g.up, number(fresh))
	p := h.pulse()
	if !fresh || p == nil {
		return
	}
	o.ObserveInt64(g.info, 1, metric.WithAttributes(
		attribute.String("version", p.version),
		attribute.String("core_uuid", p.core),
		attribute.String("hostname", p.host),
	))
	o.ObserveInt64(g.sessions, p.sessions)
	if p.hasMax {
		o.ObserveInt64(g.sessionsMax, p.most)
	}
	o.ObserveInt64(g.sessionsPeak, p.peak)
	o.ObserveInt64(g.perSec, p.perSecond)
	o.ObserveInt64(g.total, p.total)
	if p.hasUptime {
		o.ObserveFloat64(g.uptime, p.uptime)
	}
	if p.hasCPU {
		o.ObserveFloat64(g.cpu, p.idleCPU)
	}
}
