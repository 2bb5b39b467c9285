package main

import (
	"context"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/genesis-esl/genesis"
	"github.com/genesis-esl/genesis/outbound"
	"github.com/genesis-esl/genesis/program"
)

func outboundCommand() *cli.Command {
	return &cli.Command{
		Name: "outbound", Usage: "handle the calls that FreeSWITCH connects to us",
		UsageText: "genesis outbound [dev|run] [options] [PATH [-- ARGUMENTS]]",
		Description: "FreeSWITCH connects when its dialplan says\n" +
			"   <action application=\"socket\" data=\"127.0.0.1:9000 async full\"/>\n" +
			"PATH is a Go package directory or .go file (built and run), an executable built on this library (run), or\n" +
			"any other executable: it is started for each call, reads the call's events from stdin and writes what to do\n" +
			"to stdout, as JSON lines. Without PATH the applications of --execute run.\n" +
			"With dev the app is built anew and restarted whenever a file changes in the directory of PATH\n" +
			"or below it (packages elsewhere are not watched); calls in progress are finished first:\n" +
			"for a Go app or an executable built on this library --shutdown-timeout is then 1h unless it is set, and a\n" +
			"second Ctrl-C ends at once.\n" +
			"--loglevel LEVEL and --json work here too (see genesis --help).",
		HideHelpCommand: true, OnUsageError: badUsage,
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "host", EnvVars: []string{genesis.EnvAppHost}, Value: "127.0.0.1", Usage: "await FreeSWITCH on `ADDRESS`"},
			&cli.StringFlag{Name: "port", EnvVars: []string{genesis.EnvAppPort}, Value: "9000", Usage: "and on `PORT`; 0 picks a free one and logs it"},
			&cli.StringSliceFlag{Name: "allow", EnvVars: []string{genesis.EnvAllow}, DefaultText: "all", Usage: "let FreeSWITCH connect from `CIDR` only (repeatable)"},
			&cli.StringFlag{Name: "max-sessions", EnvVars: []string{genesis.EnvMaxSessions}, DefaultText: "20000; 1000 for a program, which is a process a call", Usage: "handle `N` calls at a time at most, turn away more"},
			&cli.StringFlag{Name: "max-rate", EnvVars: []string{genesis.EnvMaxRate}, DefaultText: "no bound", Usage: "take `N` new calls per second at most"},
			&cli.StringSliceFlag{Name: "execute", Usage: "run the dialplan application `APP[:ARGS]` (repeatable; default answer, then echo)"},
			&cli.BoolFlag{Name: "resume", DisableDefaultText: true, Usage: "go on in the dialplan when the program or the last application has ended, do not hang up"},
		}, serviceFlags()...),
		Action: runOutbound,
	}
}

func runOutbound(c *cli.Context) error {
	l, err := newLaunch(c, outboundMode)
	if err != nil {
		return err
	}
	defer l.close()
	if l.path != "" && c.IsSet("execute") {
		return usageError("--execute is what runs without PATH: one of the two is allowed")
	}
	switch {
	case l.path == "":
		steps, err := parseSteps(c.StringSlice("execute"))
		if err != nil {
			return err
		}
		return l.serve(c.Context, dialplan{steps: steps, resume: c.Bool("resume")})
	case l.hosted():
		return l.host(c.Context, &program.Outbound{
			Path: l.target.Path, Args: l.args, Version: versionText(), Resume: c.Bool("resume"),
		})
	case c.Bool("resume"):
		return usageError("--resume is not for an app built on this library: it resumes by itself")
	default:
		return l.child(c.Context)
	}
}

// dialplan is the built-in app: applications one after the other.
type dialplan struct {
	steps  []step
	resume bool
}

type step struct{ app, args string }

func parseSteps(texts []string) ([]step, error) {
	if len(texts) == 0 {
		return []step{{app: "answer"}, {app: "echo"}}, nil
	}
	var steps []step
	for _, text := range texts {
		app, args, _ := strings.Cut(text, ":")
		if app == "" {
			return nil, usageError("--execute %q: APP or APP:ARGS is allowed", text)
		}
		steps = append(steps, step{app, args})
	}
	return steps, nil
}

// HandleSession implements outbound.Handler.
func (d dialplan) HandleSession(ctx context.Context, s *outbound.Session) error {
	for _, step := range d.steps {
		if _, err := s.Execute(ctx, step.app, step.args); err != nil {
			return err
		}
	}
	if d.resume {
		return s.Resume(ctx)
	}
	return nil
}
