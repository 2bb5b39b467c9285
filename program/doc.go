// Package program runs any executable, in any language, as an app. Events go to its
// stdin as JSON lines, commands come from its stdout, and whatever else it prints
// goes to the log. docs/app-protocol.md describes the lines.
//
// A Consumer is one long-lived process that reads the events of all calls. It is
// started again when it ends, and Restart replaces it without losing an event:
//
//	p := &program.Consumer{Path: "./app.py"}
//	err := p.Register(app) // a *consumer.App
//	err = p.Run(ctx, func(ctx context.Context) error { return app.Serve(ctx, cfg) })
//
// An Outbound is an outbound.Handler that runs one process for each call:
//
//	srv := &outbound.Server{Handler: &program.Outbound{Path: "./ivr.sh"}, MaxSessions: 200}
//
// A program is trusted with its work only. It gets a short list of environment
// variables and no password. Its lines are bounded, and only a line with the form
// of a command is carried out, after the same checks as any other command.
// Otherwise it runs with our rights: this is no sandbox.
//
// A Go app needs none of this: see packages consumer and outbound.
package program
