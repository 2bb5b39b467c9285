// Package headroom keeps the garbage collector from running a thousand times a second.
//
// Go collects when the heap has grown as much again as it held before, and at 4 MB at the soonest. A consumer holds
// next to nothing and allocates gigabytes a second while traffic is high: every millisecond a collection starts, and
// takes a third of the processor time there is. What is added here is room to grow that does not depend on how much is
// in use, as a larger GOGC would: twice 16 MB, however large the queues are.
package headroom

import (
	"os"
	"runtime/debug"
	"runtime/metrics"
	"sync"
)

// size is the memory that counts as used, in bytes. The heap grows by twice as much before it is collected.
const size = 16 << 20

// held is never written to, so that the system gives address space for it and no memory.
var held []byte

var once sync.Once

// Take takes the room for this process. Where somebody has decided about the collector, by GOGC or debug.SetGCPercent,
// or set a memory limit (GOMEMLIMIT) so low that the room would count, it does nothing. It reports whether the room is
// there.
func Take() bool {
	once.Do(func() {
		if undecided() && debug.SetMemoryLimit(-1) >= 16*size {
			held = make([]byte, size)
		}
	})
	return held != nil
}

// undecided reports whether the collector runs as Go has it.
func undecided() bool {
	percent := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	metrics.Read(percent)
	return os.Getenv("GOGC") == "" && percent[0].Value.Kind() == metrics.KindUint64 && percent[0].Value.Uint64() == 100
}
