package program

import "sync"

// turns holds the commands of a process that wait to be carried out, one after the
// other. It lies between reading and carrying out, so that output, and commands
// that do not wait for their turn, are not held up by those that take long.
type turns struct {
	mu      sync.Mutex
	changed sync.Cond
	waiting []request
	size    int
	last    bool // the process has ended: nothing but what it left in its pipe can come
	closed  bool
	givenUp int
}

// Bounds of the commands that wait, in bytes of memory. A single one may take more.
const (
	// maxWaiting is when reading stops until some have been carried out.
	maxWaiting = 1 << 20
	// maxLeft is what may wait once the process has ended, when reading cannot
	// stop any more: a full pipe of the usual size fits, however short its lines.
	maxLeft = 8 << 20
	// requestSize is about what a request takes besides its text.
	requestSize = 256
)

func newTurns() *turns {
	t := new(turns)
	t.changed.L = &t.mu
	return t
}

// add appends a command. While many wait it blocks; once the process has ended it
// gives the command up instead, and reports false.
func (t *turns) add(r request) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for !t.last && t.size > 0 && t.size+r.size > maxWaiting {
		t.changed.Wait()
	}
	if t.last && t.size > 0 && t.size+r.size > maxLeft {
		t.givenUp++
		return false
	}
	t.waiting = append(t.waiting, r)
	t.size += r.size
	t.changed.Broadcast()
	return true
}

// next returns the command whose turn it is. It waits for one; false when there
// will be none.
func (t *turns) next() (request, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(t.waiting) == 0 && !t.closed {
		t.changed.Wait()
	}
	if len(t.waiting) == 0 {
		return request{}, false
	}
	r := t.waiting[0]
	t.waiting[0] = request{}
	t.waiting = t.waiting[1:]
	t.size -= r.size
	t.changed.Broadcast()
	return r, true
}

// ended says that the process has: add does not block any more.
func (t *turns) ended() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = true
	t.changed.Broadcast()
}

// close says that no more commands will come.
func (t *turns) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	t.changed.Broadcast()
}

// lost counts the commands that add gave up.
func (t *turns) lost() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.givenUp
}
