package esltest

import (
	"regexp"
	"strings"
)

// filter is one line of the filter command.
type filter struct {
	name, value string
	compare     string // value without the sign
	positive    bool
	regexp      bool
	re          *regexp.Regexp // nil: it matches nothing
}

// newFilter reads a value as FreeSWITCH does: it is a regular expression when it begins
// with a slash, which it does not behind a sign.
func newFilter(name, value string) filter {
	f := filter{name: name, value: value, positive: true, compare: strings.TrimLeft(value, "+- ")}
	for _, c := range value[:len(value)-len(f.compare)] {
		f.positive = c != '-' && (f.positive || c == '+')
	}
	if pattern, ok := strings.CutPrefix(value, "/"); ok {
		f.regexp, f.re = true, slashed(pattern)
	}
	return f
}

// slashed compiles what stands behind the first slash of /re/, with the letters i and s
// behind the last. It is nil when there is no second slash or the expression is wrong.
func slashed(pattern string) *regexp.Regexp {
	end := strings.LastIndexByte(pattern, '/')
	if end < 0 {
		return nil
	}
	flags := ""
	for _, flag := range []string{"i", "s"} {
		if strings.Contains(pattern[end:], flag) {
			flags += flag
		}
	}
	pattern = pattern[:end]
	if flags != "" {
		pattern = "(?" + flags + ")" + pattern
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil
	}
	return re
}

func (f *filter) match(value string) bool {
	if f.regexp {
		return f.re != nil && f.re.MatchString(value)
	}
	return strings.EqualFold(value, f.compare)
}

// passes applies the filters as FreeSWITCH does: an event passes when one
// positive filter matches and no negative one behind it does. Without a filter
// everything passes; a filter on a header that the event lacks lets nothing
// pass, HEARTBEAT included.
func passes(filters []filter, e *event) bool {
	if len(filters) == 0 {
		return true
	}
	send := false
	for i := range filters {
		f := &filters[i]
		if send && f.positive {
			continue
		}
		value := e.get(f.name)
		if value == "" || !f.match(value) {
			continue
		}
		if !f.positive {
			return false
		}
		send = true
	}
	return send
}

// accepts decides whether the client gets an event. The caller holds mu.
func (l *listener) accepts(e *event) bool {
	if !l.enabled || l.killed.Load() || !l.events.has(e.id) {
		return false
	}
	if e.id == evCustom && e.subclass != "" && !l.events.has(evAll) && !l.customs[e.subclass] {
		return false
	}
	if !passes(l.filters, e) {
		return false
	}
	if l.mine && l.mineUUID != "" {
		return e.uuid == l.mineUUID || e.owner == l.mineUUID
	}
	return true
}

// refile tells the core where to look for the listener: under one channel when
// myevents or filters on Unique-ID allow no other, else among those who may
// want any event. It keeps thousands of outbound sockets from being asked about
// every event.
func (l *listener) refile() {
	l.mu.Lock()
	uuid := ""
	if l.mine {
		uuid = l.mineUUID
	}
	if uuid == "" {
		uuid = oneChannel(l.filters)
	}
	enabled := l.enabled
	l.mu.Unlock()
	if enabled {
		l.core.listen(l, uuid) // in one step: what happens meanwhile is for it too
	} else {
		l.core.unlisten(l)
	}
	l.place = uuid
}

// oneChannel returns the channel that filters let events of through, or "" when
// they let others pass too: they ask for its Unique-ID, or for the jobs it owns.
func oneChannel(filters []filter) (uuid string) {
	for i := range filters {
		f := &filters[i]
		about := strings.EqualFold(f.name, "Unique-ID") || strings.EqualFold(f.name, "Job-Owner-UUID")
		if !about || !f.positive || f.regexp || i > 0 && !strings.EqualFold(f.compare, uuid) {
			return ""
		}
		uuid = f.compare
	}
	return uuid
}

func (l *listener) filedUnder() string { return l.place }

func (l *listener) subscribed() eventSet {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.enabled {
		return eventSet{}
	}
	return l.events
}

// offer queues an event if the client has asked for it.
func (l *listener) offer(e *event) {
	l.mu.Lock()
	if !l.accepts(e) {
		l.mu.Unlock()
		return
	}
	full := len(l.queue) >= l.core.srv.cfg.Queue
	if full {
		l.lost++
	} else {
		l.queue = append(l.queue, e)
	}
	kill := l.lost > l.core.srv.cfg.MaxLost
	l.mu.Unlock()
	if kill && l.killed.CompareAndSwap(false, true) {
		l.core.srv.cfg.Logger.Warn("client too slow, disconnecting", "lost", l.core.srv.cfg.MaxLost+1)
		l.conn.Close()
	}
	l.nudge()
}
