// Package esl speaks FreeSWITCH's Event Socket protocol.
//
// It has four layers, each usable by itself:
//
//   - The codec has no sockets and no goroutines. Decoder and ParseEvent read what
//     FreeSWITCH sends, AppendEvent and the other Append functions write it; RequestReader
//     reads what a client sends.
//   - Conn is one socket. Commands are pipelined and never get each other's replies.
//     Events wait in a bounded queue. When the socket dies, every waiting caller gets an
//     error at once.
//   - Client is a connection that heals: it reconnects, subscribes again, and tells the
//     app what it may have missed.
//   - Hooks tell higher layers what happens: for metrics, traces and health.
//
// A command is a value of github.com/percipia/eslgo/command or its call package, or a Line
// of text. Before anything is written, each is checked to be exactly one message, so that
// user data cannot smuggle in another: see ErrInjection.
//
// An Event is searched, not parsed. Finding its end and its name costs next to nothing. A
// header is looked up in the text, or in an index when many are asked for, and its value
// is decoded only then. Events in the plain, json and xml formats look the same.
//
// # Which to use
//
// To consume events, use package consumer: on top of a Client, it routes them to handlers,
// in order within each call. To serve calls, use package outbound. Use a Conn for one
// socket that does not reconnect: scripts, tools, tests.
//
// # Backpressure
//
// Events that the app has not taken wait in a queue bounded in number and bytes. When it
// is full, a Client stops reading, so that TCP's buffers and then FreeSWITCH's own queue
// of 100,000 events fill up. Beyond that FreeSWITCH drops events, and disconnects the
// listener after 500. On our side nothing is dropped without a count: see Hooks.Dropped
// and Hooks.Stalled.
//
// # Memory
//
// An idle connection takes a few KB. A connection on which events come in faster than they
// can be read uses two buffers of 512 KB. The first such connection of a process also
// reserves 16 MB of address space that it never touches: the heap then grows by 32 MB,
// instead of 4, before Go collects garbage, which at such a rate it did a thousand times a
// second. With GOGC, debug.SetGCPercent, or a GOMEMLIMIT under 256 MB, that is not done.
package esl
