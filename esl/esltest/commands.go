package esltest

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/genesis-esl/genesis/esl"
)

const notFound = "-ERR command not found"

// hasPrefix compares as FreeSWITCH matches commands: the start of the line, in
// any case ("events" and "eventbogus" are event).
func hasPrefix(line, prefix string) bool {
	return len(line) >= len(prefix) && strings.EqualFold(line[:len(prefix)], prefix)
}

// command answers one command.
func (l *listener) command(req request) {
	line := req.Line
	l.core.srv.commands.add(req.Request)
	switch {
	case hasPrefix(line, "exit"), hasPrefix(line, "..."):
		l.reply("+OK bye")
		l.ended = true
	case !l.authed:
		l.auth(line)
	case hasPrefix(line, "filter "):
		l.filter(line)
	case l.ch != nil && l.channelCommand(req):
	case hasPrefix(line, "myevents") && (l.ch != nil || strings.Contains(line, " ")):
		l.myevents(line)
	case hasPrefix(line, "divert_events"):
		l.divertEvents(line)
	case hasPrefix(line, "sendmsg"):
		l.sendmsg(req)
	case l.ch != nil && !l.mode.full:
		l.reply(notFound)
	default:
		l.fullCommand(req)
	}
}

// fullCommand handles what a single-channel socket may not say.
func (l *listener) fullCommand(req request) {
	line := req.Line
	switch {
	case hasPrefix(line, "linger"), hasPrefix(line, "nolinger"):
		l.lingerCommand(line)
	case hasPrefix(line, "sendevent"):
		l.sendevent(req)
	case hasPrefix(line, "api "):
		l.apiCommand(line[4:])
	case hasPrefix(line, "bgapi "):
		l.bgapi(req)
	case hasPrefix(line, "log"):
		l.logCommand(line)
	case hasPrefix(line, "nolog"):
		l.nolog()
	case hasPrefix(line, "event"):
		l.eventCommand(line)
	case hasPrefix(line, "nixevent"):
		l.nixevent(line)
	case hasPrefix(line, "noevents"):
		l.noevents()
	default:
		l.reply(notFound)
	}
}

func (l *listener) auth(line string) {
	cfg := &l.core.srv.cfg
	if hasPrefix(line, "auth ") || hasPrefix(line, "userauth ") {
		if _, refused := l.core.srv.strike(FaultPassword); refused {
			l.reply("-ERR invalid")
			l.ended = true
			return
		}
	}
	switch {
	case hasPrefix(line, "auth "):
		if line[5:] != cfg.Password {
			l.reply("-ERR invalid")
			l.ended = true
			return
		}
		l.authed = true
		l.reply("+OK accepted")
	case hasPrefix(line, "userauth "):
		name, password, _ := strings.Cut(line[9:], ":")
		for i := range cfg.Users {
			if cfg.Users[i].Name == name && cfg.Users[i].Password == password && password != "" {
				l.authed, l.user = true, &cfg.Users[i]
				l.reply("+OK accepted", l.user.permissions()...)
				return
			}
		}
		l.reply("-ERR invalid")
		l.ended = true
	default:
		l.reply(notFound)
	}
}

func (u *User) permissions() []esl.Header {
	list := func(names []string) string {
		if len(names) == 0 {
			return "all"
		}
		return strings.Join(names, ",")
	}
	return []esl.Header{
		{Name: "Allowed-Events", Value: list(u.Events)},
		{Name: "Allowed-API", Value: list(u.API)},
		{Name: "Allowed-LOG", Value: strconv.FormatBool(!u.NoLog)},
	}
}

// wrappers are the api commands that run others.
var wrappers = []string{"bgapi", "sched_api", "eval", "expand", "xml_wrap"}

// mayAPI says whether the user may run a command. Of one that runs another, FreeSWITCH looks at what that runs too.
func (u *User) mayAPI(command string) bool {
	if u == nil || len(u.API) == 0 {
		return true
	}
	words := strings.Fields(command)
	for _, word := range words {
		if !slices.Contains(u.API, word) {
			return false
		}
		if !slices.Contains(wrappers, strings.ToLower(word)) {
			break
		}
	}
	return len(words) > 0
}

func (u *User) anyEvent() bool { return u == nil || len(u.Events) == 0 }

// named splits what the user may subscribe to: everything behind CUSTOM is a subclass.
func (u *User) named() (names, subclasses []string) {
	isCustom := func(name string) bool { return strings.EqualFold(name, "CUSTOM") }
	if i := slices.IndexFunc(u.Events, isCustom); i >= 0 {
		return u.Events[:i+1], u.Events[i+1:]
	}
	return u.Events, nil
}

// mayEvent says whether the user may name an event. ALL allows every name.
func (u *User) mayEvent(id eventID) bool {
	if u.anyEvent() {
		return true
	}
	names, _ := u.named()
	return slices.ContainsFunc(names, func(name string) bool {
		allowed, ok := eventByName(name)
		return ok && (allowed == id || allowed == evAll)
	})
}

// maySubclass says whether the user may name a subclass. ALL allows none by name.
func (u *User) maySubclass(name string) bool {
	return u.anyEvent() || slices.Contains(u.subclasses(nil), name)
}

// subclasses returns those that the user may name, which are all unless told.
func (u *User) subclasses(all []string) []string {
	if u.anyEvent() {
		return all
	}
	_, subclasses := u.named()
	return subclasses
}

const denied = "-ERR permission denied"

