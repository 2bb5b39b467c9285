package clock

import (
	"sync"
	"testing"
	"time"
)

// TestNowKeepsTime holds the clock to the kernel's, from before the counter takes over
// until well after, on several goroutines.
func TestNowKeepsTime(t *testing.T) {
	const lasts = 4 * measured
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			last := Now()
			for first := time.Since(began); ; {
				before := time.Since(began)
				now := Now()
				after := time.Since(began)
				if now < last-time.Microsecond {
					t.Errorf("%v came after %v", now, last)
					return
				}
				// What the kernel does to this thread in between is not the clock's fault.
				if slip := time.Duration(float64(after) * 1e-3); now < before-slip || now > after+slip {
					t.Errorf("%v, but it was between %v and %v", now, before, after)
					return
				}
				if last = now; after-first > lasts {
					return
				}
			}
		})
	}
	all.Wait()
	if trusted() != (perTick.Load() != 0) {
		t.Errorf("trusted is %v, and the counter's rate %x", trusted(), perTick.Load())
	}
}

func BenchmarkNow(b *testing.B) {
	for b.Loop() {
		Now()
	}
}

func BenchmarkKernel(b *testing.B) {
	for b.Loop() {
		time.Since(began)
	}
}
