package program_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/genesis-esl/genesis/esl"
)

// roomy makes a pipe as large as anybody may.
func roomy(pipe *os.File) {
	if _, err := unix.FcntlInt(pipe.Fd(), unix.F_SETPIPE_SZ, 1<<20); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// TestLargerPipeLosesNothingUnread is TestCrashLosesNothingUnread with a program that
// makes its stdin hold more than usual, and dies while much lies there.
func TestLargerPipeLosesNothingUnread(t *testing.T) {
	const events = 6000
	file := journal(t)
	p := actor(t, "roomy", file, "3000")
	p.Backoff = time.Millisecond
	host(t, p, func(ctx context.Context, h esl.Handler) error {
		if err := feed(events, 50)(ctx, h); err != nil {
			return err
		}
		eventually(t, "all events", func() bool { return len(entries(t, file)) == events })
		return nil
	})
	checkOnce(t, entries(t, file), events)
}
