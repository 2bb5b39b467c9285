package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	callsAtOnce = 200
	callsHeld   = 10_000
)

// answerer is a server under test and what was measured of it.
type answerer struct {
	name, role string
	processors int // 0: all

	calls    int // in a measurement, so that it lasts as long as it should
	rates    samples
	costs    samples // microseconds of processor time a call
	failures int
}

// compareSessions measures calls that connect, are answered and hung up: by servers that
// have one processor, so that on a machine with two the other end does not take from what
// they have, and by servers that share all.
func compareSessions(ctx context.Context, s settings) error {
	fs, err := start("freeswitch", s.testdata, 1)
	if err != nil {
		return err
	}
	defer fs.stop()
	var servers []*answerer
	for _, processors := range []int{1, 0} {
		servers = append(servers,
			&answerer{name: "canned bytes, nothing parsed", role: "server-canned", processors: processors},
			&answerer{name: "outbound.Server", role: "server-ours", processors: processors},
			&answerer{name: "eslgo", role: eslgoServer, processors: processors})
	}
	for round := -1; round < s.rounds; round++ {
		for _, server := range servers {
			if err := ctx.Err(); err != nil {
				return err
			}
			server.measure(fs, s, round < 0)
		}
	}
	var t table
	t.row(fmt.Sprintf("calls, %d at once", callsAtOnce), "processors", "calls/s", "noise", "of canned bytes", "of eslgo",
		"CPU µs/call", "failed runs")
	for group := range slices.Chunk(servers, 3) {
		canned, theirs := group[0].rates, group[2].rates
		for _, server := range group {
			processors := "1"
			if server.processors == 0 {
				processors = fmt.Sprintf("all %d", runtime.NumCPU())
			}
			t.row(server.name, processors, number(server.rates.median()), server.rates.noise(),
				percent(server.rates, canned), times(server.rates, theirs),
				number(server.costs.median()), strconv.Itoa(server.failures))
		}
	}
	t.print()
	if s.short {
		return nil
	}
	return holdSessions(fs, s)
}

// measure measures a server once; the first time says how many calls fill the time.
func (a *answerer) measure(fs *process, s settings, first bool) {
	rate, cost, err := a.callRate(fs, s.testdata, max(2*callsAtOnce, a.calls))
	switch {
	case err != nil:
		a.failures++
		fmt.Printf("%s: %v\n", a.role, err)
		if !first {
			a.rates, a.costs = append(a.rates, math.NaN()), append(a.costs, math.NaN())
		}
	case first:
		a.calls = int(rate * s.each.Seconds())
	default:
		a.rates = append(a.rates, rate)
		a.costs = append(a.costs, cost)
	}
}

// callRate has n calls made to a fresh server. It returns calls a second and the
// microseconds of processor time that the server takes for one.
func (a *answerer) callRate(fs *process, testdata string, n int) (rate, cost float64, err error) {
	server, err := start(a.role, testdata, a.processors)
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
	if used <= 0 {
		return 0, 0, errors.New("the server ended with its last call")
	}
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
