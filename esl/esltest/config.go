package esltest

import (
	"context"
	"log/slog"
	"net/netip"
	"time"
)

// Config says how the simulated FreeSWITCH behaves. The zero value listens on a
// free port of 127.0.0.1, with the password ClueCon.
type Config struct {
	// Addr is the address to listen on. Default 127.0.0.1:0, any free port.
	Addr string
	// Password is the password for auth. Default ClueCon.
	Password string
	// Users are the users for userauth. Default none.
	Users []User
	// Allow lists the networks that may connect; others get the rude rejection.
	// Default: all.
	Allow []netip.Prefix

	// Hostname, Switchname, IPv4, IPv6 and Domain appear in events. Defaults:
	// simulator, the hostname, 127.0.0.1, ::1 and the IPv4 address.
	Hostname, Switchname, IPv4, IPv6, Domain string
	// Version is FreeSWITCH-Version without the bits. Default 1.11.3-dev.
	Version string
	// MaxSessions bounds the channels at a time; more are refused with
	// NORMAL_TEMPORARY_FAILURE. Default 50,000.
	MaxSessions int
	// Globals are further global variables, besides those that the simulator sets
	// itself, such as hostname and core_uuid.
	Globals map[string]string

	// Heartbeat is the time between HEARTBEATs. Default 20 s; negative: none.
	Heartbeat time.Duration
	// AuthTimeout is how long a client has to authenticate. Default 25 s.
	AuthTimeout time.Duration
	// ConnectTimeout is how long an outbound server has to send connect. Default 25 s.
	ConnectTimeout time.Duration
	// Queue is how many events may wait for a client that does not read. Default
	// 100,000.
	Queue int
	// MaxLost is how many events may be lost because the queue is full
	// before the client is disconnected. Default 500.
	MaxLost int

	// Extensions is the dialplan, tried in order; calls that match none go on
	// to DefaultExtensions.
	Extensions []Extension
	// Endpoints tell what becomes of a call to an address such as user/1000 or
	// sofia/gateway/gw/4912345. They are tried in order, before DefaultEndpoint.
	Endpoints []Endpoint
	// Applications are further dialplan applications by name; they replace those of
	// the simulator with the same name.
	Applications map[string]Application
	// APICommands are further api commands by name in lower case; they replace those
	// of the simulator with the same name. ctx ends with the server; arg is the text
	// after the name.
	APICommands map[string]func(ctx context.Context, arg string) string
	// Registrations are what "show registrations" lists.
	Registrations []Registration
	// Frame is the time of one audio frame. An application looks once a frame for what
	// sendmsg has queued, so getvar right after a set still sees the old value.
	// Default 20 ms, FreeSWITCH's own; negative: at once. Pace shortens it.
	Frame time.Duration
	// EventDelay is how long a socket waits after a reply for the client's next
	// command before it sends events. It stands for an event's way through
	// FreeSWITCH's own queues (h2_sync_full: getvar is answered before the events of
	// the set before it). Default 1 ms; negative: none.
	EventDelay time.Duration
	// PlayTime is how long a sound file lasts; tones and silences last as long
	// as they say. Default 1 s.
	PlayTime time.Duration
	// Pace is the speed of media time: with 10, a tone of one second takes 100 ms.
	// Default 1.
	Pace float64
	// VerboseEvents puts the variables in every channel event, as "fsctl
	// verbose_events on" does.
	VerboseEvents bool

	// Faults are the faults that occur; see Fault.
	Faults []Fault
	// Logger gets the logs of the simulator itself. Default: none.
	Logger *slog.Logger
}

// Application is a dialplan application. It runs on the call's own goroutine, so
// the call does nothing else until it returns; ctx ends when the call hangs up. Its
// result becomes current_application_response and the Application-Response of
// CHANNEL_EXECUTE_COMPLETE; "" means none.
type Application func(ctx context.Context, call *Call, arg string) string

