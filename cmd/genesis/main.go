// Command genesis runs apps for FreeSWITCH's event socket.
//
//	genesis consumer [dev|run] [PATH]   handle FreeSWITCH's events
//	genesis outbound [dev|run] [PATH]   handle the calls that FreeSWITCH connects to us
//	genesis simulate                    be FreeSWITCH, for development and tests
//	genesis healthcheck                 ask a running app how it is
//	genesis version                     say what this is
//
// `genesis COMMAND --help` tells the rest.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/genesis-esl/genesis"
)

func main() { os.Exit(run(os.Args, os.Stdout, os.Stderr)) }

// run is main with its surroundings as arguments; it returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := genesis.Signals(context.Background())
	defer stop()
	app := newApp(stdout, stderr)
	args, err := arrange(app, args)
	if err == nil {
		err = app.RunContext(ctx, args)
	}
	return report(stderr, app, err)
}

func newApp(stdout, stderr io.Writer) *cli.App {
	return &cli.App{
		Name:  "genesis",
		Usage: "apps for FreeSWITCH's event socket",
		Description: "Runs an app that handles FreeSWITCH's events (consumer) or its calls (outbound), and keeps the\n" +
			"connection, health, metrics and logs for it. With --simulate it needs no FreeSWITCH.\n" +
			"`genesis COMMAND --help` tells the rest; flags may stand anywhere.\n" +
			"Exit codes: 0 stopped on request, 1 failure, 2 usage, 78 configuration (a restart mends nothing).",
		UsageText: "genesis consumer [dev|run] [PATH]   handle FreeSWITCH's events\n" +
			"genesis outbound [dev|run] [PATH]   handle the calls that FreeSWITCH connects to us\n" +
			"genesis simulate                    be FreeSWITCH, for development and tests",
		Version:                   versionText(),
		HideHelpCommand:           true,
		Flags:                     globalFlags(),
		Commands:                  []*cli.Command{consumerCommand(), outboundCommand(), simulateCommand(), healthcheckCommand(), versionCommand()},
		DisableSliceFlagSeparator: true, // applications have commas in their arguments
		Writer:                    stdout,
		ErrWriter:                 stderr,
		OnUsageError:              badUsage,
		ExitErrHandler:            func(*cli.Context, error) {}, // report does it
		Action: func(c *cli.Context) error {
			if name := c.Args().First(); name != "" {
				return usageError("no command %q: consumer, outbound, simulate, healthcheck and version are allowed", name)
			}
			return cli.ShowAppHelp(c)
		},
	}
}

// globalFlags work before and after the command.
func globalFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{
			Name: "loglevel", Value: "info", Usage: "log from `LEVEL` on: trace, debug, info, warn, error",
			EnvVars: []string{genesis.EnvLogLevel, genesis.EnvESLLogLevel},
		},
		&cli.BoolFlag{Name: "json", DisableDefaultText: true, Usage: "log, print and report as JSON lines"},
	}
}

// usage is a mistake on the command line.
type usage struct{ text string }

func (u usage) Error() string { return u.text }

func usageError(format string, args ...any) error { return usage{fmt.Sprintf(format, args...)} }

// badUsage says what the flag parser does not like, in the words of the rest.
func badUsage(c *cli.Context, err error, _ bool) error {
	text := err.Error()
	if name, ok := strings.CutPrefix(text, "flag provided but not defined: -"); ok {
		text = "no flag --" + strings.TrimPrefix(name, "-")
	}
	return usageError("%s (see %s --help)", text, strings.TrimSpace(c.Command.HelpName))
}

// exitCode ends the process with the code of a child that stood in for us.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// report writes an error as a line and returns the exit code.
func report(stderr io.Writer, app *cli.App, err error) int {
	var child exitCode
	var mistake usage
	switch {
	case err == nil:
		return genesis.ExitOK
	case errors.As(err, &child):
		return int(child)
	case errors.As(err, &mistake):
		fmt.Fprintln(stderr, "genesis:", err)
		return genesis.ExitUsage
	}
	for line := range strings.SplitSeq(strings.TrimSpace(err.Error()), "\n") {
		fmt.Fprintln(stderr, "genesis:", nameFlags(app, line))
	}
	return genesis.ExitCode(err)
}

// nameFlags puts the flag beside a variable that an error begins with, since the value may have come from either.
func nameFlags(app *cli.App, line string) string {
	name, rest, ok := strings.Cut(line, "=")
	if !ok {
		return line
	}
	flags := app.Flags
	for _, command := range app.Commands {
		flags = append(flags[:len(flags):len(flags)], command.Flags...)
	}
	for _, flag := range flags {
		if variables := variablesOf(flag); len(variables) > 0 && variables[0] == name {
			return fmt.Sprintf("--%s (%s) %s", flag.Names()[0], name, rest)
		}
	}
	return line
}
