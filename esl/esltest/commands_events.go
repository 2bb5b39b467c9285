package esltest

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/genesis-esl/genesis/esl"
)

func (l *listener) eventCommand(line string) {
	registered := l.core.subclasses()
	l.mu.Lock()
	reply := l.subscribe(line, registered)
	l.mu.Unlock()
	l.reply(reply)
	l.refile()
}

// subscribe goes through the words of an event command as FreeSWITCH does: the first may
// be the format, and what stands before a word that the user may not say counts. It
// returns the reply. The caller holds mu.
func (l *listener) subscribe(line string, registered []string) string {
	_, words, _ := strings.Cut(line, " ")
	custom, keys := false, 0
	for i, word := range strings.Split(words, " ") {
		if format, err := esl.ParseFormat(strings.ToLower(word)); i == 0 && err == nil {
			l.format = format
			continue
		}
		if custom {
			if !l.user.maySubclass(word) {
				return denied
			}
			l.customs[word] = true
			continue
		}
		id, ok := eventByName(word)
		if !ok {
			continue
		}
		if !l.user.mayEvent(id) {
			return denied
		}
		keys++
		l.events.add(id)
		switch id {
		case evAll:
			l.events.addAll()
			for _, subclass := range l.user.subclasses(registered) {
				l.customs[subclass] = true
			}
		case evCustom:
			custom = true
		}
	}
	if keys == 0 {
		return "-ERR no keywords supplied"
	}
	l.enabled = true
	return "+OK event listener enabled " + l.format.String()
}

// subclasses returns those that "event ALL" adds to the ones asked for by name, which
// count when an event has been nixed: the ones registered at that moment.
func (c *core) subclasses() []string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	all := make([]string, 0, len(c.customs)+1)
	for subclass := range c.customs {
		all = append(all, subclass)
	}
	return append(all, "conference::maintenance")
}

func (l *listener) nixevent(line string) {
	words := strings.Fields(line)[1:]
	custom, keys := false, 0
	l.mu.Lock()
	for _, word := range words {
		if custom {
			delete(l.customs, word)
			continue
		}
		id, ok := eventByName(word)
		if !ok {
			continue
		}
		keys++
		switch id {
		case evAll:
			l.events = eventSet{}
			clear(l.customs)
		case evCustom:
			custom = true
		default:
			l.events.remove(evAll)
			l.events.remove(id)
		}
	}
	l.mu.Unlock()
	if keys == 0 {
		l.reply("-ERR no keywords supplied")
		return
	}
	l.refile()
	l.reply("+OK events nixed")
}

func (l *listener) noevents() {
	l.mu.Lock()
	enabled := l.enabled
	l.enabled, l.events, l.queue = false, eventSet{}, nil
	clear(l.customs)
	l.mu.Unlock()
	if !enabled {
		l.reply("-ERR not listening for events")
		return
	}
	l.refile()
	l.reply("+OK no longer listening for events")
}

func (l *listener) filter(line string) {
	args := strings.Fields(line[len("filter "):])
	remove := false
	if len(args) > 1 && strings.EqualFold(args[0], "delete") {
		remove, args = true, args[1:]
	} else if len(args) > 1 && strings.EqualFold(args[0], "add") {
		args = args[1:]
	}
	value := strings.Join(args[min(1, len(args)):], " ")
	switch {
	case len(args) == 0 || !remove && value == "":
		l.reply("-ERR invalid syntax")
		return
	case remove:
		l.dropFilters(args[0], value)
		l.reply(fmt.Sprintf("+OK filter deleted. [%s][%s]", args[0], value))
	default:
		l.mu.Lock()
		l.filters = append(l.filters, newFilter(args[0], value))
		l.mu.Unlock()
		l.reply(fmt.Sprintf("+OK filter added. [%s]=[%s]", args[0], value))
	}
	l.refile()
}

