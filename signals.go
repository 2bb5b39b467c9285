package genesis

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/genesis-esl/genesis/program"
)

// oneRequest is how far apart the signals of one request to stop may be.
const oneRequest = 200 * time.Millisecond

// Signals returns a context that ends with the first SIGINT or SIGTERM, for
// RunContext. A second signal, 200 ms later at the soonest, ends the process at once, with
// ExitFailure, and kills the programs it hosts. What comes sooner belongs to the first:
// timeout(1), and a supervisor that signals all processes of a service, make two of one
// request to stop. Call stop to have signals do what they do by default again.
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
		for asked := (time.Time{}); ; {
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
			switch {
			case asked.IsZero():
				asked = time.Now()
				cancel()
			case time.Since(asked) >= oneRequest:
				program.KillAll()
				os.Exit(ExitFailure)
			}
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
