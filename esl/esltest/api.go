package esltest

import (
	"context"
	"strconv"
	"strings"
	"time"
)

const (
	noChannel = "-ERR No such channel!\n"
	okLine    = "+OK\n"
)

// apiCommands are what api and bgapi know, besides Config.APICommands.
var apiCommands map[string]func(ctx context.Context, c *core, arg string) string

func init() {
	type run = func(ctx context.Context, c *core, arg string) string
	text := func(s string) run { return func(context.Context, *core, string) string { return s } }
	apiCommands = map[string]run{
		"status":  func(_ context.Context, c *core, _ string) string { return apiStatusText(c) },
		"version": apiVersion,
		"uptime":  apiUptime,
		"echo":    func(_ context.Context, _ *core, arg string) string { return arg },
		"eval":    apiEval, "expand": apiEval,
		"create_uuid":       func(context.Context, *core, string) string { return newUUID() },
		"hostname":          func(_ context.Context, c *core, _ string) string { return c.srv.cfg.Hostname },
		"switchname":        func(_ context.Context, c *core, _ string) string { return c.srv.cfg.Switchname },
		"global_getvar":     apiGlobalGet,
		"global_setvar":     apiGlobalSet,
		"show":              apiShow,
		"originate":         apiOriginate,
		"hupall":            apiHupall,
		"msleep":            apiMsleep,
		"json":              apiJSON,
		"help":              apiHelp,
		"reloadxml":         apiReloadXML,
		"fsctl":             apiFsctl,
		"strftime":          func(context.Context, *core, string) string { return time.Now().Format("2006-01-02 15:04:05") },
		"strepoch":          func(context.Context, *core, string) string { return strconv.FormatInt(time.Now().Unix(), 10) },
		"regex":             text("false"),
		"module_exists":     text("true"),
		"load":              text(okLine),
		"reload":            text(okLine),
		"unload":            text(okLine),
		"log":               text(okLine),
		"uuid_exists":       apiExists,
		"uuid_kill":         onChannel(uuidKill),
		"uuid_answer":       onChannel(func(_ context.Context, ch *channel, _ []string) string { ch.answer(); return okLine }),
		"uuid_pre_answer":   onChannel(func(_ context.Context, ch *channel, _ []string) string { ch.preAnswer(); return okLine }),
		"uuid_ring_ready":   onChannel(func(_ context.Context, ch *channel, _ []string) string { ch.ring(); return okLine }),
		"uuid_getvar":       onChannel(uuidGetvar),
		"uuid_setvar":       apiSetvar,
		"uuid_setvar_multi": apiSetvarMulti,
		"uuid_dump":         onChannel(uuidDump),
		"uuid_send_dtmf":    onChannel(uuidSendDTMF),
		"uuid_recv_dtmf":    onChannel(uuidRecvDTMF),
		"uuid_flush_dtmf":   onChannel(func(_ context.Context, ch *channel, _ []string) string { ch.flushDigits(); return okLine }),
		"uuid_park":         onChannel(uuidPark),
		"uuid_transfer":     apiTransfer,
		"uuid_hold":         apiHold,
		"uuid_broadcast":    onChannel(uuidBroadcast),
		"uuid_displace":     onChannel(func(context.Context, *channel, []string) string { return "+OK Success\n" }),
		"uuid_break":        onChannel(func(_ context.Context, ch *channel, _ []string) string { ch.stopApp(); return okLine }),
		"uuid_record":       onChannel(uuidRecord),
		"uuid_bridge":       apiUUIDBridge,
		"uuid_media":        text("+OK Success\n"),
		"uuid_audio":        text("+OK Success\n"),
		"uuid_display":      text("+OK Success\n"),
		"sched_hangup":      apiSchedHangup,
		"conference":        apiConference,
	}
}

// onChannel wraps a command whose first word is a channel.
func onChannel(f func(ctx context.Context, ch *channel, args []string) string) func(context.Context, *core, string) string {
	return func(ctx context.Context, c *core, arg string) string {
		words := separate(arg, ' ', 32)
		if len(words) == 0 {
			return "-USAGE: <uuid>\n"
		}
		ch := c.channel(words[0])
		if ch == nil {
			return noChannel
		}
		return f(ctx, ch, words[1:])
	}
}

func apiVersion(_ context.Context, c *core, arg string) string {
	if arg == "short" {
		return strings.SplitN(c.srv.cfg.Version, "-", 2)[0] + "\n"
	}
	return "FreeSWITCH Version " + c.srv.cfg.Version + "~64bit ( 64bit)\n"
}

