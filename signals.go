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
func Signals(parent context.Context) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		for asked := false; ; asked = true {
			select {
			case <-signals:
			case <-done:
				return
			}
			if asked {
				program.KillAll()
				os.Exit(ExitFailure)
			}
			cancel()
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel()
		close(done)
	}
}
