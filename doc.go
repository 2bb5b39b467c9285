// Package genesis is the front door: it runs an app for FreeSWITCH's event socket with everything that a service needs,
// so that main is one line.
//
//	func main() {
//		app := consumer.New()
//		app.HandleFunc("CHANNEL_ANSWER", onAnswer)
//		genesis.Run(app)
//	}
//
// An app is one of
//
//   - a *consumer.App, which connects to FreeSWITCH and handles its events;
//   - an outbound.Handler, which handles the calls that FreeSWITCH connects to us;
//   - a *program.Consumer or *program.Outbound, which hand the events or the calls to an executable in any language.
//
// Run reads the environment (the Env constants name the variables), sets up logging, metrics, traces and the health
// endpoints, and serves the app. On SIGINT, SIGTERM or SIGHUP it ends the app gracefully: /ready turns to 503, intake
// stops, handlers finish within a deadline, and the process exits with 0. A second signal ends the process at once. The
// exit code tells a supervisor whether a restart can help: see ExitCode.
//
// Run reads no flags; these belong to the app. `genesis consumer PATH` turns its own flags into the variables of the
// app that it runs.
//
// To embed an app in a larger program or in a test, use RunContext: it touches neither signals nor globals, and never
// exits the process. To build without any of this, use packages consumer, outbound and esl alone: they do not depend on
// this package.
package genesis
