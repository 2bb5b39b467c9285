package esltest

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/genesis-esl/genesis/esl"
)

func apiExists(_ context.Context, c *core, arg string) string {
	return strconv.FormatBool(c.channel(strings.TrimSpace(arg)) != nil)
}

func uuidKill(_ context.Context, ch *channel, args []string) string {
	cause := ""
	if len(args) > 0 {
		cause = args[0]
	}
	ch.hangup(cause, byCommand)
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
	words := separate(arg, ' ', 3)
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
	ch.setVariable(words[1], value)
	return okLine
}

func apiSetvarMulti(_ context.Context, c *core, arg string) string {
	uuid, pairs, _ := strings.Cut(arg, " ")
	ch := c.channel(uuid)
	if ch == nil {
		return noChannel
	}
	for _, pair := range separate(pairs, ';', 64) {
		if name, value, ok := strings.Cut(pair, "="); ok && name != "" {
			ch.setVariable(name, value)
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
