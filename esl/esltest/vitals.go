package esltest

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/genesis-esl/genesis/esl"
)

// counters are what status and HEARTBEAT report.
type counters struct {
	mu         sync.Mutex
	total      int64
	peak       int
	peakFive   int
	second     int64
	perSecond  int
	lastSecond int
	rateMax    int
	rateFive   int
}

// started counts a new session; now is how many there are.
func (k *counters) started(now int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.total++
	k.peak = max(k.peak, now)
	k.peakFive = max(k.peakFive, now)
	if s := time.Now().Unix(); s != k.second {
		k.lastSecond = 0
		if s == k.second+1 {
			k.lastSecond = k.perSecond
		}
		k.second, k.perSecond = s, 0
	}
	k.perSecond++
	k.rateMax = max(k.rateMax, k.perSecond)
	k.rateFive = max(k.rateFive, k.perSecond)
}

type vitals struct {
	up                                                    time.Duration
	active, peak, peakFive, rate, rateMax, rateFive, last int
	total                                                 int64
}

func (c *core) vitals() vitals {
	c.mu.RLock()
	active := len(c.channels)
	c.mu.RUnlock()
	k := &c.count
	k.mu.Lock()
	defer k.mu.Unlock()
	v := vitals{
		up: time.Since(c.started), active: active, peak: k.peak, peakFive: k.peakFive,
		rateMax: k.rateMax, rateFive: k.rateFive, total: k.total,
	}
	switch time.Now().Unix() - k.second {
	case 0:
		v.rate, v.last = k.perSecond, k.lastSecond
	case 1:
		v.last = k.perSecond
	}
	return v
}

// upTime spells a duration as FreeSWITCH does.
func upTime(d time.Duration) string {
	us := d.Microseconds()
	unit := func(size int64) int64 {
		n := us / size
		us %= size
		return n
	}
	const second = 1_000_000
	years, days, hours := unit(365*24*3600*second), unit(24*3600*second), unit(3600*second)
	minutes, seconds, ms := unit(60*second), unit(second), unit(1000)
	part := func(n int64, name string) string {
		if n == 1 {
			return "1 " + name
		}
		return strconv.FormatInt(n, 10) + " " + name + "s"
	}
	return strings.Join([]string{
		part(years, "year"), part(days, "day"), part(hours, "hour"), part(minutes, "minute"),
		part(seconds, "second"), part(ms, "millisecond"), part(us, "microsecond"),
	}, ", ")
}

// sessionRate is FreeSWITCH's default sessions-per-second of the recordings.
const sessionRate = 1000

func apiStatusText(c *core) string {
	v := c.vitals()
	return fmt.Sprintf("UP %s\nFreeSWITCH (Version %s  64bit) is ready\n%d session(s) since startup\n"+
		"%d session(s) - peak %d, last 5min %d \n%d session(s) per Sec out of max %d, peak %d, last 5min %d \n"+
		"%d session(s) max\nmin idle cpu 0.00/%s\nCurrent Stack Size/Max 240K/8192K\n",
		upTime(v.up), c.srv.cfg.Version, v.total, v.active, v.peak, v.peakFive,
		v.rate, sessionRate, v.rateMax, v.rateFive, c.srv.cfg.MaxSessions, "98.00")
}

func (c *core) heartbeat() {
	ticker := time.NewTicker(c.srv.cfg.Heartbeat)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			c.beatUnlessFaulty()
		case <-c.ctx.Done():
			return
		}
	}
}

// beatUnlessFaulty is the regular HEARTBEAT, late or missing if a fault says so.
func (c *core) beatUnlessFaulty() {
	if _, missing := c.srv.strike(FaultNoHeartbeat); missing {
		return
	}
	if f, late := c.srv.strike(FaultLateHeartbeat); late {
		c.after(f.For, nil, c.beat)
		return
	}
	c.beat()
}

