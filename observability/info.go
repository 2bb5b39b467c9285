package observability

import (
	"encoding/json"
	"net/http"
	"runtime"
	"runtime/debug"
	"sync"
	"time"
)

// info is what /info answers.
type info struct {
	Name       string         `json:"name"`
	Version    string         `json:"version"`
	Commit     string         `json:"commit"`
	Go         string         `json:"go"`
	Started    time.Time      `json:"started"`
	Mode       Mode           `json:"mode"`
	State      string         `json:"state"`
	Healthy    bool           `json:"healthy"`
	Ready      bool           `json:"ready"`
	Connection *connection    `json:"connection,omitempty"`
	FreeSWITCH *freeswitch    `json:"freeswitch,omitempty"`
	Sessions   int64          `json:"outbound_sessions"`
	Checks     []checkInfo    `json:"checks"`
	Limits     map[string]any `json:"limits"`
	App        map[string]any `json:"app"`
}

type connection struct {
	Remote string    `json:"remote"`
	State  string    `json:"state"`
	Since  time.Time `json:"since"`
	Reason string    `json:"reason,omitempty"`
}

type freeswitch struct {
	Version       string    `json:"version"`
	CoreUUID      string    `json:"core_uuid"`
	Hostname      string    `json:"hostname"`
	LastHeartbeat time.Time `json:"last_heartbeat"`
}

type checkInfo struct {
	Name      string  `json:"name"`
	Critical  bool    `json:"critical"`
	State     string  `json:"state"`
	Interval  float64 `json:"interval_seconds"`
	Timeout   float64 `json:"timeout_seconds"`
	Threshold int     `json:"threshold"`
	Failures  int     `json:"failures"`
	Error     string  `json:"error,omitempty"`
}

// facts are what other packages tell /info.
type facts struct {
	mu   sync.Mutex
	list map[string]func() any
}

// AddInfo shows the result of value under name in the object app of /info:
// subscriptions, handlers and limits, for example. value is called for each
// request, from any goroutine, and must return at once; its result must marshal to
// JSON. Secrets do not belong there, though fields named like one are hidden.
func (o *Observability) AddInfo(name string, value func() any) {
	o.facts.mu.Lock()
	defer o.facts.mu.Unlock()
	if o.facts.list == nil {
		o.facts.list = map[string]func() any{}
	}
	o.facts.list[name] = value
}

func (f *facts) read() map[string]any {
	f.mu.Lock()
	defer f.mu.Unlock()
	values := make(map[string]any, len(f.list))
	for name, value := range f.list {
		values[name] = value()
	}
	return values
}

// commit returns the revision that the binary was built from, as the go tool noted
// it.
func commit() string {
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	var revision, dirty string
	for _, s := range build.Settings {
		switch s.Key {
		case "vcs.revision":
			revision = s.Value
		case "vcs.modified":
			if s.Value == "true" {
				dirty = "-dirty"
			}
		}
	}
	return revision + dirty
}

func (o *Observability) info() info {
	h := o.health
	stands, _ := h.phase()
	i := info{
		Name:     o.telemetry.service(),
		Version:  o.config.Version,
		Commit:   commit(),
		Go:       runtime.Version(),
		Started:  h.started,
		Mode:     h.mode,
		State:    string(stands),
		Healthy:  h.healthy(),
		Ready:    h.ready(),
		Sessions: o.connections.outbound.Load(),
		Checks:   []checkInfo{},
		Limits: map[string]any{
			"heartbeat_timeout_seconds": h.timeout.Seconds(),
			"drain_delay_seconds":       o.config.DrainDelay.Seconds(),
			"max_header_bytes":          maxHeaderBytes,
			"event_series":              maxEventSeries,
		},
		App: o.facts.read(),
	}
	if link := h.link.Load(); link != nil {
		i.Connection = &connection{Remote: link.remote, State: "up", Since: link.since}
		if !h.connected() {
			i.Connection.State, i.Connection.Reason = "down", o.lifecycle.reason()
		}
	}
	if p := o.heartbeats.pulse(); p != nil {
		i.FreeSWITCH = &freeswitch{Version: p.version, CoreUUID: p.core, Hostname: p.host, LastHeartbeat: p.at}
	}
	for _, check := range *o.checks.list.Load() {
		i.Checks = append(i.Checks, check.info())
	}
	return i
}

func (c *checker) info() checkInfo {
	s := c.state.Load()
	state := "unknown"
	switch {
	case s.known && s.up:
		state = "up"
	case s.known:
		state = "down"
	}
	return checkInfo{
		Name: c.Name, Critical: c.Critical, State: state, Interval: c.Interval.Seconds(),
		Timeout: c.Timeout.Seconds(), Threshold: c.Threshold, Failures: s.failures, Error: s.err,
	}
}

func (o *Observability) serveInfo(w http.ResponseWriter, _ *http.Request) {
	raw, err := json.Marshal(o.info())
	var tree any
	if err == nil {
		err = json.Unmarshal(raw, &tree)
	}
	if err != nil {
		http.Error(w, "what the app tells about itself is not JSON", http.StatusInternalServerError)
		return
	}
	body, err := json.MarshalIndent(scrubTree("", tree), "", "  ")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(append(body, '\n'))
}

// scrubTree hides secrets in decoded JSON.
func scrubTree(name string, v any) any {
	switch v := v.(type) {
	case string:
		return scrubField(name, v)
	case []any:
		for i := range v {
			v[i] = scrubTree(name, v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = scrubTree(key, v[key])
		}
	case float64, bool:
		if secretName.MatchString(name) {
			return hidden
		}
	}
	return v
}
