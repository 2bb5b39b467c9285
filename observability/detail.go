package observability

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// healthJSON is the media type of draft-inadarei-api-health-check-06.
const healthJSON = "application/health+json"

// The statuses of that draft.
const (
	pass = "pass"
	warn = "warn"
	fail = "fail"
)

// phase is where a process stands.
type phase string

const (
	warmingUp    phase = "warming up"
	working      phase = "working"
	shuttingDown phase = "shutting down"
	noInfo       phase = "no information"
)

// phase returns where the process stands, and why if it is no information.
func (h *health) phase() (phase, string) {
	switch {
	case h.stopping.Load():
		return shuttingDown, ""
	case h.mode == Outbound && h.listens.Load(), h.mode == Consumer && h.fresh():
		return working, ""
	case h.mode == Outbound:
		return warmingUp, ""
	}
	_, heard := h.heartbeatAge()
	since := h.started
	if link := h.link.Load(); link != nil {
		since = link.since
	}
	early := h.now().Sub(since) <= h.timeout
	switch {
	case !h.connected() && heard:
		return noInfo, "the connection to FreeSWITCH is lost"
	case !h.connected() && (h.unreachable.Load() || !early):
		return noInfo, "FreeSWITCH cannot be reached"
	case h.connected() && (heard || !early):
		return noInfo, "FreeSWITCH sends no HEARTBEAT"
	}
	return warmingUp, ""
}

// detail is the answer to a probe that asks for application/health+json.
type detail struct {
	Status      string               `json:"status"`
	Version     string               `json:"version,omitempty"`
	ServiceID   string               `json:"serviceId"`
	Description string               `json:"description"`
	Notes       []string             `json:"notes,omitempty"`
	Output      string               `json:"output,omitempty"`
	Checks      map[string][]finding `json:"checks"`
}

// finding is one entry of checks, keyed component:measurement.
type finding struct {
	ComponentType string `json:"componentType"`
	Value         any    `json:"observedValue,omitempty"`
	Unit          string `json:"observedUnit,omitempty"`
	Status        string `json:"status"`
	Time          string `json:"time"`
	Output        string `json:"output,omitempty"`
}

// detail describes the process: what /health says of it, or with ready what /ready
// says.
func (o *Observability) detail(ready bool) detail {
	now := o.config.Now()
	stands, why := o.health.phase()
	d := detail{
		Status:      pass,
		Version:     o.config.Version,
		ServiceID:   o.telemetry.service(),
		Description: "genesis " + string(o.config.Mode),
		Notes:       []string{string(stands)},
		Checks:      map[string][]finding{},
	}
	add := func(key string, f finding) {
		if f.Time == "" {
			f.Time = now.UTC().Format(time.RFC3339Nano)
		}
		d.Checks[key] = append(d.Checks[key], f)
		if f.Status == warn && d.Status == pass {
			d.Status = warn
		}
	}
	o.describeFreeSWITCH(add)
	o.describeApp(add)
	down := o.describeChecks(add)
	switch stands {
	case noInfo:
		d.Status, d.Output = fail, why
	case warmingUp, shuttingDown:
		d.Status = warn
	case working:
		switch {
		case !ready || o.health.ready():
		case down != "":
			d.Status, d.Output = fail, "a critical dependency is down: "+down
		default:
			d.Status, d.Output = fail, "the app is not running"
		}
	}
	return d
}

// describeFreeSWITCH adds the connection and the HEARTBEAT. A check that fails is a
// warning to the whole, which the phase may make a failure.
func (o *Observability) describeFreeSWITCH(add func(string, finding)) {
	h := o.health
	if h.mode == Outbound {
		add("freeswitch:sessions", finding{ComponentType: "system", Status: pass, Value: o.connections.outbound.Load()})
		return
	}
	connection := finding{ComponentType: "system", Value: "up", Status: pass}
	if !h.connected() {
		connection.Value, connection.Status = "down", fail
		connection.Output = o.lifecycle.reason()
	}
	add("freeswitch:connection", connection)
	beat := finding{ComponentType: "system", Status: warn, Output: "none yet"}
	if age, ok := h.heartbeatAge(); ok {
		beat = finding{ComponentType: "system", Status: pass, Value: age.Seconds(), Unit: "s"}
		if age > h.timeout {
			beat.Status, beat.Output = fail, "older than "+h.timeout.String()
		}
	}
	add("freeswitch:heartbeat", beat)
}

func (o *Observability) describeApp(add func(string, finding)) {
	if events, _, ok := o.handlers.waiting(); ok {
		backlog := finding{ComponentType: "component", Status: pass, Value: events, Unit: "events"}
		if o.events.stalled.Load() {
			backlog.Status, backlog.Output = warn, "events are not read until the app has caught up"
		}
		add("app:backlog", backlog)
	}
	if o.health.mode == Consumer {
		running := finding{ComponentType: "component", Status: pass, Value: "running"}
		if !o.health.running.Load() {
			running.Status, running.Value = warn, "not running"
		}
		add("app:state", running)
	}
}

// describeChecks adds the dependencies and returns the critical ones that are down.
func (o *Observability) describeChecks(add func(string, finding)) string {
	var critical []string
	for _, check := range *o.checks.list.Load() {
		s := check.state.Load()
		f := finding{ComponentType: "component", Status: pass, Value: s.took.Seconds(), Unit: "s", Output: s.err}
		if !s.at.IsZero() {
			f.Time = s.at.UTC().Format(time.RFC3339Nano)
		}
		switch {
		case !s.known:
			f.Status = warn
			if s.err == "" {
				f.Output, f.Value, f.Unit = "not checked yet", nil, ""
			}
		case !s.up:
			f.Status = warn
			if check.Critical {
				f.Status = fail
			}
		case s.err != "":
			f.Status = warn
		}
		if check.Critical && !s.up {
			critical = append(critical, check.Name)
		}
		add(check.Name+":responseTime", f)
	}
	return strings.Join(critical, ", ")
}

// probe answers a probe: with its fixed body, or with the detail if asked for it.
func (o *Observability) probe(ready bool, ok func() bool, yes, no string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Vary", "Accept")
		if !wantsDetail(r.Header.Values("Accept")) {
			fine, body := ok(), no
			if fine {
				body = yes
			}
			answer(w, fine, "application/json", []byte(body))
			return
		}
		d := o.detail(ready)
		body, err := json.Marshal(d)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		answer(w, d.Status != fail, healthJSON, body)
	}
}

// wantsDetail tells whether a client names application/health+json as what it takes.
func wantsDetail(accept []string) bool {
	for _, header := range accept {
		for media := range strings.SplitSeq(header, ",") {
			name, params, _ := strings.Cut(media, ";")
			if !strings.EqualFold(strings.TrimSpace(name), healthJSON) {
				continue
			}
			quality := strings.TrimPrefix(strings.TrimSpace(params), "q=")
			if q, err := strconv.ParseFloat(quality, 64); err != nil || q > 0 {
				return true
			}
		}
	}
	return false
}
