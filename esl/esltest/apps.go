package esltest

import (
	"strconv"
	"strings"
	"time"

	"github.com/genesis-esl/genesis/esl"
)

// application is one of the dialplan's. run returns what becomes
// current_application_response, often nothing.
type application struct {
	run   func(ch *channel, arg string) string
	media bool // opens early media on a call not answered
}

var applications map[string]application

func init() {
	quiet := func(run func(*channel, string)) application {
		return application{run: func(ch *channel, arg string) string { run(ch, arg); return "" }}
	}
	media := func(run func(*channel, string) string) application {
		return application{run: run, media: true}
	}
	applications = map[string]application{
		"answer":                 quiet(func(ch *channel, _ string) { ch.answer() }),
		"pre_answer":             quiet(func(ch *channel, _ string) { ch.preAnswer() }),
		"ring_ready":             quiet(func(ch *channel, _ string) { ch.ring() }),
		"hangup":                 quiet(func(ch *channel, arg string) { ch.hangup(arg, "") }),
		"respond":                quiet(func(ch *channel, _ string) { ch.hangup("NORMAL_CLEARING", "") }),
		"set":                    quiet(appSet),
		"export":                 quiet(appExport),
		"multiset":               quiet(appMultiset),
		"unset":                  quiet(func(ch *channel, arg string) { ch.setVariable(strings.TrimSpace(arg), "") }),
		"multiunset":             quiet(appMultiunset),
		"sleep":                  quiet(appSleep),
		"park":                   quiet(func(ch *channel, _ string) { ch.park(nil, nil) }),
		"echo":                   {run: func(ch *channel, _ string) string { ch.wait(-1, nil); return "" }, media: true},
		"delay_echo":             {run: func(ch *channel, _ string) string { ch.wait(-1, nil); return "" }, media: true},
		"playback":               media(func(ch *channel, arg string) string { return ch.playback(arg) }),
		"endless_playback":       media(appEndless),
		"say":                    media(appSay),
		"speak":                  media(appSpeak),
		"phrase":                 media(appSay),
		"play_and_get_digits":    {run: appPlayAndGetDigits, media: true},
		"read":                   {run: appRead, media: true},
		"record":                 media(appRecord),
		"record_session":         quiet(appRecordSession),
		"stop_record_session":    quiet(appStopRecordSession),
		"send_dtmf":              quiet(appSendDTMF),
		"queue_dtmf":             quiet(appSendDTMF),
		"flush_dtmf":             quiet(func(ch *channel, _ string) { ch.flushDigits() }),
		"bridge":                 quiet(appBridge),
		"att_xfer":               quiet(appAttXfer),
		"transfer":               quiet(appTransfer),
		"conference":             {run: appConference, media: true},
		"socket":                 quiet(appSocket),
		"event":                  quiet(appEvent),
		"sched_hangup":           quiet(appSchedHangup),
		"hold":                   quiet(func(ch *channel, _ string) { ch.hold() }),
		"unhold":                 quiet(func(ch *channel, _ string) { ch.unhold() }),
		"play_and_detect_speech": media(func(ch *channel, arg string) string { return ch.playback(arg) }),
		"gentones":               media(func(ch *channel, arg string) string { return ch.playback("tone_stream://" + arg) }),
		"wait_for_silence":       quiet(appSleep),
		"eavesdrop":              {run: func(ch *channel, _ string) string { ch.wait(-1, nil); return "" }, media: true},
	}
	for _, name := range silent {
		applications[name] = quiet(func(*channel, string) {})
	}
}

// silent are applications that leave no trace in the simulator but their events.
var silent = []string{"start_dtmf", "stop_dtmf", "start_dtmf_generate", "stop_dtmf_generate", "log", "info", "break", "displace_session", "stop_displace_session", "set_profile_var", "presence", "bind_digit_action", "clear_digit_action", "digit_action_set_realm", "detect_speech", "ring_back"}

func appSet(ch *channel, arg string) {
	name, value, ok := strings.Cut(arg, "=")
	if !ok {
		name, value, _ = strings.Cut(arg, " ")
	}
	if value == "_undef_" {
		value = ""
	}
	if name = strings.TrimSpace(name); name != "" {
		ch.setVariable(name, value)
	}
}

// appExport sets a variable that the legs of a bridge get too. "nolocal:" in
// front of the name, which then stays part of it here, keeps it from the channel
// itself.
func appExport(ch *channel, arg string) {
	appSet(ch, arg)
	name, _, _ := strings.Cut(arg, "=")
	ch.mu.Lock()
	defer ch.mu.Unlock()
	exported, _ := ch.get("export_vars")
	if exported != "" {
		exported += ","
	}
	ch.set("export_vars", exported+strings.TrimSpace(name))
}

// exports are the variables that the channel's bridges pass on.
func (ch *channel) exports() []esl.Header {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	names, _ := ch.get("export_vars")
	var vars []esl.Header
	for name := range strings.SplitSeq(names, ",") {
		if value, ok := ch.get(name); ok {
			vars = append(vars, esl.Header{Name: strings.TrimPrefix(name, "nolocal:"), Value: value})
		}
	}
	return vars
}

// appMultiset sets several variables: a=1 b=2, or ^^:a=1:b=2.
func appMultiset(ch *channel, arg string) {
	delimiter := " "
	if strings.HasPrefix(arg, "^^") && len(arg) > 2 {
		delimiter, arg = arg[2:3], arg[3:]
	}
	for pair := range strings.SplitSeq(arg, delimiter) {
		if strings.Contains(pair, "=") {
			appSet(ch, pair)
		}
	}
}

