package testbed

import (
	"fmt"
	"runtime"
	"testing"
)

// OnProcessors runs a test as a subtest for each of these numbers of processors that Go code may use. The numbers hold for
// the whole process, so the test must not be parallel.
func OnProcessors(t *testing.T, test func(t *testing.T), numbers ...int) {
	t.Helper()
	for _, n := range numbers {
		t.Run(fmt.Sprintf("processors=%d", n), func(t *testing.T) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(n))
			test(t)
		})
	}
}
