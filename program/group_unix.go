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
