//go:build !unix

package program

import (
	"os"
	"syscall"
)

type signal int

const (
	interrupt signal = iota
	terminate
	kill
)

func ownGroup() *syscall.SysProcAttr { return nil }

// signalGroup ends the process where there are neither signals nor groups.
func signalGroup(leader int, s signal) {
	if s != kill {
		return
	}
	if p, err := os.FindProcess(leader); err == nil {
		_ = p.Kill()
	}
}

// reapGroup does nothing: processes are nobody's children here.
func reapGroup(int) {}
