package esltest

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/genesis-esl/genesis/esl"
)

const (
	noChannel = "-ERR No such channel!\n"
	okLine    = "+OK\n"
)

// apiCommands are what api and bgapi know, besides what a test adds with
// Server.HandleAPI.
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
		"uuid_setvar_multi": onChannel(uuidSetvarMulti),
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
		words := strings.Fields(arg)
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

func apiExists(_ context.Context, c *core, arg string) string {
	return strconv.FormatBool(c.channel(strings.TrimSpace(arg)) != nil)
}

func uuidKill(_ context.Context, ch *channel, args []string) string {
	cause := ""
	if len(args) > 0 {
		cause = args[0]
	}
	ch.hangup(cause, "")
	return okLine
}

func uuidGetvar(_ context.Context, ch *channel, args []string) string {
	if len(args) == 0 {
		return "-USAGE: <uuid> <var>\n"
	}
	value, ok := ch.variable(args[0])
	if !ok {
		return "_undef_"
	}
	return value
}

// apiSetvar takes the value as it stands, with its spaces.
func apiSetvar(_ context.Context, c *core, arg string) string {
	words := strings.SplitN(arg, " ", 3)
	if len(words) < 2 {
		return "-USAGE: <uuid> <var> [value]\n"
	}
	ch := c.channel(words[0])
	if ch == nil {
		return noChannel
	}
	value := ""
	if len(words) > 2 && words[2] != "_undef_" {
		value = words[2]
	}
	ch.setVariable(words[1], unescape(value))
	return okLine
}

// unescape reads the backslash sequences that FreeSWITCH reads in arguments.
func unescape(s string) string {
	return strings.NewReplacer(`\n`, "\n", `\r`, "\r", `\t`, "\t", `\s`, " ", `\'`, "'").Replace(s)
}

func uuidSetvarMulti(_ context.Context, ch *channel, args []string) string {
	for pair := range strings.SplitSeq(strings.Join(args, " "), ";") {
		if name, value, ok := strings.Cut(pair, "="); ok && name != "" {
			ch.setVariable(name, unescape(value))
		}
	}
	return okLine
}

func uuidDump(_ context.Context, ch *channel, args []string) string {
	h := ch.dump()
	format := esl.Plain
	if len(args) > 0 {
		if f, err := esl.ParseFormat(args[0]); err == nil {
			format = f
		}
	}
	if format != esl.Plain {
		frame := string(esl.AppendEvent(nil, format, h, ""))
		_, body, _ := strings.Cut(frame, "\n\n")
		return body
	}
	var b strings.Builder
	for _, header := range h {
		b.WriteString(header.Name + ": " + header.Value + "\n")
	}
	b.WriteString("\n")
	return b.String()
}

func uuidSendDTMF(_ context.Context, ch *channel, args []string) string {
	if len(args) == 0 {
		return "-USAGE: <uuid> <dtmf_data>\n"
	}
	digits, duration := parseDTMF(args[0])
	ch.sendDigits(digits, duration)
	return okLine
}

func uuidRecvDTMF(_ context.Context, ch *channel, args []string) string {
	if len(args) == 0 {
		return "-USAGE: <uuid> <dtmf_data>\n"
	}
	digits, duration := parseDTMF(args[0])
	ch.press(digits, "APP", duration)
	return okLine
}

func uuidPark(_ context.Context, ch *channel, _ []string) string {
	ch.redirect("", "", "", []Action{{App: "park"}})
	return okLine
}

func uuidRecord(_ context.Context, ch *channel, args []string) string {
	if len(args) < 2 {
		return "-USAGE: <uuid> [start|stop|mask|unmask] <path> [<limit>]\n"
	}
	switch args[0] {
	case "start":
		ch.startRecording(args[1])
	case "stop":
		if !ch.stopRecording(args[1]) {
			return "-ERR Cannot stop recording!\n"
		}
	}
	return "+OK Success\n"
}

func uuidBroadcast(_ context.Context, ch *channel, args []string) string {
	if len(args) == 0 {
		return "-USAGE: <uuid> <path> [aleg|bleg|both]\n"
	}
	app, data := "playback", args[0]
	if name, rest, ok := strings.Cut(args[0], "::"); ok {
		app, data = strings.TrimRight(name, "!"), rest
	}
	req := &esl.Request{Line: "sendmsg", Headers: []esl.Header{
		{Name: "call-command", Value: "execute"},
		{Name: "execute-app-name", Value: app},
		{Name: "execute-app-arg", Value: data},
	}}
	ch.queueMessage(req)
	return "+OK Message sent\n"
}

// apiTransfer: uuid [-bleg|-both] dest [dialplan] [context].
func apiTransfer(_ context.Context, c *core, arg string) string {
	words := strings.Fields(arg)
	if len(words) < 2 {
		return "-USAGE: <uuid> [-bleg|-both] <dest-exten> [<dialplan>] [<context>]\n"
	}
	ch := c.channel(words[0])
	if ch == nil {
		return noChannel
	}
	words = words[1:]
	legs := []*channel{ch}
	if flag := words[0]; strings.HasPrefix(flag, "-") && len(words) > 1 {
		words = words[1:]
		ch.mu.Lock()
		partner := ch.partner
		ch.mu.Unlock()
		if partner == nil && flag == "-bleg" {
			return "-ERR No such channel!\n"
		}
		if partner != nil && flag == "-bleg" {
			legs = []*channel{partner}
		} else if partner != nil {
			legs = append(legs, partner)
		}
	}
	words = append(words, "", "")
	var apps []Action
	if inline, ok := strings.CutSuffix(words[0], ""); ok && words[1] == "inline" {
		for step := range strings.SplitSeq(inline, ",") {
			app, data, _ := strings.Cut(step, ":")
			apps = append(apps, Action{App: app, Data: data})
		}
	}
	for _, leg := range legs {
		leg.redirect(words[0], words[1], words[2], apps)
	}
	return okLine
}

// apiHold: [off|toggle] uuid [display].
func apiHold(_ context.Context, c *core, arg string) string {
	words := strings.Fields(arg)
	off := false
	if len(words) > 0 && (words[0] == "off" || words[0] == "toggle") {
		off = words[0] == "off"
		words = words[1:]
	}
	if len(words) == 0 {
		return "-USAGE: [off|toggle] <uuid> [<display>]\n"
	}
	ch := c.channel(words[0])
	if ch == nil {
		return noChannel
	}
	if off {
		ch.unhold()
	} else {
		ch.hold()
	}
	return "+OK Success\n"
}

// apiUUIDBridge connects two existing channels.
func apiUUIDBridge(_ context.Context, c *core, arg string) string {
	words := append(strings.Fields(arg), "", "")
	a, b := c.channel(words[0]), c.channel(words[1])
	if words[1] == "" {
		return "-USAGE: <uuid> <other_uuid>\n"
	}
	if a == nil || b == nil || a == b {
		return "-ERR Invalid uuid\n"
	}
	if !a.alive() || !b.alive() {
		return "-ERR Invalid uuid\n"
	}
	a.joinWith(b)
	return fmt.Sprintf("+OK %s\n", b.uuid)
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
