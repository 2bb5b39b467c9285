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

// Signals returns a context for RunContext that ends with the first SIGINT or SIGTERM. A
// second signal, at least 200 ms later, kills the programs that the process hosts and ends
// the process at once, with ExitFailure. A signal that comes sooner belongs to the first
// one: timeout(1), and a supervisor that signals all processes of a service, send two
// signals for one request to stop. stop gives signals their default behaviour back.
//
// The context also ends with SIGHUP, which comes when the terminal is closed, unless the
// process was started with SIGHUP ignored, as by nohup. And it ends when the reader of
// stdout has gone, as head does when it has seen enough. Neither counts as a second
// signal, because the terminal and its shell both send SIGHUP. When only the reader of
// stderr has gone, the log is lost and nothing ends.
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
