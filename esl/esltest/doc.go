// Package esltest is FreeSWITCH simulated, in the manner of net/http/httptest:
// a real TCP server that speaks the event socket in both directions and runs
// calls behind it. Test an app against it, run one without a FreeSWITCH, or let
// it break in every way that a FreeSWITCH and a network can.
//
//	srv := esltest.NewServer()
//	defer srv.Close()
//	// … point the app at srv.Addr(), password ClueCon
//
// Behind the socket is a model of calls, not canned text: channels go through
// FreeSWITCH's states and fire its events with its headers and variables;
// dialplan applications run, take their time and are interrupted by digits,
// breaks and hangups; api commands act on the same channels, and show agrees with
// the events. A conformance test plays each recording of a real FreeSWITCH
// (testdata/transcripts) against the simulator and compares every frame and
// header; testdata/differences.txt lists what differs, and why.
//
// # Calls
//
// Server.Call places a call and returns a handle on the caller's side of it:
// press digits, hang up, wait for states, and see what the app has executed.
// With CallConfig.Outbound the call goes to an outbound server, with Actions it
// runs those, else the dialplan (Config.Extensions, then DefaultExtensions).
// An app's own originate calls addresses that behave as Config.Endpoints says.
//
// # Looking at an app
//
// Call.Executed tells what ran on a call, Server.Commands what came over the
// sockets, and Server.Record gathers events. Each of them has a way to wait, so
// that no test has to sleep.
//
// # Time
//
// Tones last as long as they say, sound files Config.PlayTime, and everything
// of the media Config.Pace times faster than that. Clocks of the protocol, such as
// linger and the 25 seconds to authenticate, are not scaled, but are options.
//
// # Faults
//
// A Fault cuts, stalls, splits, delays or poisons connections, refuses them,
// restarts FreeSWITCH, or keeps heartbeats back. Set it in Config.Faults, inject
// it with Server.Inject, or read it from a command line with ParseFault. Replay
// plays recorded bytes instead of a model.
//
// # Load and scenarios
//
// Server.Load starts calls at a rate and reports answers, failures and latency
// percentiles. A Scenario, read from YAML or JSON, says which calls come and
// what the callers do.
//
// The package needs no testing package, so it also is what "genesis simulate" and
// --simulate run. It is no media server: no sound is played, nothing is recorded,
// and of SIP only the addresses exist.
package esltest
