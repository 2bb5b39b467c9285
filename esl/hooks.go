package esl

import (
	"context"
	"time"
)

// Hooks tells a higher layer what happens on connections, as it happens. Metrics,
// traces and health are built on it, without this package knowing them.
//
// Every field may be nil, and a nil *Hooks costs nothing. Hooks run on the
// goroutines that carry the traffic: they must be safe for concurrent use,
// return quickly and never block. Events passed to a hook stay valid.
type Hooks struct {
	// ConnectStart runs before a connection is dialled (inbound) or greeted (outbound).
	// The context that it returns goes to ConnectEnd.
	ConnectStart func(context.Context, ConnInfo) context.Context
	// ConnectEnd runs once a connection is authenticated, or has failed.
	ConnectEnd func(context.Context, ConnInfo, error)
	// Disconnected runs once for every connection whose ConnectEnd saw no error. Its error
	// says why the connection ended; ErrClosed means that we closed it.
	Disconnected func(ConnInfo, error)

	// CommandStart runs before a command is written. The context that it returns goes to
	// CommandEnd.
	CommandStart func(context.Context, CommandInfo) context.Context
	// CommandEnd runs when the caller of a command has its answer or its error.
	CommandEnd func(context.Context, CommandInfo, *Reply, error)

	// Events sees every batch of events handed to the app, in order; a batch is a single
	// event when a Client's Handler is no BatchHandler. The slice is valid only during the
	// call.
	Events func([]*Event)
	// Heartbeat sees a HEARTBEAT as soon as it is read, even when the app is behind
	// with its events; of several read at once it sees the first. A Client reports
	// HEARTBEATs of its command socket only while it does not read the event socket,
	// because the app is behind; one may come twice then.
	Heartbeat func(*Event)

	// Up runs when a Client has connected and subscribed, the first time and every time
	// after.
	Up func(Up)
	// Retry runs before a Client waits to dial again, with the wait and the reason.
	Retry func(wait time.Duration, err error)

	// Dropped counts events that will not reach the app, with the reason.
	Dropped func(reason string, n int)
	// Stalled runs when intake stops because the event queue is full (true) and
	// when it goes on (false).
	Stalled func(bool)
}

// ConnInfo describes a connection to a hook.
type ConnInfo struct {
	// Type is "inbound" when we dialled FreeSWITCH's event socket, "outbound"
	// when FreeSWITCH dialled us. The words are FreeSWITCH's.
	Type string
	// Role is "events" or "commands" for the two sockets of a Client, "session"
	// for an outbound call, and empty for a connection used by itself.
	Role string
	// Remote is the peer's host:port.
	Remote string
}

// CommandInfo describes a command to a hook.
type CommandInfo struct {
	// Name is the command's first word, such as "api" or "sendmsg". Arguments are
	// left out, as they may hold secrets.
	Name string
	// Duration is the time from CommandStart to CommandEnd; zero in CommandStart.
	Duration time.Duration
}

// Types of connections, as FreeSWITCH names them.
const (
	inbound  = "inbound"
	outbound = "outbound"
)
