package headroom

import (
	"fmt"
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
		name, env   string
		calm, flood int64 // bytes taken
	}{
		{"by default", "", Calm, Flood},
		{"with GOGC", "GOGC=100", 0, 0},
		{"with SetGCPercent", "HEADROOM_PERCENT=200", 0, 0},
		{"with a very low limit", "GOMEMLIMIT=15MiB", 0, 0},
		{"with a low limit", "GOMEMLIMIT=64MiB", 4 << 20, 4 << 20},
		{"with a limit", "GOMEMLIMIT=512MiB", Calm, 32 << 20},
		{"with a high limit", "GOMEMLIMIT=1GiB", Calm, Flood},
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
			most := containerLimit("/") / share // where the tests run
			if want := fmt.Sprintf("taken: %d, then %d", min(c.calm, most), min(c.flood, most)); !strings.Contains(string(out), want) {
				t.Errorf("not %q:\n%s", want, out)
			}
		})
	}
}

// report is the other process: what Take has taken is there, and takes no memory.
func report(t *testing.T) {
	if percent, err := strconv.Atoi(os.Getenv("HEADROOM_PERCENT")); err == nil {
		debug.SetGCPercent(percent)
	}
	before := churn(t)
	Take(Calm)
	calm := len(held) * piece
	Take(Flood)
	Take(Calm) // gives nothing back
	flood := len(held) * piece
	t.Logf("taken: %d, then %d", calm, flood)
	runtime.GC()
	goal := []metrics.Sample{{Name: "/gc/heap/goal:bytes"}}
	metrics.Read(goal)
	if got := goal[0].Value.Uint64(); got < 2*uint64(flood) {
		t.Errorf("%d bytes are taken, and the heap is collected at %d", flood, got)
	}
	if grown := resident(t) - before; grown >= max(2<<20, flood/2) {
		t.Errorf("the process takes %d bytes more of memory", grown)
	}
}

// churn leaves memory that has been used and is free: were it part of a single piece, all of that would be cleared. It
// returns what the process took with it.
func churn(t *testing.T) (most int) {
	used := make([]byte, 8<<20)
	for i := range used {
		used[i] = 1
	}
	most = resident(t)
	runtime.KeepAlive(used)
	used = nil
	runtime.GC()
	return most
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
