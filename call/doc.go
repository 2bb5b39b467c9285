// Package call controls calls: a Channel answers, plays, collects digits, records,
// bridges, transfers and hangs up, the same way whether FreeSWITCH has connected to
// us (an outbound session) or we have connected to FreeSWITCH (an esl.Client).
//
// # Operations
//
// An operation returns when FreeSWITCH says that it has ended, with what FreeSWITCH
// said: the digits, the playback result, the peer's hangup cause. Three things end
// it earlier, always at once:
//
//   - The call ends: a *HangupError, which errors.Is can compare with a Cause.
//   - The context ends: the running application is stopped, the context's cause is
//     returned, and the channel can be used on.
//   - The connection ends: esl.ErrDisconnected.
//
// A Channel follows its state and variables by the events it is fed; nothing polls.
//
// # Data is data
//
// Whatever is passed to an operation is taken as data. Line breaks are refused with
// esl.ErrInjection, and "${", which FreeSWITCH would expand to a variable or to the
// output of an API command, with ErrUnencodable. Dial strings are built from legs and
// variables (To, User, Gateway, Vars …), which are escaped. Only Execute, RawDial and
// what their names say is raw are passed on as they are.
//
// # Two ways to have channels
//
// outbound.Session is a Channel already. Over an esl.Client, a Controller makes
// channels (Originate, Attach) and is fed with the client's events. Both originate.
//
// For ring groups see call/ring, for queues call/queue. Use package esl alone where
// no call is controlled: monitoring, billing, presence.
package call