func (l *listener) dropFilters(name, value string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	kept := l.filters[:0:0]
	for _, f := range l.filters {
		all := strings.EqualFold(name, "all")
		if !all && (!strings.EqualFold(f.name, name) || value != "" && f.value != value) {
			kept = append(kept, f)
		}
	}
	l.filters = kept
}

// myevents on an inbound socket takes a uuid; an unknown one is accepted, and
// then every channel's events come.
func (l *listener) myevents(line string) {
	format, uuid := l.format, ""
	for _, word := range strings.Fields(line)[1:] {
		if f, err := esl.ParseFormat(strings.ToLower(word)); err == nil {
			format = f
		} else if l.core.channel(word) != nil {
			uuid = word
		}
	}
	if l.ch != nil {
		uuid = l.ch.uuid
	}
	l.mu.Lock()
	if l.mine {
		l.mu.Unlock()
		l.reply("-ERR aready enabled.")
		return
	}
	l.mine, l.enabled, l.mineUUID, l.format = true, true, uuid, format
	for i := range ownEvents {
		l.events[i] |= ownEvents[i]
	}
	l.mu.Unlock()
	l.refile()
	l.reply("+OK Events Enabled")
}

func (l *listener) divertEvents(line string) {
	if l.ch == nil {
		l.reply("-ERR not controlling a session.")
		return
	}
	value := strings.TrimLeft(line[len("divert_events"):], " ")
	switch {
	case value == "":
		l.reply("-ERR missing value.")
	case strings.EqualFold(value, "on"):
		l.divert = true
		l.reply("+OK events diverted")
	default:
		l.divert = false
		l.reply("+OK events not diverted")
	}
}

// lingerState is what becomes of an outbound socket when its call has ended.
type lingerState struct {
	on      bool
	seconds int // -1: until the client closes
	started bool
	timer   *time.Timer
}

func (l *listener) lingerCommand(line string) {
	if l.ch == nil {
		l.reply("-ERR not controlling a session")
		return
	}
	if hasPrefix(line, "nolinger") {
		l.linger = lingerState{}
		l.reply("+OK will not linger")
		return
	}
	seconds := -1
	if arg := line[len("linger"):]; len(arg) > 1 && arg[0] == ' ' {
		seconds = 0
		_, _ = fmt.Sscanf(arg, "%d", &seconds) // what is no number is 0 to FreeSWITCH
	}
	l.linger = lingerState{on: true, seconds: seconds}
	if seconds == -1 {
		l.reply("+OK will linger")
		return
	}
	l.reply(fmt.Sprintf("+OK will linger %d seconds", seconds))
}

var logLevels = []string{"console", "alert", "crit", "err", "warning", "notice", "info", "debug"}

// logLevel reads a level as FreeSWITCH does: a name, or a number up to 63.
func logLevel(word string) (int, bool) {
	if n, err := strconv.Atoi(word); err == nil && n >= 0 {
		return min(n, 63), true
	}
	for level, name := range logLevels {
		if strings.EqualFold(word, name) {
			return level, true
		}
	}
	return 0, false
}

func (l *listener) logCommand(line string) {
	if l.user != nil && l.user.NoLog {
		l.reply(denied)
		return
	}
	word := strings.TrimSpace(line[len("log"):])
	level, ok := 7, true
	if word != "" {
		level, ok = logLevel(word)
	}
	if !ok {
		l.reply("-ERR invalid log level")
		return
	}
	l.setLogLevel(level)
	l.reply(fmt.Sprintf("+OK log level %s [%d]", word, level))
}

func (l *listener) nolog() {
	l.mu.Lock()
	was := l.logLevel
	l.mu.Unlock()
	if was < 0 {
		l.reply("-ERR not loging")
		return
	}
	l.setLogLevel(-1)
	l.reply("+OK no longer logging")
}

func (l *listener) setLogLevel(level int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.logLevel < 0 && level >= 0 {
		l.core.loggers.Add(1)
	}
	if l.logLevel >= 0 && level < 0 {
		l.core.loggers.Add(-1)
	}
	l.logLevel = level
	if level < 0 {
		l.logs = nil
	}
}
