// Package genesis is the front door: it runs an app for FreeSWITCH's event socket with everything a service needs
// around it, so that a main is one line.
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
//   - a *program.Consumer or *program.Outbound, which hand both to an executable in any language.
//
// Run reads the environment (the variables are named by the Env constants), sets up logging, metrics, traces and the
// health endpoints, serves the app, and ends it gracefully on SIGINT, SIGTERM or SIGHUP: /ready turns 503, intake stops,
// handlers finish within a deadline, and the process exits with 0. A second signal ends it at once. The exit code tells
// a supervisor whether a restart can help: see ExitCode.
//
// Flags are not read; they are the app's own. `genesis consumer PATH` turns its flags into the variables for the app
// that it builds and runs.
//
// To embed an app in a larger program or in a test use RunContext, which touches neither signals nor globals nor the
// process's exit. To build without any of this, use packages consumer, outbound and esl alone: they know nothing of
// this package.
package genesis
