package outbound

import (
	"net"
	"time"
)

// Hooks tells what happens to sessions; esl.Hooks tells what happens on their
// connections. Every field may be nil. Hooks run on the goroutines that carry the
// calls: they must be safe for concurrent use and return quickly.
type Hooks struct {
	// SessionStart runs when a call is about to be handled.
	SessionStart func(*Session)
	// SessionEnd runs when the handler has returned and the connection is closed, with
	// the time since SessionStart. The error is the handler's: nil when all went well
	// or the call was hung up.
	SessionEnd func(*Session, time.Duration, error)
	// Rejected runs for a connection that was closed before it became a session.
	Rejected func(remote net.Addr, reason Reason)
	// Panic runs when a handler has panicked.
	Panic func(s *Session, value any, stack []byte)
}

// Reason says why a connection was rejected.
type Reason string

// The reasons.
const (
	// NotAllowed: the address is in none of the prefixes of Server.Allow.
	NotAllowed Reason = "not_allowed"
	// TooMany: there are Server.MaxSessions sessions already.
	TooMany Reason = "too_many"
	// TooFast: more than Server.MaxRate connections came in a second.
	TooFast Reason = "too_fast"
	// Handshake: the peer did not complete the handshake, or not in time.
	Handshake Reason = "handshake"
)

func (h *Hooks) sessionStart(s *Session) {
	if h != nil && h.SessionStart != nil {
		h.SessionStart(s)
	}
}

func (h *Hooks) sessionEnd(s *Session, d time.Duration, err error) {
	if h != nil && h.SessionEnd != nil {
		h.SessionEnd(s, d, err)
	}
}

func (h *Hooks) rejected(remote net.Addr, reason Reason) {
	if h != nil && h.Rejected != nil {
		h.Rejected(remote, reason)
	}
}

func (h *Hooks) panicked(s *Session, value any, stack []byte) {
	if h != nil && h.Panic != nil {
		h.Panic(s, value, stack)
	}
}
