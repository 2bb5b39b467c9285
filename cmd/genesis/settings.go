package main

import (
	"cmp"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/genesis-esl/genesis"
	"github.com/genesis-esl/genesis/observability"
)

// settings are the flags given, as the variables they stand for: in this form they reach an app that runs in this
// process and one that runs in its own.
type settings map[string]string

// settingsOf takes what was given on the command line or in the environment. What is wrong with it, genesis says.
func settingsOf(c *cli.Context) settings {
	s := settings{}
	for _, flags := range [][]cli.Flag{c.App.Flags, c.Command.Flags} {
		for _, flag := range flags {
			name, variables := flag.Names()[0], variablesOf(flag)
			if len(variables) == 0 || !c.IsSet(name) {
				continue
			}
			if _, several := flag.(*cli.StringSliceFlag); several {
				s[variables[0]] = strings.Join(c.StringSlice(name), ",")
			} else {
				s[variables[0]] = c.String(name)
			}
		}
	}
	// What is false goes before its variable too.
	if c.IsSet("json") {
		if s[genesis.EnvLogFormat] = "text"; c.Bool("json") {
			s[genesis.EnvLogFormat] = "json"
		}
	}
	if c.IsSet("trace-event-headers") {
		s[genesis.EnvTraceEventHeaders] = strconv.FormatBool(c.Bool("trace-event-headers"))
	}
	return s
}

// json tells whether logs, events and reports are JSON lines.
func (s settings) json() bool {
	format, _ := s.lookup(genesis.EnvLogFormat)
	return strings.EqualFold(format, "json")
}

// variablesOf are the variables of a flag.
func variablesOf(flag cli.Flag) []string {
	if doc, ok := flag.(cli.DocGenerationFlag); ok {
		return doc.GetEnvVars()
	}
	return nil
}

// lookup is os.LookupEnv with the settings before the environment.
func (s settings) lookup(name string) (string, bool) {
	if value, ok := s[name]; ok {
		return value, true
	}
	return os.LookupEnv(name)
}

// or is lookup with a default; an empty variable counts as absent.
func (s settings) or(name, otherwise string) string {
	value, _ := s.lookup(name)
	return cmp.Or(value, otherwise)
}

// address is host:port of two variables.
func (s settings) address(host, port string) string {
	return net.JoinHostPort(s.or(host, ""), s.or(port, ""))
}

// environ is the environment with the settings, for another process.
func (s settings) environ() []string {
	env := os.Environ()
	for name, value := range s {
		env = append(env, name+"="+value)
	}
	return env
}

// logger logs to stderr, for what this process itself has to say. A level that is none is told by whoever runs the app.
func (s settings) logger() *slog.Logger {
	value, _ := s.lookup(genesis.EnvLogLevel)
	level, _ := observability.ParseLevel(value)
	return slog.New(observability.NewLogHandler(os.Stderr, observability.LogConfig{Level: level, JSON: s.json()}))
}

// serviceFlags are those of every command that runs an app.
func serviceFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "simulate", DisableDefaultText: true, Usage: "start a simulated FreeSWITCH with calls, and use that"},
		&cli.StringFlag{
			Name: "observability-host", EnvVars: []string{genesis.EnvObservabilityHost}, DefaultText: "all addresses",
			Usage: "serve /health, /ready and /metrics on `ADDRESS`",
		},
		&cli.StringFlag{
			Name: "observability-port", EnvVars: []string{genesis.EnvObservabilityPort}, Value: "8000",
			Usage: "and on `PORT`; 0 picks a free one and logs it",
		},
		&cli.StringFlag{
			Name: "observability-token-file", EnvVars: []string{genesis.EnvObservabilityTokenFile},
			Usage: "ask for the token in the first line of `FILE`, except for the probes",
		},
		&cli.StringFlag{
			Name: "shutdown-timeout", EnvVars: []string{genesis.EnvShutdownTimeout}, Value: "10s",
			Usage: "let handlers and calls finish for `TIME` when told to stop",
		},
		&cli.StringFlag{
			Name: "drain-delay", EnvVars: []string{genesis.EnvDrainDelay}, Value: "0s",
			Usage: "go on for `TIME` after /ready has turned 503, before closing anything",
		},
		&cli.BoolFlag{
			Name: "trace-event-headers", DisableDefaultText: true,
			Usage: "put the headers of events, phone numbers among them, into their spans [$" + genesis.EnvTraceEventHeaders + "]",
		},
	}
}
