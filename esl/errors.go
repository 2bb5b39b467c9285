package esl

import (
	"errors"
	"fmt"
)

// Errors to test for with errors.Is.
var (
	// ErrDisconnected says that the connection ended before an answer came. The error is a
	// *DisconnectedError, which tells whether the command may have run.
	ErrDisconnected = errors.New("esl: disconnected")
	// ErrClosed says that we closed the connection ourselves.
	ErrClosed = errors.New("esl: connection closed")
	// ErrAuthentication says that FreeSWITCH refused the password or the user. It is
	// final: trying again with the same password cannot succeed.
	ErrAuthentication = errors.New("esl: authentication failed")
	// ErrAccessDenied says that FreeSWITCH's access control list refused our address
	// (text/rude-rejection). It is final until the list changes.
	ErrAccessDenied = errors.New("esl: access denied by FreeSWITCH's ACL")
	// ErrFrameTooLarge says that the peer sent or announced more than Limits allow.
	ErrFrameTooLarge = errors.New("esl: frame exceeds limit")
	// ErrProtocol says that the peer sent something that is not the event socket protocol.
	ErrProtocol = errors.New("esl: protocol error")
	// ErrInjection says that a command held a line break or more than one message.
	// Nothing was written.
	ErrInjection = errors.New("esl: command is not exactly one message")
	// ErrIdle says that nothing came for longer than the connection's IdleTimeout: the connection
	// is half-open, or FreeSWITCH hangs.
	ErrIdle = errors.New("esl: connection idle for too long")
	// ErrSlowConsumer says that events came faster than they were taken, and overflowed the
	// queue of a connection that does not stop reading.
	ErrSlowConsumer = errors.New("esl: event queue overflow")
)

// ReplyError says that FreeSWITCH refused a command: the reply starts with -ERR or, for an
// api command, -USAGE. The connection is fine.
type ReplyError struct {
	// Command is the first word of the command, and for api and bgapi the second.
	Command string
	// Text is the reply without "-ERR " and line breaks at its end.
	Text string
}

func (e *ReplyError) Error() string {
	return fmt.Sprintf("esl: %s: FreeSWITCH answered %q", e.Command, e.Text)
}

// DisconnectedError is the error of a command whose connection ended before the
// answer. errors.Is(err, ErrDisconnected) is true for it.
type DisconnectedError struct {
	// Sent is true when at least one byte of the command was handed to the socket, so
	// FreeSWITCH may have run it. When false, sending the command again is safe.
	Sent bool
	// Cause says why the connection ended: io.EOF when the peer closed it, ErrClosed
	// when we did, a network error, ErrFrameTooLarge, ErrProtocol …
	Cause error
}

func (e *DisconnectedError) Error() string {
	if e.Sent {
		return fmt.Sprintf("esl: disconnected before the reply, the command may have run: %v", e.Cause)
	}
	return fmt.Sprintf("esl: disconnected before the command was sent: %v", e.Cause)
}

// Unwrap returns the cause.
func (e *DisconnectedError) Unwrap() error { return e.Cause }

// Is reports whether target is ErrDisconnected.
func (e *DisconnectedError) Is(target error) bool { return target == ErrDisconnected }

// unsent is err for a command that was to follow the one which err is about, and now never will.
func unsent(err error) error {
	var lost *DisconnectedError
	if errors.As(err, &lost) && lost.Sent {
		return &DisconnectedError{Cause: lost.Cause}
	}
	return err
}