func appMultiunset(ch *channel, arg string) {
	delimiter := " "
	if strings.HasPrefix(arg, "^^") && len(arg) > 2 {
		delimiter, arg = arg[2:3], arg[3:]
	}
	for name := range strings.SplitSeq(arg, delimiter) {
		if name != "" {
			ch.setVariable(name, "")
		}
	}
}

// appSleep returns early when a digit is waiting, unless sleep_eat_digits says
// to swallow them.
func appSleep(ch *channel, arg string) {
	ms, _ := strconv.Atoi(strings.TrimSpace(arg))
	if ms <= 0 {
		return
	}
	d := ch.core.scale(time.Duration(ms) * time.Millisecond)
	if eat, _ := ch.variable("sleep_eat_digits"); eat == "true" {
		ch.wait(d, func(dtmf) bool { return false })
		return
	}
	ch.waitSignal(d)
}

// waitSignal waits like wait, but also ends when a digit arrives, which it
// leaves queued.
func (ch *channel) waitSignal(d time.Duration) outcome {
	timer := time.NewTimer(max(d, 0))
	defer timer.Stop()
	ch.hasStarted()
	for {
		frame := ch.performQueued()
		switch {
		case !ch.alive():
			return gone
		case ch.takeBreak():
			return stopped
		case ch.transferring():
			return moved
		case ch.hasDigits():
			return elapsed
		}
		select {
		case <-timer.C:
			return elapsed
		case <-frame:
		case <-ch.signal:
		case <-ch.gone:
			return gone
		case <-ch.core.ctx.Done():
			ch.hangup("SYSTEM_SHUTDOWN", "")
			return gone
		}
	}
}

// park holds the call until it hangs up, is moved, or over is closed. It closes
// parked once CHANNEL_PARK is out. Either may be nil.
func (ch *channel) park(parked chan struct{}, over <-chan struct{}) {
	ch.mu.Lock()
	ch.fire(evChannelPark, srcPark, nil)
	ch.mu.Unlock()
	if parked != nil {
		close(parked)
	}
	out := stopped
	for out == stopped { // uuid_break does not end it
		out = ch.waitFor(-1, func(dtmf) bool { return false }, over, nil)
	}
	if out == ended {
		ch.performQueued() // what was sent before the end
	}
	ch.mu.Lock()
	ch.fire(evChannelUnpark, srcUnpark, nil)
	ch.mu.Unlock()
}

func (ch *channel) flushDigits() {
	ch.mu.Lock()
	ch.dtmf = nil
	ch.mu.Unlock()
}

func appSendDTMF(ch *channel, arg string) {
	digits, duration := parseDTMF(arg)
	ch.sendDigits(digits, duration)
}

// parseDTMF reads digits@duration; the duration is in milliseconds, FreeSWITCH
// counts in samples of 8 kHz and adds what it rounds up.
func parseDTMF(arg string) (digits string, duration int) {
	digits, length, ok := strings.Cut(strings.TrimSpace(arg), "@")
	duration = 2000
	if ms, err := strconv.Atoi(length); ok && err == nil {
		duration = ms * 8
	}
	return digits, duration
}

func appTransfer(ch *channel, arg string) {
	words := strings.Fields(arg)
	if len(words) == 0 {
		return
	}
	words = append(words, "", "")
	ch.redirect(words[0], words[1], words[2], nil)
}

func appEvent(ch *channel, arg string) {
	var trail []esl.Header
	subclass := ""
	for pair := range strings.SplitSeq(arg, ",") {
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			continue
		}
		if strings.EqualFold(name, "Event-Subclass") {
			subclass = value
		} else if !strings.EqualFold(name, "Event-Name") {
			trail = append(trail, esl.Header{Name: name, Value: value})
		}
	}
	ch.custom(subclass, source{"mod_dptools.c", "event_function", "2067"}, nil, trail...)
}

// custom fires a CUSTOM event with the channel's headers.
func (ch *channel) custom(subclass string, src source, lead []esl.Header, trail ...esl.Header) {
	c := ch.core
	if !c.wanted(evCustom, ch.uuid) {
		c.seq.Add(1)
		return
	}
	ch.mu.Lock()
	h := c.baseCustom(subclass, src, 60+len(lead)+len(trail))
	h = append(h, lead...)
	h = ch.appendData(h, evCustom)
	h = append(h, trail...)
	c.publish(&event{id: evCustom, subclass: subclass, uuid: ch.uuid, headers: h})
	ch.mu.Unlock()
}

func appSchedHangup(ch *channel, arg string) {
	words := strings.Fields(arg)
	if len(words) == 0 {
		return
	}
	seconds, _ := strconv.Atoi(strings.TrimPrefix(words[0], "+"))
	cause := "ALLOTTED_TIMEOUT"
	if len(words) > 1 {
		cause = words[1]
	}
	ch.core.after(ch.core.scale(time.Duration(seconds)*time.Second), ch.gone, func() { ch.hangup(cause, "") })
}

// after runs f when d has passed, unless over is closed or the run ends first.
func (c *core) after(d time.Duration, over <-chan struct{}, f func()) {
	c.wg.Go(func() {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			f()
		case <-over:
		case <-c.ctx.Done():
		}
	})
}

// hold puts the call on hold. Only a bridged call is then marked as held; of
// another one CHANNEL_HOLD is all that is seen (c_event_plain_all).
func (ch *channel) hold() {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if ch.partner != nil {
		ch.profile.lastHold = micros(time.Now())
		ch.held = true
	}
	ch.fire(evChannelHold, srcHold, nil)
}

func (ch *channel) unhold() {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if ch.held {
		ch.held = false
		ch.fire(evChannelUnhold, srcUnhold, nil)
	}
}
