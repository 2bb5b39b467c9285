package esltest

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/genesis-esl/genesis/esl"
)

// endless is the length of what plays until somebody stops it.
const endless = time.Duration(-1)

// mediaLength tells how long a file lasts: tones and silences as they say,
// local streams for ever, names of files Config.PlayTime.
func (c *core) mediaLength(path string) time.Duration {
	scheme, rest, ok := strings.Cut(path, "://")
	if !ok {
		return c.srv.cfg.PlayTime
	}
	switch scheme {
	case "tone_stream":
		return toneLength(rest)
	case "silence_stream":
		rest, _, _ = strings.Cut(rest, ",")
		ms, err := strconv.Atoi(rest)
		if err != nil || ms < 0 {
			return endless
		}
		return time.Duration(ms) * time.Millisecond
	case "local_stream":
		return endless
	case "file_string", "phrase":
		return time.Duration(1+strings.Count(rest, "!")) * c.srv.cfg.PlayTime
	default:
		return c.srv.cfg.PlayTime
	}
}

var toneCadence = regexp.MustCompile(`%\((\d+),(\d+)`)

// toneLength adds up the cadences of a TGML string and its loops.
func toneLength(tone string) time.Duration {
	total := 0
	for _, m := range toneCadence.FindAllStringSubmatch(tone, -1) {
		on, _ := strconv.Atoi(m[1])
		off, _ := strconv.Atoi(m[2])
		total += on + off
	}
	if _, loops, ok := strings.Cut(tone, "loops="); ok {
		loops, _, _ = strings.Cut(loops, ";")
		n, err := strconv.Atoi(loops)
		if err == nil && n < 0 {
			return endless
		}
		if err == nil && n > 1 {
			total *= n
		}
	}
	return time.Duration(total) * time.Millisecond
}

func fileType(path string) string {
	if scheme, _, ok := strings.Cut(path, "://"); ok {
		return scheme
	}
	return "file"
}

// play plays one file to its end or until a digit, a break or the hangup; it
// fires PLAYBACK_START and PLAYBACK_STOP and leaves the playback_* variables.
func (ch *channel) play(path string, onDigit func(dtmf) bool) outcome {
	kind := fileType(path)
	ch.mu.Lock()
	ch.fire(evPlaybackStart, srcPlayStart, nil,
		esl.Header{Name: "Playback-File-Type", Value: kind},
		esl.Header{Name: "Playback-File-Path", Value: path})
	ch.mu.Unlock()
	length := ch.core.mediaLength(path)
	begun := time.Now()
	d := length
	if d > 0 {
		d = ch.core.scale(d)
	}
	out := ch.wait(d, onDigit)
	played := length
	if out != elapsed {
		played = time.Duration(float64(time.Since(begun)) * ch.core.srv.cfg.Pace)
	}
	ms := played.Milliseconds()
	status := "done"
	if out == stopped || out == pressed {
		status = "break"
	}
	ch.mu.Lock()
	ch.set("playback_last_offset_pos", strconv.FormatInt(ms*8, 10))
	ch.set("playback_seconds", strconv.FormatInt(ms/1000, 10))
	ch.set("playback_ms", strconv.FormatInt(ms, 10))
	ch.set("playback_samples", strconv.FormatInt(ms*8, 10))
	ch.fire(evPlaybackStop, srcPlayStop, nil,
		esl.Header{Name: "Playback-File-Type", Value: kind},
		esl.Header{Name: "Playback-File-Path", Value: path},
		esl.Header{Name: "Playback-Status", Value: status})
	ch.mu.Unlock()
	return out
}

// missing says whether a file does not exist: the simulator has no sound files,
// so only names that say so are missing.
func missing(path string) bool {
	return path == "" || strings.Contains(path, "no_such_file") || strings.Contains(path, "nosuchfile")
}

