// Package call controls calls. A Channel answers, plays, collects digits, records,
// bridges, transfers and hangs up. It works the same way whether FreeSWITCH has
// connected to us (an outbound session) or we have connected to FreeSWITCH (an
// esl.Client).
//
// # Operations
//
// An operation returns when FreeSWITCH reports its end, with the result that
// FreeSWITCH reports: the digits, the playback result, the peer's hangup cause. Three
// things end it earlier, always at once:
//
//   - The call ends: the error is a *HangupError, which errors.Is can compare with a
//     Cause.
//   - The context ends: the running application is stopped, the error is the
//     context's cause, and the channel remains usable.
//   - The connection ends: the error is esl.ErrDisconnected.
//
// What FreeSWITCH refuses is an *esl.ReplyError; an application that did not do its
// work is an *AppError.
//
// A Channel follows its state and variables through the events that it is fed;
// nothing polls.
//
// # Data is data
//
// An operation takes its arguments as data. It refuses line breaks with
// esl.ErrInjection. It refuses "${", which FreeSWITCH would expand to a variable or
// to the output of an api command, and a leading "%[", which would set variables,
// with ErrUnencodable. Dial strings are built from legs and variables (To, User,
// Gateway, Vars …), which are escaped. Only the arguments of Execute and RawDial are
// passed on as they are.
//
// # Two ways to have channels
//
// An outbound.Session is a Channel already. Over an esl.Client, a Controller makes
// channels (Originate, Attach) and is fed with the client's events. Both can
// originate calls.
//
// For ring groups see call/ring, for queues call/queue. Use package esl alone where
// you control no call: monitoring, billing, presence.
package call
