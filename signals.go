package genesis

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/genesis-esl/genesis/program"
)

// Signals returns a context that ends with the first SIGINT or SIGTERM, for
// RunContext. A second signal ends the process at once, with ExitFailure, and kills
// the programs it hosts: it is never lost, however soon it comes. Call stop to have
// signals do what they do by default again.
//
// The context also ends with SIGHUP, when the terminal is closed, unless the process
// was started with that ignored, as nohup does; and when whoever read stdout has left,
// as head does when it has seen enough. Neither counts as a second signal: the terminal
// and its shell both send SIGHUP. A log that nobody reads any more, on stderr alone,
// ends nothing.
func Signals(parent context.Context) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	// Without this a line to a broken stdout or stderr kills the process, in the middle of its calls. It has a channel of
	// its own: a socket can break at any time, and must not push out a signal that somebody sent.
	broken := make(chan os.Signal, 1)
	signal.Notify(broken, syscall.SIGPIPE)
	hangup := make(chan os.Signal, 1)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(hangup, syscall.SIGHUP)
	}
	done := make(chan struct{})
	go func() {
		for asked := false; ; {
			select {
			case <-broken:
				if stdoutBroken() {
					cancel()
				}
				continue
			case <-hangup:
				cancel()
				continue
			case <-signals:
			case <-done:
				return
			}
			if asked {
				program.KillAll()
				os.Exit(ExitFailure)
			}
			asked = true
			cancel()
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		signal.Stop(broken)
		signal.Stop(hangup)
		cancel()
		close(done)
	}
}
