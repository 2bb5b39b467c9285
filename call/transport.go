package call

import (
	"context"

	"github.com/genesis-esl/genesis/esl"
)

// Transport carries the commands of a channel. *esl.Conn and *esl.Client are
// transports. Errors are those of esl.Conn. A Transport must be safe for concurrent
// use.
type Transport interface {
	// Send writes a command and waits for the reply.
	Send(ctx context.Context, cmd esl.Command) (*esl.Reply, error)
	// API runs an api command that ends at once and returns its output.
	API(ctx context.Context, cmd string) (string, error)
	// BgAPI runs an api command in the background and returns its output.
	BgAPI(ctx context.Context, cmd string) (string, error)
}

// Mode is what the other end of a transport supports. The zero value is Remote.
type Mode uint8

// The modes: over a Client, and the four of the dialplan's socket application.
const (
	// Remote is an esl.Client: everything works, for any channel.
	Remote Mode = iota
	// AsyncFull is socket "… async full": everything works.
	AsyncFull
	// SyncFull is socket "… full": an application keeps the socket busy until it ends,
	// so nothing can stop it (recording h2_sync_full).
	SyncFull
	// AsyncSingle is socket "… async": applications only, no api commands (recording
	// h7_async_single_channel).
	AsyncSingle
	// SyncSingle is socket without async or full (recording h8_sync_single_channel).
	SyncSingle
)

// ModeOf returns the mode that FreeSWITCH's reply to connect announces: Socket-Mode
// async or static, Control full or single-channel.
func ModeOf(socketMode, control string) Mode {
	switch async, full := socketMode == "async", control == "full"; {
	case async && full:
		return AsyncFull
	case full:
		return SyncFull
	case async:
		return AsyncSingle
	default:
		return SyncSingle
	}
}

// Async tells whether commands are taken while an application runs.
func (m Mode) Async() bool { return m == Remote || m == AsyncFull || m == AsyncSingle }

// Full tells whether api commands are allowed.
func (m Mode) Full() bool { return m == Remote || m == AsyncFull || m == SyncFull }

// String returns the mode in the words of the dialplan.
func (m Mode) String() string {
	switch m {
	case Remote:
		return "inbound"
	case AsyncFull:
		return "async full"
	case SyncFull:
		return "full (not async)"
	case AsyncSingle:
		return "async (not full)"
	default:
		return "neither async nor full"
	}
}

// needFull is the error of an operation that takes api commands.
func (c *Channel) needFull(operation string) error {
	if c.mode.Full() {
		return nil
	}
	return &ModeError{Operation: operation, Mode: c.mode, Needs: "full"}
}