// playback is the application, with playback_terminators.
func (ch *channel) playback(path string) string {
	if missing(path) {
		return "FILE NOT FOUND"
	}
	terminators, ok := ch.variable("playback_terminators")
	if !ok {
		terminators = "*"
	}
	ch.setVariable("playback_terminator_used", "")
	switch ch.play(path, func(d dtmf) bool {
		hit := terminators != "none" && (terminators == "any" || strings.IndexByte(terminators, d.digit) >= 0)
		if hit {
			ch.setVariable("playback_terminator_used", string(d.digit))
		}
		return hit
	}) {
	case gone:
		return "PLAYBACK ERROR"
	case stopped, moved:
		return "FILE PLAYED"
	default:
		return "FILE PLAYED"
	}
}

func appEndless(ch *channel, arg string) string {
	if missing(arg) {
		return "FILE NOT FOUND"
	}
	for ch.alive() {
		if out := ch.play(arg, func(dtmf) bool { return false }); out != elapsed {
			break
		}
	}
	return ""
}

// appSay says something that lasts as long as a file.
func appSay(ch *channel, arg string) string {
	ch.wait(ch.core.scale(ch.core.srv.cfg.PlayTime), func(dtmf) bool { return false })
	return ""
}

func appSpeak(ch *channel, arg string) string {
	if ch.wait(ch.core.scale(ch.core.srv.cfg.PlayTime), func(dtmf) bool { return false }) == gone {
		return ""
	}
	return "OK"
}

// gather is the digits that play_and_get_digits and read wait for.
type gather struct {
	min, max, tries   int
	timeout, digitGap time.Duration
	terminators       string
	file, badFile     string
	variable          string
	pattern           *regexp.Regexp
}

// appPlayAndGetDigits: min max tries timeout terminators file invalid_file
// var_name regexp digit_timeout transfer_on_failure.
func appPlayAndGetDigits(ch *channel, arg string) string {
	words := arguments(arg, 12)
	if words[5] == "" {
		return ""
	}
	g := gather{terminators: words[4], file: words[5], badFile: words[6], variable: words[7]}
	g.min, _ = strconv.Atoi(words[0])
	g.max, _ = strconv.Atoi(words[1])
	g.tries, _ = strconv.Atoi(words[2])
	ms, _ := strconv.Atoi(words[3])
	g.timeout = time.Duration(ms) * time.Millisecond
	g.digitGap = g.timeout
	if ms, err := strconv.Atoi(words[9]); err == nil && ms > 0 {
		g.digitGap = time.Duration(ms) * time.Millisecond
	}
	if words[8] != "" {
		g.pattern, _ = regexp.Compile("^(?:" + words[8] + ")$")
	}
	ch.setVariable("read_result", "")
	digits, ok := ch.gatherDigits(&g)
	ch.gathered(&g, digits, ok)
	return ""
}

// gathered leaves the variables that tell how it went.
func (ch *channel) gathered(g *gather, digits string, ok bool) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	result := "failure"
	if ok {
		result = "success"
	}
	switch {
	case ok:
		ch.set(g.variable, digits)
	case g.variable != "":
		ch.set(g.variable, "")
		if digits != "" {
			ch.set(g.variable+"_invalid", digits)
		}
	}
	ch.set("read_result", result)
	ch.noteChange()
}

// appRead: min max file var_name timeout terminators.
func appRead(ch *channel, arg string) string {
	words := arguments(arg, 6)
	g := gather{tries: 1, file: words[2], variable: words[3], terminators: words[5]}
	g.min, _ = strconv.Atoi(words[0])
	g.max, _ = strconv.Atoi(words[1])
	ms, _ := strconv.Atoi(words[4])
	g.timeout = time.Duration(max(ms, 1)) * time.Millisecond
	g.digitGap = g.timeout
	digits, ok := ch.gatherDigits(&g)
	ch.mu.Lock()
	defer ch.mu.Unlock()
	ch.set(g.variable, digits)
	result := "failure"
	if ok {
		result = "success"
	} else if digits == "" {
		result = "timeout"
	}
	ch.set("read_result", result)
	ch.noteChange()
	return ""
}

