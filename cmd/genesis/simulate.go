package main

import (
	"encoding/json"
	"fmt"
	"math"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/genesis-esl/genesis"
	"github.com/genesis-esl/genesis/esl/esltest"
	"github.com/genesis-esl/genesis/internal/recording"
)

func simulateCommand() *cli.Command {
	return &cli.Command{
		Name: "simulate", Usage: "be FreeSWITCH, for development and tests",
		UsageText: "genesis simulate [options]",
		Description: "Listens as FreeSWITCH's event socket does and answers like it. Calls come from a scenario file, or at a\n" +
			"steady rate: into the event stream, or to an outbound server (--outbound). Reports what became of them, the rate\n" +
			"achieved, and how late calls started that had to wait for their place (--concurrent).\n" +
			"With --replay it plays a recording, byte for byte, to each client that connects.\n" +
			"Faults: cut half-open stall split merge delay refuse acl wrong-password restart late-heartbeat no-heartbeat\n" +
			"lost-events garbage oversized, with settings as in --fault cut:events=100 or --fault stall:after=5s,for=2s.",
		HideHelpCommand: true, OnUsageError: badUsage,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "host", Value: "127.0.0.1", Usage: "listen on `ADDRESS`"},
			&cli.StringFlag{Name: "port", Value: "8021", Usage: "and on `PORT`; 0 picks a free one and logs it"},
			&cli.StringFlag{Name: "password", Value: "ClueCon", Usage: "ask for `PASSWORD`"},
			&cli.DurationFlag{Name: "heartbeat", Value: 20 * time.Second, Usage: "send a HEARTBEAT every `TIME`; 0 for none"},
			&cli.Float64Flag{Name: "calls-per-second", DefaultText: "10 with --calls, --duration or --outbound, else none", Usage: "start `N` calls per second"},
			&cli.DurationFlag{Name: "duration", DefaultText: "until stopped", Usage: "start calls for `TIME`, then report and end"},
			&cli.IntFlag{Name: "calls", DefaultText: "no bound", Usage: "start `N` calls (within --duration, if given), then report and end"},
			&cli.IntFlag{Name: "concurrent", DefaultText: "no bound", Usage: "have `N` calls at a time at most; others wait for their place"},
			&cli.DurationFlag{Name: "call-duration", Value: 3 * time.Second, Usage: "the caller hangs up after `TIME`, or 10s after the end of --calls or --duration"},
			&cli.StringFlag{Name: "outbound", Usage: "connect the calls to the outbound server at `HOST:PORT`"},
			&cli.StringFlag{Name: "to", Value: "9196", Usage: "dial `NUMBER`"},
			&cli.StringFlag{Name: "digits", Usage: "press `DIGITS` once answered"},
			&cli.StringFlag{Name: "scenario", Usage: "do what the YAML or JSON `FILE` says; examples/busy.yaml is one"},
			&cli.StringFlag{Name: "replay", Usage: "play the recording in `FILE` (may be gzipped)"},
			&cli.StringSliceFlag{Name: "fault", Usage: "do something wrong: `KIND[:SETTING,…]` (repeatable)"},
		},
		Action: simulate,
	}
}

func simulate(c *cli.Context) error {
	if c.NArg() > 0 {
		return usageError("simulate takes no argument, not %q", c.Args().First())
	}
	if err := checkSimulate(c); err != nil {
		return err
	}
	var faults []esltest.Fault
	for _, text := range c.StringSlice("fault") {
		fault, err := esltest.ParseFault(text)
		if err != nil {
			return usageError("--fault %q: %v", text, err)
		}
		faults = append(faults, fault)
	}
	if file := c.String("replay"); file != "" {
		return replay(c, file, faults)
	}
	cfg := esltest.Config{
		Addr: simulatorAddress(c), Password: c.String("password"), Heartbeat: c.Duration("heartbeat"),
		Faults: faults, Logger: settingsOf(c).logger(),
	}
	if cfg.Heartbeat == 0 {
		cfg.Heartbeat = -1
	}
	scenario, err := readScenario(c, &cfg)
	if err != nil {
		return err
	}
	sim := esltest.NewUnstartedServer(cfg)
	if err := sim.Start(); err != nil {
		return err
	}
	defer sim.Close()
	settingsOf(c).logger().Info("simulating FreeSWITCH", "address", sim.Addr())
	return drive(c, sim, scenario)
}

