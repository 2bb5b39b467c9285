// Package program runs any executable as an app, in any language: events go to
// its stdin as JSON lines, commands come from its stdout, and what else it prints
// goes to the log. docs/app-protocol.md describes the lines.
//
// A Consumer is one long-lived process that reads the events of all calls; it is
// started again when it ends, and restarted without the loss of an event when its
// file has changed:
//
//	p := &program.Consumer{Path: "./app.py"}
//	err := p.Register(app) // a *consumer.App
//	err = p.Run(ctx, func(ctx context.Context) error { return app.Serve(ctx, cfg) })
//
// An Outbound is an outbound.Handler that runs one process for each call:
//
//	srv := &outbound.Server{Handler: &program.Outbound{Path: "./ivr.sh"}, MaxSessions: 200}
//
// A program is not trusted with more than its work: it gets a short list of
// environment variables, and no password; its lines are bounded, and only one that
// is a command in form is carried out, after the same checks as everybody's
// commands. It runs with our rights otherwise: this is no sandbox.
//
// An app in Go needs none of this: see packages consumer and outbound.
package program
