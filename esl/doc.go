// Package esl speaks FreeSWITCH's Event Socket protocol.
//
// It has four layers, each usable by itself:
//
//   - The codec is pure: Decoder and ParseEvent read what FreeSWITCH sends,
//     AppendEvent and its kin write it; RequestReader reads what a client sends.
//     No sockets, no goroutines.
//   - Conn is one socket. Commands are pipelined and never get each other's
//     replies; events wait in a bounded queue; when the socket dies, everybody who
//     waits learns so at once.
//   - Client is a connection that heals: it reconnects, subscribes again, and tells
//     the application what it may have missed.
//   - Hooks tell higher layers what happens, for metrics, traces and health.
//
// Commands are values of github.com/percipia/eslgo/command and its call package,
// or a Line of text. Each is checked to be exactly one message before anything is
// written, so that user data cannot smuggle in another: see ErrInjection.
//
// An Event is searched, not parsed. Finding its end and its name costs next to
// nothing, a header is found in the text, or in an index where many are asked for,
// and values are decoded when asked for. Events in the plain, json and xml formats look
// the same through it.
//
// # Which to use
//
// To consume events, use package consumer, which routes them to handlers in
// order per call on top of a Client. To serve calls, use package outbound. Use a
// Conn where one socket without reconnecting is wanted: scripts, tools, tests.
//
// # Backpressure
//
// Events that the application has not taken wait in a queue bounded in number and
// bytes. When it is full, a Client stops reading, so that TCP and then FreeSWITCH's
// own queue of 100,000 events fill up; beyond, FreeSWITCH drops events and
// disconnects the listener after 500. Nothing is dropped on our side without a
// count: Hooks.Dropped and Hooks.Stalled tell.
//
// # Memory
//
// An idle connection takes a few KB. One that events come in on faster than they can be
// read reads into two buffers of 512 KB, and the first such connection of a process takes
// 16 MB of address space that it never touches: with it the heap grows by 32 MB, in place
// of 4, before Go collects garbage, which at such a rate it did a thousand times a second.
// Where GOGC, debug.SetGCPercent, or a GOMEMLIMIT under 256 MB, says otherwise, that is
// not done.
package esl
