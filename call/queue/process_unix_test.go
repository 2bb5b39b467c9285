//go:build unix

package queue_test

import (
	"syscall"
	"testing"

	"github.com/genesis-esl/genesis/internal/testbed"
)

// TestStoppedProcess stops a holder for longer than its lease, as a suspended machine does: when it goes on, the first
// thing it is told is that the slot is lost.
func TestStoppedProcess(t *testing.T) {
	t.Parallel()
	server := testbed.StartRedis(t)
	holder := startProcess(t, "one", server.Addr, t.Name())
	holder.expect(t, "waiting")
	holder.expect(t, "held")
	next := startProcess(t, "one", server.Addr, t.Name())
	next.expect(t, "waiting")
	if err := holder.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	next.expect(t, "held")
	holder.tell() // asks for the slot's state as soon as it goes on
	if err := holder.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	holder.expect(t, "lost")
	next.tell()
	next.expect(t, "released")
}