// User is a directory user for userauth.
type User struct {
	// Name is user@domain.
	Name string
	// Password is the user's esl-password. Without one, nobody can log in.
	Password string
	// Events lists the events that the user may subscribe to, in the form of
	// FreeSWITCH's esl-allowed-events: everything after CUSTOM is a subclass, and ALL
	// allows every event but no subclass by its name. Empty: all.
	Events []string
	// API lists the api commands that the user may run, by api and by bgapi. For a
	// command that runs others, such as expand, list these others too. Empty: all.
	API []string
	// NoLog forbids the log command.
	NoLog bool
}

// Extension is one entry of the dialplan.
type Extension struct {
	// Match is a regular expression for the destination number. In the arguments of
	// Actions, $1 and so on stand for its groups.
	Match string
	// Name is the extension's name in logs. Default Match.
	Name string
	// Actions are the applications to run.
	Actions []Action
}

// Action is a dialplan application with its argument.
type Action struct {
	App  string `yaml:"app" json:"app"`
	Data string `yaml:"data" json:"data"`
}

// Endpoint tells how called addresses behave.
type Endpoint struct {
	// Match is a regular expression for the address, as written in the dial string:
	// ^user/1001$.
	Match string
	// Ring is the time from the call to the ringing (180).
	Ring time.Duration
	// Answer is the time from the ringing to the answer. Negative: never.
	Answer time.Duration
	// Cause, when set, is the hangup cause with which the address refuses,
	// after Answer: USER_BUSY, CALL_REJECTED, NO_USER_RESPONSE …
	Cause string
	// Hangup is the time after the answer at which the called party hangs up.
	// 0: never.
	Hangup time.Duration
	// Digits are pressed by the called party after the answer.
	Digits string
}

// Registration is one line of "show registrations".
type Registration struct {
	User, Realm, Token, URL, NetworkIP, NetworkPort, NetworkProto, Hostname, Metadata string
	Expires                                                                           int64
}

// DefaultExtensions are the last extensions of the dialplan, those with which the
// recordings were made: 9196 answers and echoes, 10XX answer and hold the line for
// a minute, 2000 plays a tone, 3001 is busy, 40XX are conference rooms, 9999 and
// its neighbours park. Any other number answers and parks.
func DefaultExtensions() []Extension {
	return []Extension{
		{Match: `^9196$`, Name: "echo", Actions: []Action{{App: "answer"}, {App: "echo"}}},
		{Match: `^(10[01]\d)$`, Name: "answer_and_hold", Actions: []Action{{App: "answer"}, {App: "sleep", Data: "60000"}}},
		{Match: `^2000$`, Name: "tone", Actions: []Action{{App: "answer"}, {App: "playback", Data: "tone_stream://%(2000,4000,440,480)"}}},
		{Match: `^3001$`, Name: "busy", Actions: []Action{{App: "hangup", Data: "USER_BUSY"}}},
		{Match: `^3002$`, Name: "no answer", Actions: []Action{{App: "ring_ready"}, {App: "sleep", Data: "3600000"}}},
		{Match: `^40\d\d$`, Name: "conference", Actions: []Action{{App: "answer"}, {App: "conference", Data: "room1@default"}}},
		{Match: ``, Name: "park", Actions: []Action{{App: "answer"}, {App: "park"}}},
	}
}

func (c Config) withDefaults() Config {
	setDefault(&c.Addr, "127.0.0.1:0")
	setDefault(&c.Password, "ClueCon")
	setDefault(&c.Hostname, "simulator")
	setDefault(&c.Switchname, c.Hostname)
	setDefault(&c.IPv4, "127.0.0.1")
	setDefault(&c.IPv6, "::1")
	setDefault(&c.Domain, c.IPv4)
	setDefault(&c.Version, "1.11.3-dev")
	setDefault(&c.MaxSessions, 50_000)
	setDefault(&c.Heartbeat, 20*time.Second)
	setDefault(&c.AuthTimeout, 25*time.Second)
	setDefault(&c.ConnectTimeout, 25*time.Second)
	setDefault(&c.Queue, 100_000)
	setDefault(&c.MaxLost, 500)
	setDefault(&c.PlayTime, time.Second)
	setDefault(&c.Frame, 20*time.Millisecond)
	setDefault(&c.EventDelay, time.Millisecond)
	if c.Pace <= 0 {
		c.Pace = 1
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
