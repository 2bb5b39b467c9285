// Package esltest is a simulated FreeSWITCH, in the manner of net/http/httptest: a
// real TCP server that speaks the event socket in both directions and runs calls
// behind it. Test an app against it, run an app without a FreeSWITCH, or have it
// break in every way that a FreeSWITCH and a network can.
//
//	srv := esltest.NewServer()
//	defer srv.Close()
//	// … point the app at srv.Addr(), password ClueCon
//
// Behind the socket is a model of calls, not canned text. Channels go through
// FreeSWITCH's states and fire its events with its headers and variables. Dialplan
// applications run, take their time, and are interrupted by digits, breaks and
// hangups. Api commands act on the same channels, and show agrees with the events.
// A conformance test plays each recording of a real FreeSWITCH
// (testdata/transcripts) against the simulator and compares every frame and header;
// testdata/differences.txt lists what differs, and why.
//
// # Calls
//
// Server.Call places a call and returns a handle on the caller's side of it, which
// presses digits, hangs up, waits for states, and shows what the app has executed.
// With CallConfig.Outbound the call goes to an outbound server; with Actions it
// runs these; otherwise it runs the dialplan (Config.Extensions, then
// DefaultExtensions). The addresses that an app calls by originate behave as
// Config.Endpoints says.
//
// # Looking at an app
//
// Call.Executed returns the applications that ran on a call, Server.Commands the
// commands that came over the sockets, and Server.Record records events. Each of
// these can be waited for, so that no test has to sleep.
//
// # Time
//
// Tones last as long as they say, sound files Config.PlayTime. Config.Pace makes
// all media that many times faster. It does not scale the timers of the protocol,
// such as linger and the 25 seconds to authenticate, but these are options.
//
// # Faults
//
// A Fault cuts, stalls, splits, delays or corrupts connections, refuses them,
// restarts FreeSWITCH, or holds heartbeats back. Set it in Config.Faults, inject it
// with Server.Inject, or read it from a command line with ParseFault. A Replay
// plays recorded bytes instead of a model.
//
// # Load and scenarios
//
// Server.Load starts calls at a given rate and reports answers, failures and
// latency percentiles. A Scenario, read from YAML or JSON, says which calls come
// and what the callers do.
//
// The package does not need package testing: "genesis simulate" and --simulate run
// it too. It is no media server: no sound is played, nothing is recorded, and of
// SIP only the addresses exist.
package esltest