func (l *listener) apiCommand(command string) {
	if !l.user.mayAPI(command) {
		l.reply(denied)
		return
	}
	l.flush()
	l.out = esl.AppendAPIResponse(l.out, l.core.api(l.core.ctx, command))
}

func (l *listener) bgapi(req request) {
	command := req.Line[6:]
	name, arg, _ := strings.Cut(strings.TrimSpace(command), " ")
	if !l.user.mayAPI(command) {
		l.reply(denied)
		return
	}
	job := req.Get("Job-UUID")
	if job == "" {
		job = newUUID()
	}
	l.reply("+OK Job-UUID: "+job, esl.Header{Name: "Job-UUID", Value: job})
	owner := ""
	if l.ch != nil {
		owner = l.ch.uuid
	}
	c := l.core
	run := func() {
		output := c.api(c.ctx, command)
		headers := []esl.Header{{Name: "Job-UUID", Value: job}}
		if owner != "" {
			headers = append(headers, esl.Header{Name: "Job-Owner-UUID", Value: owner})
		}
		if name != "" {
			headers = append(headers, esl.Header{Name: "Job-Command", Value: name})
		}
		if arg != "" {
			headers = append(headers, esl.Header{Name: "Job-Command-Arg", Value: arg})
		}
		c.publish(&event{
			id: evBackgroundJob, owner: owner,
			headers: append(c.base(evBackgroundJob, srcJob, 4), headers...), body: output,
		})
	}
	_, own := c.srv.cfg.APICommands[strings.ToLower(name)]
	if own || slowCommands[strings.ToLower(name)] {
		c.wg.Go(run)
		return
	}
	// The others end before FreeSWITCH has read the next command; their
	// events wait until the socket is idle.
	run()
}

// slowCommands take their time, so that bgapi runs each in a goroutine.
var slowCommands = map[string]bool{"originate": true, "msleep": true}

// api runs a command in the caller's goroutine, as FreeSWITCH does.
func (c *core) api(ctx context.Context, command string) string {
	command = strings.TrimLeft(command, " ")
	name, arg, _ := strings.Cut(command, " ")
	arg = strings.TrimSpace(arg)
	run, ok := c.apiCommand(strings.ToLower(name))
	if !ok {
		return "-ERR " + name + " Command not found!\n"
	}
	var record *event
	if c.wanted(evAPI, "") {
		record = &event{id: evAPI, headers: append(c.base(evAPI, srcAPI, 2), esl.Header{Name: "API-Command", Value: name})}
		if arg != "" {
			record.headers = append(record.headers, esl.Header{Name: "API-Command-Argument", Value: arg})
		}
	} else {
		c.seq.Add(1)
	}
	output := run(ctx, c, arg)
	if record != nil {
		c.publish(record)
	}
	return output
}

// apiCommand finds a command by name, the Config's own first.
func (c *core) apiCommand(name string) (func(context.Context, *core, string) string, bool) {
	if own, ok := c.srv.cfg.APICommands[name]; ok {
		return func(ctx context.Context, _ *core, arg string) string { return own(ctx, arg) }, true
	}
	run, ok := apiCommands[name]
	return run, ok
}

// sendevent makes an event of a client's message: its headers first, then
// those of every event (j_sendevent_plain).
func (l *listener) sendevent(req request) {
	name := strings.TrimSpace(req.Line[len("sendevent"):])
	id, ok := eventByName(name)
	if !ok {
		id = evCustom
	}
	e := &event{id: id}
	add := func(name, value string) { e.headers = append(e.headers, esl.Header{Name: name, Value: value}) }
	subclass := req.Get("Event-Subclass")
	if subclass != "" {
		add("Event-Subclass", subclass)
	}
	add("Command", strings.TrimRight(req.Line, " \r"))
	for _, h := range req.Headers {
		if h.Value != "" && !strings.EqualFold(h.Name, "Event-Subclass") && !strings.EqualFold(h.Name, "Event-UUID") {
			add(h.Name, h.Value)
		}
	}
	uuid := newUUID()
	if own := req.Get("Event-UUID"); own != "" {
		add("Event-UUID", own)
	}
	add("Event-UUID", uuid)
	e.headers = append(e.headers, l.core.base(id, srcSendEvent, 0)...)
	e.subclass = subclass
	e.body, _, _ = strings.Cut(string(req.Body), "\x00")
	e.uuid = e.get("Unique-ID")
	if subclass != "" {
		l.core.register(subclass)
	}
	l.reply("+OK " + uuid)
	l.core.publish(e)
}

// register remembers a subclass, so that "event ALL" includes it.
func (c *core) register(subclass string) {
	c.mu.Lock()
	c.customs[subclass] = true
	c.mu.Unlock()
}

func (l *listener) sendmsg(req request) {
	uuid := strings.TrimSpace(req.Line[len("sendmsg"):])
	if uuid == "" {
		uuid = req.Get("session-id")
	}
	target := l.ch
	if uuid != "" || target == nil {
		if target == nil || uuid != target.uuid {
			target = l.core.channel(uuid)
		}
	}
	if target == nil {
		l.reply(fmt.Sprintf("-ERR invalid session id [%s]", uuid))
		return
	}
	if l.ch == target && !l.mode.async && !strings.EqualFold(req.Get("async"), "true") {
		l.flush()
		target.perform(req.Request)
	} else {
		target.queueMessage(req.Request)
	}
	l.reply("+OK")
}
