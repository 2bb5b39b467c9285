package headroom

import (
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"testing"
)

// TestTake tries each case in a process of its own, for what is taken stays.
func TestTake(t *testing.T) {
	if os.Getenv("HEADROOM_TEST") != "" {
		report(t)
		return
	}
	for _, c := range []struct {
		name, env string
		want      bool
	}{
		{"by default", "", true},
		{"with GOGC", "GOGC=100", false},
		{"with SetGCPercent", "HEADROOM_PERCENT=200", false},
		{"with a low limit", "GOMEMLIMIT=64MiB", false},
		{"with a high limit", "GOMEMLIMIT=1GiB", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmd := exec.Command(os.Args[0], "-test.run=^TestTake$", "-test.v")
			for _, setting := range os.Environ() {
				if !strings.HasPrefix(setting, "GOGC=") && !strings.HasPrefix(setting, "GOMEMLIMIT=") {
					cmd.Env = append(cmd.Env, setting)
				}
			}
			cmd.Env = append(cmd.Env, "HEADROOM_TEST=1", c.env)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if want := "taken: " + strconv.FormatBool(c.want); !strings.Contains(string(out), want) {
				t.Errorf("not %q:\n%s", want, out)
			}
		})
	}
}

// report is the other process: what Take says is so.
func report(t *testing.T) {
	if percent, err := strconv.Atoi(os.Getenv("HEADROOM_PERCENT")); err == nil {
		debug.SetGCPercent(percent)
	}
	before := resident(t)
	taken := Take()
	t.Logf("taken: %v", taken)
	runtime.GC()
	goal := []metrics.Sample{{Name: "/gc/heap/goal:bytes"}}
	metrics.Read(goal)
	if got := goal[0].Value.Uint64(); taken != (got >= 2*size) {
		t.Errorf("taken is %v, and the heap is collected at %d bytes", taken, got)
	}
	if grown := resident(t) - before; grown >= size/2 {
		t.Errorf("the process takes %d bytes more of memory", grown)
	}
}

// resident returns the bytes of memory that this process takes; zero where the system
// does not tell in the way of Linux.
func resident(t *testing.T) int {
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		if runtime.GOOS == "linux" {
			t.Fatal(err)
		}
		return 0
	}
	pages, err := strconv.Atoi(strings.Fields(string(data))[1])
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}