func apiUptime(_ context.Context, c *core, arg string) string {
	up := time.Since(c.started)
	n := int64(up / time.Second)
	switch arg {
	case "ms":
		n = up.Milliseconds()
	case "us":
		n = up.Microseconds()
	}
	return strconv.FormatInt(n, 10) + "\n"
}

// apiEval expands ${variables}; with "uuid:ID " in front those of a channel.
func apiEval(_ context.Context, c *core, arg string) string {
	if rest, ok := strings.CutPrefix(arg, "uuid:"); ok {
		uuid, text, _ := strings.Cut(rest, " ")
		if ch := c.channel(uuid); ch != nil {
			return ch.expand(text)
		}
		arg = text
	}
	return expandVariables(arg, c.global)
}

func apiGlobalGet(_ context.Context, c *core, arg string) string {
	if arg == "" {
		return c.globalsText()
	}
	return c.global(arg)
}

func apiGlobalSet(_ context.Context, c *core, arg string) string {
	name, value, ok := strings.Cut(arg, "=")
	if !ok {
		return "-ERR missing value\n"
	}
	c.mu.Lock()
	c.globals = setGlobal(c.globals, name, value)
	c.mu.Unlock()
	return okLine
}

func apiHupall(_ context.Context, c *core, arg string) string {
	words := append(strings.Fields(arg), "", "", "")
	cause := "MANAGER_REQUEST"
	if words[0] != "" {
		cause = causeName(words[0])
	}
	for _, ch := range c.sessions() {
		if words[1] != "" {
			if value, _ := ch.variable(words[1]); value != words[2] {
				continue
			}
		}
		ch.hangup(cause, "")
	}
	return "+OK hangup all channels with cause " + cause + "\n"
}

// apiMsleep blocks its caller, as FreeSWITCH's does.
func apiMsleep(ctx context.Context, c *core, arg string) string {
	ms, _ := strconv.Atoi(arg)
	timer := time.NewTimer(time.Duration(ms) * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	case <-c.ctx.Done():
	}
	return "+OK"
}

func apiReloadXML(_ context.Context, c *core, _ string) string {
	c.fire(evReloadXML, source{"switch_xml.c", "switch_xml_open_root", "2423"}, "")
	return "+OK [Success]\n"
}

func apiFsctl(_ context.Context, c *core, arg string) string {
	words := strings.Fields(arg)
	switch {
	case len(words) == 0:
		return "-USAGE: [send_sighup|hupall|pause|resume|shutdown|sps|loglevel|...]\n"
	case words[0] == "loglevel" && len(words) > 1:
		return "+OK log level: " + strings.ToUpper(words[1]) + " [" + words[1] + "]\n"
	case words[0] == "hupall":
		return apiHupall(context.Background(), c, strings.Join(words[1:], " "))
	}
	return okLine
}

func apiHelp(_ context.Context, _ *core, _ string) string {
	var b strings.Builder
	b.WriteString("\nValid Commands:\n\n")
	for _, name := range sortedNames(apiCommands) {
		b.WriteString(name + ",,,mod_commands\n")
	}
	return b.String()
}

// apiJSON answers {"command":"status"}.
func apiJSON(_ context.Context, c *core, arg string) string {
	return c.jsonStatus(arg)
}

func apiSchedHangup(_ context.Context, c *core, arg string) string {
	words := strings.Fields(arg)
	if len(words) < 2 {
		return "-USAGE: [+]<time> <uuid> [<cause>]\n"
	}
	ch := c.channel(words[1])
	if ch == nil {
		return noChannel
	}
	cause := ""
	if len(words) > 2 {
		cause = " " + words[2]
	}
	appSchedHangup(ch, words[0]+cause)
	return okLine
}

// apiConference: "list" and "NAME list|kick MEMBER|hup all".
func apiConference(_ context.Context, c *core, arg string) string {
	words := append(strings.Fields(arg), "", "")
	if words[0] == "" || words[0] == "list" {
		return c.listRooms()
	}
	c.mu.RLock()
	r := c.rooms[words[0]]
	var members []*channel
	if r != nil {
		members = append(members, r.members...)
	}
	c.mu.RUnlock()
	switch {
	case r == nil:
		return "-ERR Conference " + words[0] + " not found\n"
	case words[1] == "kick" || words[1] == "hup":
		for _, ch := range members {
			ch.stopApp()
		}
		return "+OK kicked\n"
	}
	return c.listRooms()
}
