package call

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/genesis-esl/genesis/esl"
)

// Played tells how a playback ended.
type Played struct {
	// Response is FreeSWITCH's Application-Response, such as "FILE PLAYED".
	Response string
	// Duration is how long it played; 0 if FreeSWITCH did not say.
	Duration time.Duration
	// Terminator is the digit that stopped it, one of those in the variable
	// playback_terminators; empty if none did.
	Terminator string
}

// failures are the responses with which a media application says that it did not
// work. Everything else counts as success: FreeSWITCH says "FILE PLAYED" also of
// what was broken off.
var failures = map[string]bool{
	"FILE NOT FOUND": true, "PLAYBACK ERROR": true, "SPEAK ERROR": true,
	"RECORD ERROR": true, "SAY ERROR": true, "ERROR": true,
}

func played(app string, ev *esl.Event) (Played, error) {
	p := Played{
		Response:   strings.Clone(ev.Get("Application-Response")),
		Terminator: strings.Clone(ev.Variable("playback_terminator_used")),
	}
	if ms, err := strconv.ParseInt(ev.Variable("playback_ms"), 10, 64); err == nil {
		p.Duration = time.Duration(ms) * time.Millisecond
	}
	if failures[p.Response] {
		return p, &AppError{App: app, Response: p.Response}
	}
	return p, nil
}

// Playback plays a file, a tone_stream:// or any other source that FreeSWITCH can
// play, to its end. If the source cannot be played, the error is an *AppError.
func (c *Channel) Playback(ctx context.Context, file string) (p Played, err error) {
	ctx, done := c.begin(ctx, opPlayback, pathOf(file))
	defer func() { done(err) }()
	if file == "" {
		return p, fmt.Errorf("call: nothing to play: %w", ErrUnencodable)
	}
	if err := checkArgument("file", file); err != nil {
		return p, err
	}
	ev, err := c.execute(ctx, "playback", file)
	if err != nil {
		return p, err
	}
	return played("playback", ev)
}

// Say is what Channel.Say reads out with recorded words.
type Say struct {
	// Module is the language module. Default "en".
	Module string
	// Type is what Text is, in FreeSWITCH's words: number, items, persons, currency,
	// time_measurement, current_date, telephone_number, name_spelled … Default "number".
	Type string
	// Method is how it is said: pronounced, iterated or counted. Default "pronounced".
	Method string
	// Gender is masculine, feminine or neuter, or empty.
	Gender string
	// Text is what to say, such as "1234". Required.
	Text string
}

// Say reads out numbers, dates, letters and the like with recorded words.
func (c *Channel) Say(ctx context.Context, say Say) error {
	arg := []string{cmp.Or(say.Module, "en"), cmp.Or(say.Type, "number"), cmp.Or(say.Method, "pronounced")}
	if say.Gender != "" {
		arg = append(arg, say.Gender)
	}
	for _, word := range arg {
		if err := checkToken("word of say", word); err != nil {
			return err
		}
	}
	if say.Text == "" {
		return fmt.Errorf("call: nothing to say: %w", ErrUnencodable)
	}
	arg = append(arg, word(say.Text))
	ev, err := c.run(ctx, opSay, "say", strings.Join(arg, " "))
	if err != nil {
		return err
	}
	_, err = played("say", ev)
	return err
}

// Speech is what Channel.Speak reads out with a synthetic voice.
type Speech struct {
	// Engine is the text-to-speech module, such as "flite". Empty means the channel's
	// variable tts_engine.
	Engine string
	// Voice of the engine. Empty means the channel's variable tts_voice.
	Voice string
	// Text is what to speak. Required.
	Text string
}

// Speak reads a text out with a synthetic voice, to its end. A "|" in any field of
// speech is an ErrUnencodable.
func (c *Channel) Speak(ctx context.Context, speech Speech) error {
	arg := speech.Text
	if speech.Engine != "" || speech.Voice != "" {
		if strings.Contains(speech.Engine+speech.Voice, "|") {
			return fmt.Errorf("call: engine or voice holds |: %w", ErrUnencodable)
		}
		arg = speech.Engine + "|" + speech.Voice + "|" + speech.Text
	}
	if speech.Text == "" || strings.Contains(speech.Text, "|") {
		return fmt.Errorf("call: text to speak is empty or holds |: %w", ErrUnencodable)
	}
	ev, err := c.run(ctx, opSpeak, "speak", arg)
	if err != nil {
		return err
	}
	_, err = played("speak", ev)
	return err
}

// Recording is what Channel.Record records.
type Recording struct {
	// File is where FreeSWITCH writes it. Required.
	File string
	// Limit is the maximum length, in whole seconds, rounded up. Zero: no limit.
	Limit time.Duration
	// SilenceThreshold is the energy below which audio counts as silence. Zero:
	// FreeSWITCH's 200. It only matters with Silence.
	SilenceThreshold int
	// Silence ends the recording after this much silence, in whole seconds, rounded
	// up. Zero: never.
	Silence time.Duration
}

// Recorded tells how a recording ended.
type Recorded struct {
	// Duration of what was recorded; 0 if FreeSWITCH did not say.
	Duration time.Duration
	// Terminator is the digit that ended it, one of those in the variable
	// playback_terminators; empty if none did.
	Terminator string
}

// Record records the caller until Limit, Silence, a terminator digit, the hangup or
// the end of ctx. FreeSWITCH keeps what was recorded before a hangup. A file name
// with a space or a quote is an ErrUnencodable.
func (c *Channel) Record(ctx context.Context, rec Recording) (Recorded, error) {
	if err := checkFile(rec.File); err != nil {
		return Recorded{}, err
	}
	arg := rec.File
	if rec.Limit > 0 || rec.Silence > 0 {
		arg += " " + wholeSeconds(rec.Limit)
	}
	if rec.Silence > 0 {
		threshold := rec.SilenceThreshold
		if threshold <= 0 {
			threshold = 200
		}
		arg += " " + strconv.Itoa(threshold) + " " + wholeSeconds(rec.Silence)
	}
	ev, err := c.run(ctx, opRecord, "record", arg)
	if err != nil {
		return Recorded{}, err
	}
	r := Recorded{Terminator: strings.Clone(ev.Variable("playback_terminator_used"))}
	if ms, err := strconv.ParseInt(ev.Variable("record_ms"), 10, 64); err == nil {
		r.Duration = time.Duration(ms) * time.Millisecond
	}
	if response := ev.Get("Application-Response"); failures[response] {
		return r, &AppError{App: "record", Response: strings.Clone(response)}
	}
	return r, nil
}

// StartRecord records the call, both directions, in the background.
func (c *Channel) StartRecord(ctx context.Context, file string) error {
	if err := checkFile(file); err != nil {
		return err
	}
	_, err := c.run(ctx, opRecord, "record_session", file)
	return err
}

// StopRecord ends what StartRecord began.
func (c *Channel) StopRecord(ctx context.Context, file string) error {
	if err := checkFile(file); err != nil {
		return err
	}
	_, err := c.run(ctx, opRecord, "stop_record_session", file)
	return err
}

// checkFile refuses a file name that would be read as file and further arguments.
func checkFile(file string) error {
	if file == "" || strings.ContainsAny(file, " '") {
		return fmt.Errorf("call: file name %q is empty or holds a space or a quote: %w", file, ErrUnencodable)
	}
	return nil
}
