package program_test

import (
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"
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
	losesNothingUnread(t, 6000, "roomy", "3000")
}