func (ch *channel) gatherDigits(g *gather) (digits string, ok bool) {
	for try := 0; try < max(g.tries, 1) && ch.alive(); try++ {
		digits, ok = ch.gatherOnce(g)
		if ok && (g.pattern == nil || g.pattern.MatchString(digits)) {
			return digits, true
		}
		ok = false
		if ch.transferring() {
			break
		}
		if g.badFile != "" && !missing(g.badFile) && g.badFile != "silence" {
			ch.play(g.badFile, func(dtmf) bool { return false })
		}
	}
	return digits, ok
}

func (ch *channel) gatherOnce(g *gather) (digits string, ok bool) {
	terminated := false
	collect := func(d dtmf) bool {
		if strings.IndexByte(g.terminators, d.digit) >= 0 {
			terminated = true
			ch.setVariable("read_terminator_used", string(d.digit))
			return true
		}
		digits += string(d.digit)
		return true
	}
	done := func() bool { return terminated || g.max > 0 && len(digits) >= g.max }
	out := elapsed
	if g.file != "" && g.file != "silence" && !missing(g.file) {
		out = ch.play(g.file, collect)
	}
	for !done() && (out == elapsed || out == pressed) {
		gap := g.timeout
		if digits != "" {
			gap = g.digitGap
		}
		if out = ch.wait(ch.core.scale(gap), collect); out == elapsed {
			break
		}
	}
	return digits, len(digits) >= g.min && (out == pressed || out == elapsed)
}

// appRecord: path [limit-seconds [threshold [silence-hits]]].
func appRecord(ch *channel, arg string) string {
	words := arguments(arg, 4)
	limit := endless
	if seconds, err := strconv.Atoi(words[1]); err == nil && seconds > 0 {
		limit = ch.core.scale(time.Duration(seconds) * time.Second)
	}
	begun := time.Now()
	ch.recordEvent(evRecordStart, srcRecStart, words[0])
	terminators, ok := ch.variable("playback_terminators")
	if !ok {
		terminators = "*"
	}
	ch.wait(limit, func(d dtmf) bool { return terminators == "any" || strings.IndexByte(terminators, d.digit) >= 0 })
	ms := time.Since(begun).Milliseconds()
	ch.mu.Lock()
	ch.set("record_seconds", strconv.FormatInt(ms/1000, 10))
	ch.set("record_ms", strconv.FormatInt(ms, 10))
	ch.set("record_samples", strconv.FormatInt(ms*8, 10))
	ch.mu.Unlock()
	ch.recordEvent(evRecordStop, srcRecStop, words[0])
	return ""
}

func (ch *channel) recordEvent(id eventID, src source, path string) {
	ch.mu.Lock()
	ch.fire(id, src, nil, esl.Header{Name: "Record-File-Path", Value: path})
	ch.mu.Unlock()
}

func appRecordSession(ch *channel, arg string) {
	path, _, _ := strings.Cut(arg, " ")
	ch.startRecording(path)
}

func appStopRecordSession(ch *channel, arg string) { ch.stopRecording(strings.TrimSpace(arg)) }

// startRecording records in the background, as uuid_record does.
func (ch *channel) startRecording(path string) {
	ch.mu.Lock()
	ch.recordings = append(ch.recordings, path)
	ch.fire(evRecordStart, srcRecStart, nil, esl.Header{Name: "Record-File-Path", Value: path})
	ch.mu.Unlock()
}

// stopRecording ends the recording to path, or all of them; it says whether
// there was one.
func (ch *channel) stopRecording(path string) bool {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	kept, found := ch.recordings[:0:0], false
	for _, r := range ch.recordings {
		if path != "all" && r != path {
			kept = append(kept, r)
			continue
		}
		found = true
		ch.fire(evRecordStop, srcRecStop, nil, esl.Header{Name: "Record-File-Path", Value: r})
	}
	ch.recordings = kept
	return found
}