// beat sends a HEARTBEAT and the scheduler's note that goes with it.
func (c *core) beat() {
	v := c.vitals()
	interval := c.srv.cfg.Heartbeat
	if interval < 0 {
		interval = 20 * time.Second
	}
	n := strconv.Itoa
	c.fire(evHeartbeat, srcHeartbeat, "",
		esl.Header{Name: "Event-Info", Value: "System Ready"},
		esl.Header{Name: "Up-Time", Value: upTime(v.up)},
		esl.Header{Name: "FreeSWITCH-Version", Value: c.srv.cfg.Version + "~64bit"},
		esl.Header{Name: "Uptime-msec", Value: strconv.FormatInt(v.up.Milliseconds(), 10)},
		esl.Header{Name: "Session-Count", Value: n(v.active)},
		esl.Header{Name: "Max-Sessions", Value: n(c.srv.cfg.MaxSessions)},
		esl.Header{Name: "Session-Per-Sec", Value: n(sessionRate)},
		esl.Header{Name: "Session-Per-Sec-Last", Value: n(v.last)},
		esl.Header{Name: "Session-Per-Sec-Max", Value: n(v.rateMax)},
		esl.Header{Name: "Session-Per-Sec-FiveMin", Value: n(v.rateFive)},
		esl.Header{Name: "Session-Since-Startup", Value: strconv.FormatInt(v.total, 10)},
		esl.Header{Name: "Session-Peak-Max", Value: n(v.peak)},
		esl.Header{Name: "Session-Peak-FiveMin", Value: n(v.peakFive)},
		esl.Header{Name: "Idle-CPU", Value: "98.000000"},
	)
	c.fire(evReSchedule, srcReschedule, "",
		esl.Header{Name: "Task-ID", Value: "1"}, esl.Header{Name: "Task-Desc", Value: "heartbeat"},
		esl.Header{Name: "Task-Group", Value: "core"},
		esl.Header{Name: "Task-Runtime", Value: strconv.FormatInt(time.Now().Add(interval).Unix(), 10)})
}

// newGlobals returns the global variables in the order in which FreeSWITCH
// lists them.
func (c *core) newGlobals() []esl.Header {
	cfg := &c.srv.cfg
	const share, lib = "/usr/share/freeswitch", "/var/lib/freeswitch"
	globals := []esl.Header{
		{Name: "hostname", Value: cfg.Hostname}, {Name: "local_ip_v4", Value: cfg.IPv4},
		{Name: "local_mask_v4", Value: "255.255.255.0"}, {Name: "local_ip_v6", Value: cfg.IPv6},
		{Name: "base_dir", Value: "/usr"}, {Name: "recordings_dir", Value: lib + "/recordings"},
		{Name: "sound_prefix", Value: share + "/sounds"}, {Name: "sounds_dir", Value: share + "/sounds"},
		{Name: "conf_dir", Value: "/etc/freeswitch"}, {Name: "log_dir", Value: "/var/log/freeswitch"},
		{Name: "run_dir", Value: "/var/run/freeswitch"}, {Name: "db_dir", Value: lib + "/db"},
		{Name: "mod_dir", Value: "/usr/lib/freeswitch/mod"}, {Name: "htdocs_dir", Value: share + "/htdocs"},
		{Name: "script_dir", Value: share + "/scripts"}, {Name: "temp_dir", Value: "/tmp"},
		{Name: "grammar_dir", Value: share + "/grammar"}, {Name: "fonts_dir", Value: share + "/fonts"},
		{Name: "images_dir", Value: lib + "/images"}, {Name: "certs_dir", Value: "/etc/freeswitch/tls"},
		{Name: "storage_dir", Value: lib + "/storage"}, {Name: "cache_dir", Value: "/var/cache/freeswitch"},
		{Name: "data_dir", Value: share}, {Name: "localstate_dir", Value: lib},
		{Name: "core_uuid", Value: c.uuid}, {Name: "default_password", Value: "1234"},
		{Name: "domain", Value: cfg.Domain},
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Globals)) {
		globals = setGlobal(globals, name, cfg.Globals[name])
	}
	return globals
}

func setGlobal(globals []esl.Header, name, value string) []esl.Header {
	for i := range globals {
		if globals[i].Name == name {
			globals[i].Value = value
			return globals
		}
	}
	return append(globals, esl.Header{Name: name, Value: value})
}

func (c *core) global(name string) string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for i := range c.globals {
		if c.globals[i].Name == name {
			return c.globals[i].Value
		}
	}
	return ""
}

func (c *core) globalsText() string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	var b strings.Builder
	for _, g := range c.globals {
		b.WriteString(g.Name + "=" + g.Value + "\n")
	}
	return b.String()
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
