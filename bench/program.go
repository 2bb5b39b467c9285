package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// measureProgram measures the command line program: its size, how long it takes
// from its start to the first event, and what it does when there is nothing to do.
func measureProgram(ctx context.Context, s settings) error {
	dir, err := os.MkdirTemp("", "genesis-bench")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary := filepath.Join(dir, "genesis")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", binary, "./cmd/genesis")
	build.Dir, build.Env = "..", append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w: %s", err, out)
	}
	info, err := os.Stat(binary)
	if err != nil {
		return err
	}
	fs, err := start("freeswitch", s.testdata, 1)
	if err != nil {
		return err
	}
	defer fs.stop()
	if err := fs.order("eager"); err != nil {
		return err
	}
	var starts, idle samples
	for round := range s.rounds + 1 {
		watch := time.Duration(0)
		if round == s.rounds && !s.short {
			watch = 10 * time.Second
		}
		first, busy, err := runConsumer(ctx, binary, fs.addr, watch)
		if err != nil {
			return err
		}
		if round > 0 {
			starts = append(starts, float64(first.Microseconds())/1e3)
		}
		if watch > 0 {
			idle = append(idle, 100*busy.Seconds()/watch.Seconds())
		}
	}
	var t table
	t.row("genesis consumer", "measured", "noise")
	t.row("start to the first event printed", fmt.Sprintf("%.0f ms", starts.median()), starts.noise())
	t.row("size of the program", fmt.Sprintf("%.1f MB", float64(info.Size())/1e6), "")
	if len(idle) > 0 {
		busy := "not told here"
		if idle.median() > 0 {
			busy = fmt.Sprintf("%.3f%%", idle.median())
		}
		t.row("processor time when idle", busy, "")
	}
	t.print()
	return nil
}

// runConsumer starts the program and returns when it has printed an event; then it
// watches what it does for a while without any.
func runConsumer(ctx context.Context, binary, addr string, watch time.Duration) (first, busy time.Duration, err error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return 0, 0, err
	}
	cmd := exec.CommandContext(ctx, binary, "--json", "consumer", "--host", host, "--port", port, "--observability-port", "0")
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, 0, err
	}
	begun := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, 0, err
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		return 0, 0, fmt.Errorf("genesis consumer printed no event: %w", err)
	}
	first = time.Since(begun)
	if watch == 0 {
		return first, 0, nil
	}
	time.Sleep(time.Second) // what is left of the start
	before := usedBy(cmd.Process.Pid)
	time.Sleep(watch)
	return first, usedBy(cmd.Process.Pid) - before, nil
}

// usedBy returns the processor time of a process, where /proc tells: that of all its
// threads, to the nanosecond.
func usedBy(pid int) time.Duration {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil {
		return 0
	}
	var used time.Duration
	for _, thread := range threads {
		stat, err := os.ReadFile(thread)
		if err != nil {
			continue // it has ended
		}
		running, _, _ := strings.Cut(string(stat), " ")
		nanoseconds, _ := strconv.ParseInt(running, 10, 64)
		used += time.Duration(nanoseconds)
	}
	return used
}
