package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/genesis-esl/genesis/call"
	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/esl/esltest"
)

// report is what was seen.
type report struct {
	began time.Time

	mu               sync.Mutex
	events, twice    uint64
	core             string
	seen             map[string]bool // sequences of the present core
	ups, restarts    int
	missed           uint64
	started, failed  int
	sessions, broken int
	lost             int // sessions that ended because FreeSWITCH or its connection went away
	faults           map[string]int
	errs             []error
	samples          []sample
	after            sample
}

type sample struct {
	at         time.Duration
	goroutines int
	heap       uint64
}

func (r *report) event(ev *esl.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events++
	if core := ev.Get("Core-UUID"); core != r.core || r.seen == nil || len(r.seen) > 1_000_000 {
		r.core, r.seen = core, map[string]bool{}
	}
	key := strings.Clone(ev.Get("Event-Sequence"))
	if r.seen[key] {
		r.twice++
	}
	r.seen[key] = true
}

func (r *report) up(up esl.Up) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ups++
	r.missed += up.MissedAtMost
	if up.Restarted {
		r.restarts++
	}
}

func (r *report) calls(got esltest.Report) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.started += got.Started
	r.failed += got.Failed
}

func (r *report) session(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var hangup *call.HangupError
	switch {
	case err == nil:
		r.sessions++
	case errors.Is(err, esl.ErrDisconnected), errors.As(err, &hangup):
		r.lost++
	default:
		r.broken++
		r.errs = append(r.errs, err)
	}
}

func (r *report) fault(name string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.faults == nil {
		r.faults = map[string]int{}
	}
	r.faults[name]++
	if err != nil {
		r.errs = append(r.errs, fmt.Errorf("%s: %w", name, err))
	}
}

// sample measures what is in use, without the garbage.
func (r *report) sample() {
	s := r.measure()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.samples = append(r.samples, s)
}

func (r *report) measure() sample {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return sample{at: time.Since(r.began), goroutines: runtime.NumGoroutine(), heap: m.HeapAlloc}
}

// settle measures at the end, when all goroutines have had time to end.
func (r *report) settle() {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for range 100 {
		if r.after = r.measure(); r.after.goroutines <= r.samples[0].goroutines {
			return
		}
		<-tick.C
	}
}

// slope is the growth per hour of a quantity over the second half of the samples, by least squares.
func (r *report) slope(of func(sample) float64) float64 {
	half := r.samples[len(r.samples)/2:]
	if len(half) < 2 {
		return 0
	}
	var x, y, xx, xy float64
	for _, s := range half {
		h, v := s.at.Hours(), of(s)
		x, y, xx, xy = x+h, y+v, xx+h*h, xy+h*v
	}
	n := float64(len(half))
	if d := n*xx - x*x; d > 0 {
		return (n*xy - x*y) / d
	}
	return 0
}

// complaints is what must not be.
func (r *report) complaints() []string {
	var all []string
	if r.twice > 0 {
		all = append(all, fmt.Sprintf("%d events were handled twice", r.twice))
	}
	if r.events == 0 || r.sessions == 0 {
		all = append(all, "no events, or no sessions")
	}
	if r.after.goroutines > r.samples[0].goroutines {
		all = append(all, fmt.Sprintf("%d goroutines are left, there were %d", r.after.goroutines, r.samples[0].goroutines))
	}
	for _, err := range r.errs {
		all = append(all, err.Error())
	}
	return all
}

func (r *report) print(w io.Writer) {
	mid := r.samples[len(r.samples)/2]
	last := r.samples[len(r.samples)-1]
	rows := [][2]any{
		{"time", time.Since(r.began).Round(time.Second)},
		{"events handled", r.events},
		{"handled twice", r.twice},
		{"connections made", r.ups},
		{"FreeSWITCH restarts noticed", r.restarts},
		{"events missed while disconnected, at most", r.missed},
		{"calls started", r.started},
		{"calls never answered", r.failed},
		{"sessions served to the end", r.sessions},
		{"sessions cut by a fault", r.lost},
		{"sessions failed otherwise", r.broken},
		{"goroutines at half time, at the end, when stopped", fmt.Sprint(mid.goroutines, ", ", last.goroutines, ", ", r.after.goroutines)},
		{"goroutines, growth per hour", fmt.Sprintf("%.1f", r.slope(func(s sample) float64 { return float64(s.goroutines) }))},
		{"heap MB at half time, at the end, when stopped", fmt.Sprintf("%.1f, %.1f, %.1f", mb(mid.heap), mb(last.heap), mb(r.after.heap))},
		{"heap MB, growth per hour", fmt.Sprintf("%.1f", r.slope(func(s sample) float64 { return mb(s.heap) }))},
	}
	for _, name := range slices.Sorted(maps.Keys(r.faults)) {
		rows = append(rows, [2]any{"fault: " + name, r.faults[name]})
	}
	fmt.Fprintln(w, "| | |\n| --- | --- |")
	for _, row := range rows {
		fmt.Fprintf(w, "| %v | %v |\n", row[0], row[1])
	}
	for _, complaint := range r.complaints() {
		fmt.Fprintln(w, "\nWRONG:", complaint)
	}
}

func mb(bytes uint64) float64 { return float64(bytes) / (1 << 20) }
