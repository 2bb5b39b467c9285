package call

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/genesis-esl/genesis/esl"
)

// Config makes a Channel. Only UUID is required.
type Config struct {
	// UUID is the channel's Unique-ID.
	UUID string
	// Mode is what the transport can do. The zero value is Remote: an esl.Client.
	Mode Mode
	// Data is what is known of the channel already: the reply to connect, or any event of
	// the channel with its variables. May be nil.
	Data *esl.Event
	// Instruments measures operations. Nil measures nothing.
	Instruments *Instruments
	// Logger takes what no operation can return: a panic in an OnDTMF function. Nil means
	// slog.Default().
	Logger *slog.Logger
	// BreakTimeout bounds how long an operation whose context has ended waits for its
	// application to stop. Default 2 s.
	BreakTimeout time.Duration
	// StreamLimit is how many events may wait in a Stream. Default 10,000.
	StreamLimit int
	// StreamBytes is how much memory they may take. Default 16 MiB.
	StreamBytes int
	// Overflow is called once for each stream that overflows. May be nil.
	Overflow func()

	gone func()      // a command has found that the channel is no more
	of   *Controller // whose channel it is; nil for none
}

const (
	defaultBreakTimeout = 2 * time.Second
	defaultStreamLimit  = 10_000
	defaultStreamBytes  = 16 << 20
)

// Channel is one leg of a call: that of an outbound.Session, or one made by a
// Controller or New. Its methods are safe for concurrent use; FreeSWITCH runs
// operations that were started at the same time one after the other.
//
// The owner of the connection feeds the channel with HandleEvent and ends it with
// Lost, as outbound.Session and Controller do.
type Channel struct {
	uuid   string
	t      Transport
	mode   Mode
	cfg    Config
	ctx    context.Context // ends with the channel
	end    context.CancelCauseFunc
	over   chan struct{} // closed when no more events come
	turn   chan struct{} // held while an application runs, where FreeSWITCH has no queue
	tells  *Instruments
	logger *slog.Logger

	mu         sync.Mutex
	state      State
	callState  CallState
	answer     AnswerState
	data       *esl.Event        // the last event with all variables
	set        map[string]string // variables set since the last such event
	setAt      time.Time
	peer       string     // other leg, while bridged
	parked     bool       // between CHANNEL_PARK and CHANNEL_UNPARK
	beenParked bool       // CHANNEL_PARK has come
	apps       int        // that run on the parked call
	asked      Cause      // of a hangup we asked for
	complete   *esl.Event // CHANNEL_HANGUP_COMPLETE
	running    []*execution
	waiters    []*waiter
	streams    []*Stream
	events     uint64 // of its own that have come
	lost       error  // why no more events come
	away       bool   // transferred: no longer ours to hang up
	prepared   bool   // BridgeTo has set what it needs
	expected   bool   // an originate is to make it: FreeSWITCH may not know it yet

	leaving *time.Timer // of the controller, and guarded by its mutex
}

// New returns a channel over t. Its Context ends with the channel, or with parent.
func New(parent context.Context, t Transport, cfg Config) *Channel {
	if cfg.BreakTimeout <= 0 {
		cfg.BreakTimeout = defaultBreakTimeout
	}
	if cfg.StreamLimit <= 0 {
		cfg.StreamLimit = defaultStreamLimit
	}
	if cfg.StreamBytes <= 0 {
		cfg.StreamBytes = defaultStreamBytes
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	c := &Channel{uuid: cfg.UUID, t: t, mode: cfg.Mode, cfg: cfg, tells: cfg.Instruments, logger: cfg.Logger,
		over: make(chan struct{})}
	c.ctx, c.end = context.WithCancelCause(parent)
	if c.mode == AsyncSingle {
		c.turn = make(chan struct{}, 1)
	}
	if cfg.Data != nil {
		c.mu.Lock()
		c.follow(cfg.Data)
		c.mu.Unlock()
		c.cfg.Data = nil
	}
	return c
}

// UUID returns the channel's Unique-ID.
func (c *Channel) UUID() string { return c.uuid }

// Mode returns what the connection can do.
func (c *Channel) Mode() Mode { return c.mode }

// Context ends when the call does; context.Cause is then the *HangupError, or the
// error of the connection if that ended first.
func (c *Channel) Context() context.Context { return c.ctx }

// Done is closed when the channel has ended.
func (c *Channel) Done() <-chan struct{} { return c.ctx.Done() }

// Err is nil while the channel lasts; then it says what ended it.
func (c *Channel) Err() error { return context.Cause(c.ctx) }

// State returns the last channel state seen in an event; empty if none was.
func (c *Channel) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

// CallState returns the last call state seen in an event; empty if none was.
func (c *Channel) CallState() CallState {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.callState
}

// AnswerState returns the last answer state seen in an event; empty if none was.
func (c *Channel) AnswerState() AnswerState {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.answer
}

// Answered tells whether the call is answered and not yet over.
func (c *Channel) Answered() bool { return c.AnswerState() == AnswerAnswered }

// Parked tells whether the call is parked, as far as its events have told: no
// application runs on it, and it is not bridged.
func (c *Channel) Parked() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.parked && c.apps == 0 && c.peer == ""
}

// Peer returns the Unique-ID of the leg that this one is bridged with, or "".
func (c *Channel) Peer() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.peer
}

// Data returns the last event that carried the channel's variables; at first that is
// the reply to connect. It is nil when there was none.
func (c *Channel) Data() *esl.Event {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.data
}

// Get returns a header of Data, such as "Caller-Caller-ID-Number"; "" if there is
// none.
func (c *Channel) Get(header string) string {
	if data := c.Data(); data != nil {
		return data.Get(header)
	}
	return ""
}

// HangupComplete returns the CHANNEL_HANGUP_COMPLETE event, which carries the final
// variables of the call; nil before it has come. Without async it never comes
// (recording h2_sync_full).
func (c *Channel) HangupComplete() *esl.Event {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.complete
}

// Away tells whether the call has been sent elsewhere (Transfer, Connect), so that its
// owner should let go of it instead of hanging it up.
func (c *Channel) Away() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.away
}

func (c *Channel) setAway(away bool) {
	c.mu.Lock()
	c.away = away
	c.mu.Unlock()
}

func (c *Channel) setExpected(expected bool) {
	c.mu.Lock()
	c.expected = expected
	c.mu.Unlock()
}

// unborn tells whether an originate has not got as far as this leg.
func (c *Channel) unborn() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.expected && c.state == ""
}

// Send sends any command and returns the reply; errors are those of esl.Conn.Send. On
// a Remote transport a command that names no channel is not about this one.
func (c *Channel) Send(ctx context.Context, cmd esl.Command) (*esl.Reply, error) {
	return c.t.Send(ctx, cmd)
}
