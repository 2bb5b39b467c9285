package program

import "sync"

// gate counts what is under way and tells when nothing is.
type gate struct {
	mu   sync.Mutex
	n    int
	idle chan struct{} // closed when n falls to zero
}

func (g *gate) enter() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.n++; g.n == 1 {
		g.idle = make(chan struct{})
	}
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.n--; g.n == 0 {
		close(g.idle)
	}
}

// wait returns a channel that is closed once nothing is under way of what is now.
func (g *gate) wait() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.n == 0 {
		none := make(chan struct{})
		close(none)
		return none
	}
	return g.idle
}
