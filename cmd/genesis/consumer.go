package main

import (
	"log/slog"
	"os"
	"strings"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"github.com/genesis-esl/genesis"
	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/internal/printer"
	"github.com/genesis-esl/genesis/program"
)

func consumerCommand() *cli.Command {
	return &cli.Command{
		Name: "consumer", Usage: "handle FreeSWITCH's events",
		UsageText: "genesis consumer [dev|run] [options] [PATH [-- ARGUMENTS]]",
		Description: "PATH is a Go package directory or .go file (built and run), an executable built on this library\n" +
			"(run), or any other executable: it reads events from stdin and writes commands to stdout, as JSON lines.\n" +
			"Without PATH events are printed: for people on a terminal, as JSON lines elsewhere.\n" +
			"With dev the app is built anew and restarted whenever a file changes in the directory of PATH\n" +
			"or below it (packages elsewhere are not watched).\n" +
			"--loglevel LEVEL and --json work here too (see genesis --help).",
		HideHelpCommand: true, OnUsageError: badUsage,
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "host", EnvVars: []string{genesis.EnvHost}, Value: "127.0.0.1", Usage: "FreeSWITCH's `ADDRESS`"},
			&cli.StringFlag{Name: "port", EnvVars: []string{genesis.EnvPort}, Value: "8021", Usage: "its event socket's `PORT`"},
			&cli.StringFlag{Name: "password", EnvVars: []string{genesis.EnvPassword}, DefaultText: "ClueCon", Usage: "its `PASSWORD`"},
			&cli.StringFlag{Name: "password-file", EnvVars: []string{genesis.EnvPasswordFile}, Usage: "read the password from the first line of `FILE`"},
			&cli.StringFlag{Name: "user", EnvVars: []string{genesis.EnvUser}, Usage: "log in as `USER@DOMAIN` of the directory"},
			&cli.StringFlag{
				Name: "heartbeat-timeout", EnvVars: []string{genesis.EnvHeartbeatTimeout}, Value: "30s",
				Usage: "be healthy as long as the last HEARTBEAT is no older than `TIME`",
			},
			&cli.StringSliceFlag{Name: "event", Usage: "get events called `NAME`, or of that subclass (repeatable; default all)"},
			&cli.StringSliceFlag{Name: "filter", Usage: "get events whose header has a value, as `HEADER=VALUE` (repeatable)"},
			&cli.StringSliceFlag{Name: "match", Usage: "print events whose header matches an expression, as `HEADER=REGEXP` (repeatable)"},
		}, serviceFlags()...),
		Action: runConsumer,
	}
}

func runConsumer(c *cli.Context) error {
	l, err := newLaunch(c, consumerMode)
	if err != nil {
		return err
	}
	defer l.close()
	events, err := checkEvents(l.log, c.StringSlice("event"))
	if err != nil {
		return err
	}
	selecting := c.IsSet("event") || c.IsSet("filter") || c.IsSet("match")
	switch {
	case l.path == "":
		app, err := printer.New(os.Stdout, printer.Config{
			JSON:   l.settings.json() || !term.IsTerminal(int(os.Stdout.Fd())),
			Events: events, Filters: c.StringSlice("filter"), Matches: c.StringSlice("match"),
		})
		if err != nil {
			return usageError("%v", err)
		}
		return l.serve(c.Context, app)
	case l.hosted():
		if c.IsSet("match") {
			return usageError("--match is for the app that prints events, not for a program: use --filter")
		}
		return l.host(c.Context, &program.Consumer{
			Path: l.target.Path, Args: l.args, Version: versionText(),
			Events: events, Filters: c.StringSlice("filter"),
		})
	case selecting:
		return usageError("--event, --filter and --match are not for an app built on this library: it subscribes by itself")
	default:
		return l.child(c.Context)
	}
}

// checkEvents returns the names with those of FreeSWITCH's own events in capitals: it takes them in any case. It refuses
// what cannot be a name, and points at what may be a misspelt one.
func checkEvents(log *slog.Logger, names []string) ([]string, error) {
	events := make([]string, 0, len(names))
	for _, name := range names {
		switch {
		case name == "" || strings.ContainsAny(name, " \t\r\n"):
			return nil, usageError("--event %q: a name of FreeSWITCH's, a subclass of CUSTOM or ALL is allowed", name)
		case esl.IsEventName(strings.ToUpper(name)):
			name = strings.ToUpper(name)
		case strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == "":
			log.Warn("no event of FreeSWITCH's has this name: taken for a subclass of CUSTOM", "event", name)
		}
		events = append(events, name)
	}
	return events, nil
}
