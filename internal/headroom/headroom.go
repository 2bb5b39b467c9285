// Package headroom keeps the garbage collector from running a thousand times a second.
//
// Go collects when the heap has grown as much again as it held before, and at 4 MB at the soonest. A consumer holds
// next to nothing and allocates gigabytes a second while traffic is high: every millisecond a collection starts, and
// takes a third of the processor time there is. What is added here is room to grow that does not depend on how much is
// in use, as a larger GOGC would. It is memory that counts as used and never is: the heap grows by as much more before
// it is collected.
package headroom

import (
	"os"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"sync/atomic"
)

// How much room to take, in bytes.
const (
	Calm  = 16 << 20 // as a program starts: enough for thousands of events a second
	Flood = 64 << 20 // while events come as fast as they are taken
)

const (
	piece = 1 << 20
	share = 16 // of the memory that the process may take, at most one in so many
)

var (
	asked atomic.Int64 // the most that was asked for

	mu sync.Mutex
	// held is never written to, so that the system gives address space for it and no memory. Go clears what it allocates
	// if any of it was used before, so it comes in pieces, of which all but a few were not.
	held [][]byte
)

// Take sees that this process has so much room, or the sixteenth part of the memory that it may take, by GOMEMLIMIT or
// as a container, if that is less. Where that is next to nothing, or somebody has decided about the collector, by GOGC
// or debug.SetGCPercent, it does nothing. What was taken stays.
func Take(room int) {
	if asked.Load() >= int64(room) {
		return
	}
	mu.Lock()
	defer mu.Unlock()
	if asked.Load() >= int64(room) {
		return
	}
	asked.Store(int64(room))
	if !undecided() {
		return
	}
	for pieces := min(int64(room), allowed()/share) / piece; int64(len(held)) < pieces; {
		held = append(held, make([]byte, piece))
	}
}

// allowed returns how much memory this process may take, in bytes.
func allowed() int64 { return min(debug.SetMemoryLimit(-1), containerLimit("/")) }

// undecided reports whether the collector runs as Go has it.
func undecided() bool {
	percent := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	metrics.Read(percent)
	return os.Getenv("GOGC") == "" && percent[0].Value.Kind() == metrics.KindUint64 && percent[0].Value.Uint64() == 100
}