func replay(c *cli.Context, file string, faults []esltest.Fault) error {
	bytes, err := recording.Read(file)
	if err != nil {
		return usageError("--replay: %v", err)
	}
	l, err := net.Listen("tcp", simulatorAddress(c))
	if err != nil {
		return err
	}
	r, err := esltest.ServeReplay(l, bytes, faults...)
	if err != nil {
		_ = l.Close()
		return &genesis.ConfigError{Name: "--replay", Value: file, Err: err}
	}
	defer r.Close()
	settingsOf(c).logger().Info("replaying", "address", r.Addr(), "file", file)
	if addr := c.String("outbound"); addr != "" {
		return r.Dial(c.Context, addr)
	}
	<-c.Context.Done()
	return nil
}

func simulatorAddress(c *cli.Context) string {
	return net.JoinHostPort(c.String("host"), c.String("port"))
}

func readScenario(c *cli.Context, cfg *esltest.Config) (*esltest.Scenario, error) {
	file := c.String("scenario")
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, usageError("--scenario: %v", err)
	}
	scenario, err := esltest.ParseScenario(text)
	if err == nil {
		err = scenario.Configure(cfg)
	}
	if err != nil {
		return nil, &genesis.ConfigError{Name: "--scenario", Value: file, Err: err}
	}
	return scenario, nil
}

// checkSimulate says what is wrong with the flags, before anything is opened.
func checkSimulate(c *cli.Context) error {
	if n, err := strconv.Atoi(c.String("port")); err != nil || n < 0 || n > 65535 {
		return usageError("--port %q: not a port: 0 to 65535 is allowed", c.String("port"))
	}
	if rate := c.Float64("calls-per-second"); !(rate >= 0) || math.IsInf(rate, 0) {
		return usageError("--calls-per-second %v: a number that is not negative is allowed", rate)
	}
	for _, name := range []string{"calls", "concurrent"} {
		if n := c.Int(name); n < 0 {
			return usageError("--%s %d: a number that is not negative is allowed", name, n)
		}
	}
	for _, name := range []string{"duration", "call-duration", "heartbeat"} {
		if d := c.Duration(name); d < 0 {
			return usageError("--%s %v: a time that is not negative is allowed", name, d)
		}
	}
	if addr := c.String("outbound"); addr != "" {
		for one := range strings.SplitSeq(addr, "|") {
			_, port, err := net.SplitHostPort(one)
			if err == nil && port != "" {
				_, err = net.LookupPort("tcp", port)
			}
			if err != nil || port == "" {
				return usageError("--outbound %q: HOST:PORT is allowed", one)
			}
		}
	}
	if c.String("replay") != "" {
		for _, name := range []string{"scenario", "calls-per-second", "duration", "calls", "concurrent", "heartbeat"} {
			if c.IsSet(name) {
				return usageError("--replay plays what was recorded: --%s is not for it", name)
			}
		}
	}
	return nil
}

// drive has the calls happen that were asked for, and otherwise waits to be stopped.
func drive(c *cli.Context, sim *esltest.Server, scenario *esltest.Scenario) error {
	if scenario != nil {
		if err := scenario.Run(c.Context, sim); err != nil {
			return err
		}
	}
	rate, duration, calls := c.Float64("calls-per-second"), c.Duration("duration"), c.Int("calls")
	if rate > 0 || calls > 0 || duration > 0 || c.String("outbound") != "" {
		if duration == 0 && calls == 0 {
			duration = simulatedAlways
		}
		report, err := sim.Load(c.Context, esltest.Load{
			Rate: rate, Duration: duration, Calls: calls, Concurrent: c.Int("concurrent"),
			Call: esltest.CallConfig{
				To: c.String("to"), Outbound: c.String("outbound"), Digits: c.String("digits"), HangupAfter: c.Duration("call-duration"),
			},
		})
		if err != nil && c.Context.Err() == nil {
			return err
		}
		return show(c, report)
	}
	<-c.Context.Done()
	return nil
}

func show(c *cli.Context, report esltest.Report) error {
	if settingsOf(c).json() {
		return json.NewEncoder(c.App.Writer).Encode(report)
	}
	_, err := fmt.Fprintln(c.App.Writer, report)
	return err
}
