package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

const (
	callsAtOnce = 200
	callsHeld   = 10_000
)

// compareSessions measures calls that connect, are answered and hung up.
func compareSessions(ctx context.Context, s settings) error {
	fs, err := start("freeswitch", s.testdata, 1)
	if err != nil {
		return err
	}
	defer fs.stop()
	roles := []string{"server-canned", "server-ours", "server-eslgo"}
	rates, costs, failures := map[string]samples{}, map[string]samples{}, map[string]int{}
	calls := map[string]int{}
	for round := -1; round < s.rounds; round++ {
		for _, role := range roles {
			if err := ctx.Err(); err != nil {
				return err
			}
			n := max(2*callsAtOnce, calls[role])
			rate, cost, err := callRate(fs, role, s.testdata, n)
			switch {
			case err != nil:
				failures[role]++
				fmt.Printf("%s: %v\n", role, err)
			case round < 0:
				calls[role] = int(rate * s.each.Seconds())
			default:
				rates[role] = append(rates[role], rate)
				costs[role] = append(costs[role], cost)
			}
		}
	}
	var t table
	t.row(fmt.Sprintf("calls, %d at once", callsAtOnce), "calls/s", "noise", "of canned bytes", "of eslgo", "CPU µs/call", "failed runs")
	for i, name := range []string{"canned bytes, nothing parsed", "outbound.Server", "eslgo"} {
		rate := rates[roles[i]].median()
		t.row(name, number(rate), fmt.Sprintf("±%.0f%%", 100*rates[roles[i]].spread()),
			percent(rate, rates[roles[0]].median()), times(rate, rates[roles[2]].median()),
			number(costs[roles[i]].median()), strconv.Itoa(failures[roles[i]]))
	}
	t.print()
	if s.short {
		return nil
	}
	return holdSessions(fs, s)
}

// callRate has n calls made to a fresh server. It returns calls a second and the
// microseconds of processor time that the server takes for one.
func callRate(fs *process, role, testdata string, n int) (rate, cost float64, err error) {
	server, err := start(role, testdata, 0)
	if err != nil {
		return 0, 0, err
	}
	defer server.stop()
	before := usedBy(server.cmd.Process.Pid)
	if err := fs.order("calls %s %d %d", server.addr, n, callsAtOnce); err != nil {
		return 0, 0, err
	}
	answer, err := fs.answer()
	if err != nil {
		return 0, 0, err
	}
	used := usedBy(server.cmd.Process.Pid) - before
	seconds, err := strconv.ParseFloat(answer, 64)
	return float64(n) / seconds, float64(used.Microseconds()) / float64(n), err
}

// holdSessions measures the memory of many calls that do nothing.
func holdSessions(fs *process, s settings) error {
	server, err := start("server-holding", s.testdata, 0)
	if err != nil {
		return err
	}
	defer server.stop()
	idle := residentMemory(server.cmd.Process.Pid)
	begun := time.Now()
	if err := fs.order("hold %s %d", server.addr, callsHeld); err != nil {
		return err
	}
	if _, err := fs.answer(); err != nil {
		return err
	}
	took := time.Since(begun)
	held := residentMemory(server.cmd.Process.Pid)
	fmt.Printf("\n%s calls held at once: %.0f MB resident in the server (%.0f MB before), %.1f KB a call, after %.1f s.\n",
		number(callsHeld), held/1e6, idle/1e6, (held-idle)/callsHeld/1e3, took.Seconds())
	return nil
}

// residentMemory returns the bytes of memory that a process takes, where /proc tells.
func residentMemory(pid int) float64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	kilobytes, _ := strconv.ParseFloat(fields[0], 64)
	return kilobytes * 1024
}
