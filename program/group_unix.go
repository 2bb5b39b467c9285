//go:build unix

package program

import "syscall"

type signal = syscall.Signal

const (
	interrupt = syscall.SIGINT
	terminate = syscall.SIGTERM
	kill      = syscall.SIGKILL
)

func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// signalGroup signals a process group; one that is gone already is no error.
func signalGroup(leader int, s signal) { _ = syscall.Kill(-leader, s) }

// reapGroup waits for the processes of a group that has been killed and whose leader has been
// awaited. Those that the leader left behind are ours when we are the first process of a container,
// and nobody else would await them.
func reapGroup(leader int) {
	for {
		switch _, err := syscall.Wait4(-leader, nil, 0, nil); err {
		case nil, syscall.EINTR:
		default: // none is left that is ours
			return
		}
	}
}
