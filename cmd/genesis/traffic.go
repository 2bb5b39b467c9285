package main

import (
	"context"
	"net"
	"os"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/genesis-esl/genesis"
	"github.com/genesis-esl/genesis/esl/esltest"
)

// What --simulate offers: a call every two seconds that lasts three (with an outbound app six, and presses digits), and a
// HEARTBEAT often enough to be ready at once.
const (
	simulatedRate      = 0.5
	simulatedCall      = 3 * time.Second
	simulatedHeartbeat = time.Second
	simulatedAlways    = 100 * 365 * 24 * time.Hour
)

// aloneWithSimulator complains of flags that name another FreeSWITCH. Variables may: they are set for good, the flags are
// for this run.
func aloneWithSimulator(c *cli.Context) error {
	for _, flag := range c.Command.Flags {
		name, variables := flag.Names()[0], variablesOf(flag)
		if !slices.Contains([]string{"host", "port", "user", "password", "password-file"}, name) || !c.IsSet(name) {
			continue
		}
		if value, ok := os.LookupEnv(variables[0]); !ok || value != c.String(name) {
			return usageError("--%s and --simulate: the simulated FreeSWITCH is the one that is used", name)
		}
	}
	return nil
}

// simulateForConsumer starts a FreeSWITCH with calls and has the app connect to it.
func (l *launcher) simulateForConsumer() error {
	sim := esltest.NewUnstartedServer(esltest.Config{Heartbeat: simulatedHeartbeat})
	if err := sim.Start(); err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(sim.Addr())
	if err != nil {
		return err
	}
	l.settings[genesis.EnvHost], l.settings[genesis.EnvPort], l.settings[genesis.EnvPassword] = host, port, sim.Password()
	l.settings[genesis.EnvUser], l.settings[genesis.EnvPasswordFile] = "", ""
	stop := traffic(sim, esltest.CallConfig{To: "9196", HangupAfter: simulatedCall})
	l.cleanup = append(l.cleanup, stop)
	l.log.Info("simulating FreeSWITCH", "address", sim.Addr())
	return nil
}

// simulateForOutbound starts a FreeSWITCH that connects its calls to an outbound app. It ends with the launcher.
func (l *launcher) simulateForOutbound(addr string) error {
	sim := esltest.NewUnstartedServer(esltest.Config{})
	if err := sim.Start(); err != nil {
		return err
	}
	l.cleanup = append(l.cleanup, traffic(sim, esltest.CallConfig{
		Outbound: addr, Digits: "1000#", DigitDelay: 300 * time.Millisecond, HangupAfter: 2 * simulatedCall,
	}))
	l.log.Info("simulating FreeSWITCH", "calls", addr)
	return nil
}

// traffic makes calls until the function it returns is called, which ends the simulator too.
func traffic(sim *esltest.Server, call esltest.CallConfig) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = sim.Load(ctx, esltest.Load{Call: call, Rate: simulatedRate, Duration: simulatedAlways}) // what fails, the app tells
	}()
	return func() {
		cancel()
		sim.Close()
		<-done
	}
}
