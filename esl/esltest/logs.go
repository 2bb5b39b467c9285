package esltest

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/genesis-esl/genesis/esl"
)

// logPoint is a place in FreeSWITCH that logs (g_log7).
type logPoint struct {
	level    int
	channel  string // Text-Channel
	file, fn string
	line     string
}

const (
	fileMachine  = "switch_core_state_machine.c"
	fileChannel  = "switch_channel.c"
	fileSession  = "switch_core_session.c"
	fileLoopback = "mod_loopback.c"
	fileDialplan = "mod_dialplan_xml.c"
	fnRun        = "switch_core_session_run"
)

var (
	logParsing     = logPoint{7, "3", "switch_ivr_originate.c", "switch_ivr_originate", "2301"}
	logSuccess     = logPoint{7, "3", "switch_ivr_originate.c", "switch_ivr_originate", "3913"}
	logNew         = logPoint{5, "3", fileChannel, "switch_channel_set_name", "1143"}
	logRename      = logPoint{5, "3", fileChannel, "switch_channel_set_name", "1141"}
	logSetUUID     = logPoint{7, "3", fileSession, "switch_core_session_outgoing_channel", "641"}
	logCodec       = logPoint{7, "3", fileLoopback, "tech_init", "166"}
	logOtherFrom   = logPoint{7, "3", fileLoopback, "channel_on_init", "356"}
	logRunning     = logPoint{7, "0", fileMachine, fnRun, "581"}
	logRunDestroy  = logPoint{7, "0", fileMachine, "switch_core_session_destroy_state", "735"}
	logRinging     = logPoint{7, "0", fileChannel, "switch_channel_perform_set_running_state", "2400"}
	logActive      = logPoint{7, "0", fileChannel, "switch_channel_perform_mark_answered", "3914"}
	logCallHangup  = logPoint{7, "0", fileMachine, "switch_core_session_hangup_state", "844"}
	logCallState   = logPoint{7, "0", fileChannel, "switch_channel_perform_set_callstate", "302"}
	logProcessing  = logPoint{6, "3", fileDialplan, "dialplan_hunt", "648"}
	logExtension   = logPoint{7, "1", fileDialplan, "dialplan_hunt", "705"}
	logRegex       = logPoint{7, "1", fileDialplan, "parse_exten", "419"}
	logAction      = logPoint{7, "1", fileDialplan, "parse_exten", "566"}
	logExecute     = logPoint{6, "1", fileSession, "switch_core_session_exec", "2907"}
	logSkip        = logPoint{7, "0", fileSession, "switch_core_session_exec", "2984"}
	logAnsweredA   = logPoint{5, "0", fileLoopback, "channel_receive_message", "1021"}
	logAnswered    = logPoint{5, "0", "mod_dptools.c", "answer_function", "1406"}
	logFlip        = logPoint{6, "3", fileChannel, "switch_channel_flip_cid", "3291"}
	logKilled      = logPoint{5, "0", "switch_ivr.c", "switch_ivr_kill_uuid", "4404"}
	logHangup      = logPoint{5, "0", "mod_dptools.c", "hangup_function", "1493"}
	logPeerHangup  = logPoint{5, "0", fileLoopback, "channel_on_hangup", "585"}
	logKillChannel = logPoint{7, "3", fileLoopback, "channel_kill_channel", "610"}
	logLocked      = logPoint{7, "3", fileSession, "switch_core_session_thread", "1748"}
	logEnded       = logPoint{5, "3", fileSession, "switch_core_session_thread", "1766"}
	logClose       = logPoint{5, "0", fileSession, "switch_core_session_thread", "1770"}
)

// stateLog is what is logged while a channel is in a state.
type stateLog struct {
	name              string
	around            logPoint // "State X" and "State X going to sleep"
	endpoint, generic logPoint // "CHANNEL X" by mod_loopback, "Standard X" by the core
	bare              bool     // mod_loopback leaves the channel's name out
}

var stateLogs = map[int]stateLog{
	csInit: {name: "INIT", around: logPoint{7, "3", fileMachine, fnRun, "624"}},
	csRouting: {name: "ROUTING", around: logPoint{7, "3", fileMachine, fnRun, "640"},
		endpoint: logPoint{7, "3", fileLoopback, "channel_on_routing", "412"},
		generic:  logPoint{7, "3", fileMachine, "switch_core_standard_on_routing", "230"}},
	csConsumeMedia: {name: "CONSUME_MEDIA", around: logPoint{7, "3", fileMachine, fnRun, "659"}, bare: true,
		endpoint: logPoint{7, "3", fileLoopback, "channel_on_consume_media", "681"}},
	csExecute: {name: "EXECUTE", around: logPoint{7, "3", fileMachine, fnRun, "647"},
		endpoint: logPoint{7, "3", fileLoopback, "channel_on_execute", "454"},
		generic:  logPoint{7, "3", fileMachine, "switch_core_standard_on_execute", "323"}},
	csHangup: {name: "HANGUP", around: logPoint{7, "3", fileMachine, "switch_core_session_hangup_state", "846"},
		endpoint: logPoint{7, "3", fileLoopback, "channel_on_hangup", "569"},
		generic:  logPoint{7, "3", fileMachine, "switch_core_standard_on_hangup", "59"}},
	csReporting: {name: "REPORTING", around: logPoint{7, "3", fileMachine, "switch_core_session_reporting_state", "932"},
		generic: logPoint{7, "3", fileMachine, "switch_core_standard_on_reporting", "168"}},
	csDestroy: {name: "DESTROY", around: logPoint{7, "3", fileMachine, "switch_core_session_destroy_state", "745"},
		generic: logPoint{7, "3", fileMachine, "switch_core_standard_on_destroy", "175"}},
}

