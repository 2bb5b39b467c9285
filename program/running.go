package program

import (
	"errors"
	"sync"
)

// running are all programs that run, whoever hosts them.
var running = struct {
	sync.RWMutex          // held for reading while a program starts
	programs     sync.Map // of *process
	over         bool
}{}

var errOver = errors.New("everything is being ended")

// KillAll kills every program that this process hosts, each with its whole process
// group, and prevents further ones from starting. It is for a process that exits at
// once: a program that does not read its stdin would not notice. It is safe for
// concurrent use.
func KillAll() {
	running.Lock()
	defer running.Unlock()
	running.over = true
	running.programs.Range(func(p, _ any) bool {
		signalGroup(p.(*process).pid(), kill)
		return true
	})
}
