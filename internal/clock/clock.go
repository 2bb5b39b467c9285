// Package clock tells the time to those who ask a million times a second: what is timed
// around every event would cost a twentieth of the event. Where the kernel itself trusts
// the processor's counter of time, reading that takes a third of asking the kernel, and
// does not wait for all that the processor has begun before.
package clock

import (
	"math"
	"sync/atomic"
	"time"
)

// Now returns the time since the program started, of a clock that nobody can set. Between
// two readings on different processors it may be off by some nanoseconds, either way. It
// may be called from any goroutine.
func Now() time.Duration {
	if rate := perTick.Load(); rate != 0 {
		return time.Duration(float64(ticks()-firstTick) * math.Float64frombits(rate))
	}
	return asked()
}

var (
	began, firstTick = start()

	// perTick is the nanoseconds that the processor's counter takes for one, in the bits
	// of a float64; 0 as long as that is not known, or the counter is not to be trusted.
	perTick atomic.Uint64
)

func start() (time.Time, int64) { return time.Now(), ticks() }

// measured is how long the counter is held to the kernel's clock before it takes over: what
// the two readings may be apart is a millionth of it.
const measured = 100 * time.Millisecond

// asked asks the kernel, and learns from it how quick the counter is.
func asked() time.Duration {
	now, n := time.Since(began), ticks()-firstTick
	if now > measured && n > 0 && trusted() {
		perTick.CompareAndSwap(0, math.Float64bits(float64(now)/float64(n)))
	}
	return now
}