// stateChanges are the places that order a change of state, by the two states.
var stateChanges = map[[2]int]logPoint{
	{csInit, csRouting}:         {7, "0", fileLoopback, "channel_on_init", "380"},
	{csRouting, csConsumeMedia}: {7, "0", "switch_ivr_originate.c", "originate_on_routing", "67"},
	{csRouting, csExecute}:      {7, "0", fileMachine, "switch_core_standard_on_routing", "281"},
	{csConsumeMedia, csExecute}: {7, "0", "mod_commands.c", "originate_function", "5191"},
	{csHangup, csReporting}:     {7, "0", fileMachine, fnRun, "616"},
	{csReporting, csDestroy}:    {7, "0", fileMachine, fnRun, "607"},
}

// logging says whether any socket wants log lines, so that none is made else.
func (c *core) logging() bool { return c.loggers.Load() > 0 }

// log sends one line to the sockets that have asked for its level. A line with
// plain set has no time, level and place in front.
func (c *core) log(p *logPoint, uuid, text string, plain bool) {
	line := text + "\n"
	if !plain {
		line = fmt.Sprintf("%s 98.00%% [%s] %s:%s %s\n", time.Now().Format("2006-01-02 15:04:05.000000"),
			strings.ToUpper(logLevels[p.level]), p.file, p.line, text)
	}
	frame := esl.AppendLog(nil, []esl.Header{
		{Name: "Log-Level", Value: strconv.Itoa(p.level)}, {Name: "Text-Channel", Value: p.channel},
		{Name: "Log-File", Value: p.file}, {Name: "Log-Func", Value: p.fn}, {Name: "Log-Line", Value: p.line},
		{Name: "User-Data", Value: uuid},
	}, line)
	for _, l := range c.allListeners() {
		l.offerLog(p.level, frame)
	}
}

func (l *listener) offerLog(level int, frame []byte) {
	l.mu.Lock()
	wanted := l.logLevel >= level && len(l.logs) < l.core.srv.cfg.Queue
	if wanted {
		l.logs = append(l.logs, frame)
	}
	l.mu.Unlock()
	if wanted {
		l.nudge()
	}
}

func (ch *channel) logf(p *logPoint, format string, args ...any) {
	if ch.core.logging() {
		ch.core.log(p, ch.uuid, fmt.Sprintf(format, args...), false)
	}
}

// logPlain is logf without time and place in front of the text.
func (ch *channel) logPlain(p *logPoint, format string, args ...any) {
	if ch.core.logging() {
		ch.core.log(p, ch.uuid, fmt.Sprintf(format, args...), true)
	}
}

// logChange tells of an order to go from one state to another.
func (ch *channel) logChange(from, to int) {
	if p, ok := stateChanges[[2]int{from, to}]; ok {
		ch.logf(&p, "(%s) State Change %s -> %s", ch.name, stateNames[from], stateNames[to])
	}
}

// logState tells that the session works in a state, with how it is in words
// behind the generic line: a cause.
func (ch *channel) logState(state int, how string) {
	s, ok := stateLogs[state]
	if !ok || !ch.core.logging() {
		return
	}
	ch.logf(&s.around, "(%s) State %s", ch.name, s.name)
	if s.endpoint.file != "" && ch.kind == "loopback" {
		if s.bare {
			ch.logf(&s.endpoint, "CHANNEL %s", s.name)
		} else {
			ch.logf(&s.endpoint, "%s CHANNEL %s", ch.name, s.name)
		}
	}
	if state != csHangup {
		ch.logGeneric(state, how)
	}
}

func (ch *channel) logGeneric(state int, how string) {
	s := stateLogs[state]
	// An outgoing leg is routed by originate, not by the core.
	if s.generic.file != "" && (state != csRouting || ch.profile.direction == inboundCall) {
		ch.logf(&s.generic, "%s Standard %s%s", ch.name, s.name, how)
	}
}

// logAsleep tells that the session is through with a state.
func (ch *channel) logAsleep(state int) {
	if s, ok := stateLogs[state]; ok {
		ch.logf(&s.around, "(%s) State %s going to sleep", ch.name, s.name)
	}
}

// logRunningState tells that the session has come to a state. The caller holds
// mu.
func (ch *channel) logRunningState() {
	if !ch.core.logging() {
		return
	}
	p, current := &logRunning, ch.core.vitals().active
	if ch.running == csDestroy {
		p, current = &logRunDestroy, 0
	}
	ch.logf(p, "(%s) Running State Change %s (Cur %d Tot %d)", ch.name, stateNames[ch.running], current, ch.core.session.Load())
}

// logCallStateChange tells of a call state. The caller holds mu.
func (ch *channel) logCallStateChange(was, state int) {
	p := &logCallState
	switch state {
	case ccsRinging:
		p = &logRinging
	case ccsActive:
		p = &logActive
	case ccsHangup:
		p = &logCallHangup
	}
	ch.logf(p, "(%s) Callstate Change %s -> %s", ch.name, callStateNames[was], callStateNames[state])
}
