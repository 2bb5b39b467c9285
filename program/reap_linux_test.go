package program_test

import (
	"context"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/genesis-esl/genesis/esl"
)

// TestWhatAProgramLeavesBehindIsAwaited has this process be what genesis is in a container: the one to which processes
// fall whose parent has ended. None of them stays a zombie.
func TestWhatAProgramLeavesBehindIsAwaited(t *testing.T) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0) })
	p := once(t, `sleep 1000 & echo $!; (sleep 1000 & echo $!; exec sleep 1000) & echo $!; sleep 0.1; exit 1`)
	var n notes
	p.Logger = n.logger()
	starts := starting(p)
	host(t, p, func(context.Context, esl.Handler) error {
		eventually(t, "another start", func() bool { return starts.Load() > 1 })
		return nil
	})
	left := n.lines("stdout")
	if len(left) != 3 {
		t.Fatalf("it left %q behind", left)
	}
	for _, pid := range left {
		eventually(t, "the end of "+pid, func() bool {
			_, err := os.Stat("/proc/" + pid)
			return os.IsNotExist(err)
		})
	}
}
