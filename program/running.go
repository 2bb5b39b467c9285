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

// KillAll kills every program that this process hosts, with all of its process
// group, and lets none start any more. It is for somebody who exits at once, waiting
// for nothing: a program that does not read its stdin would not notice. Safe for
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
