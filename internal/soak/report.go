package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/genesis-esl/genesis/call"
	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/esl/esltest"
)

// report is what was seen.
type report struct {
	began    time.Time
	ran      time.Duration
	known    *calls
	marks    *marks
	health   *health
	counters []*counter
	failed   atomic.Int64 // handlers that failed on purpose

	mu               sync.Mutex
	events           uint64
	ups, restarts    int
	missed           uint64
	missedUnknown    int
	started, refused int
	unanswered       int
	sessions, broken int
	lost             int // sessions that ended because FreeSWITCH or its connection went away
	faults           map[string]int
	errs             []error
	samples          []sample
	after            sample
}

func newReport() *report {
	return &report{began: time.Now(), known: newCalls(), marks: new(marks), health: newHealth(), faults: map[string]int{}}
}

type sample struct {
	at         time.Duration
	goroutines int
	files      int
	heap       uint64
}

func (r *report) event() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events++
}

func (r *report) up(up esl.Up) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ups++
	r.missed += up.MissedAtMost
	if up.MissedUnknown {
		r.missedUnknown++
	}
	if up.Restarted {
		r.restarts++
	}
}

func (r *report) calls(got esltest.Report) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.started += got.Started
	r.unanswered += got.Failed
	r.refused += got.Refused + got.Skipped
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
		r.keep(err)
	}
}

// wrong notes an error that must not be; nil is none.
func (r *report) wrong(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keep(err)
}

// keep keeps the first errors.
func (r *report) keep(err error) {
	if err != nil && len(r.errs) < 20 {
		r.errs = append(r.errs, fmt.Errorf("after %v: %w", time.Since(r.began).Round(time.Second), err))
	}
}

func (r *report) fault(name string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults[name]++
	if err != nil {
		r.keep(fmt.Errorf("%s: %w", name, err))
	}
}

// conclude waits for what is under way, when no more calls come, and compares the accounts.
func (r *report) conclude(sim *esltest.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute) // to notice a half-open connection takes one
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for r.known.open() > 0 && ctx.Err() == nil {
		<-tick.C
	}
	r.wrong(r.marks.conclude(ctx, sim))
	for _, c := range r.counters {
		r.wrong(c.all(ctx))
	}
	failed, err := r.health.metric("genesis_handler_errors_total")
	r.wrong(err)
	if int64(failed) != r.failed.Load() {
		r.wrong(fmt.Errorf("genesis_handler_errors_total is %v, %d handlers failed", failed, r.failed.Load()))
	}
	reconnects, err := r.health.metric("genesis_reconnects_total")
	r.wrong(err)
	r.mu.Lock()
	ups := r.ups
	r.mu.Unlock()
	if int(reconnects) != ups-1 {
		r.wrong(fmt.Errorf("genesis_reconnects_total is %v, the app was told of %d", reconnects, ups-1))
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
	return sample{at: time.Since(r.began), goroutines: runtime.NumGoroutine(), files: openFiles(), heap: m.HeapAlloc}
}

// openFiles counts file descriptors, without the one that it takes; 0 where the system does not tell.
func openFiles() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(entries) - 1
}

// settle measures at the end, when all goroutines have had time to end.
func (r *report) settle() {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for range 100 {
		if r.after = r.measure(); r.after.goroutines <= r.samples[0].goroutines && r.after.files <= r.samples[0].files+runtimeFiles {
			return
		}
		<-tick.C
	}
}

// slope is the growth per hour of a quantity over the second half of the samples, by least squares.
func (r *report) slope(of func(sample) float64) float64 {
	half := r.samples[len(r.samples)/2:]
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

// grows reports whether a quantity was, on average over the last quarter, more than half as large again as over the
// second, and by more than slack: the first quarter is for filling what has a bound.
func (r *report) grows(slack float64, of func(sample) float64) bool {
	quarter := len(r.samples) / 4
	if r.ran < tellingTime || quarter == 0 {
		return false
	}
	average := func(samples []sample) (sum float64) {
		for _, s := range samples {
			sum += of(s) / float64(len(samples))
		}
		return sum
	}
	before, after := average(r.samples[quarter:2*quarter]), average(r.samples[3*quarter:])
	return after > before*1.5 && after > before+slack
}

// growth is the slope in words.
func (r *report) growth(of func(sample) float64) string {
	if r.ran < tellingTime {
		return "too short to tell"
	}
	return fmt.Sprintf("%.1f", r.slope(of))
}

// tellingTime is the shortest run that says anything about growth: calls that wait for the end of a fault come and go.
const tellingTime = 10 * time.Minute

func heap(s sample) float64       { return mb(s.heap) }
func goroutines(s sample) float64 { return float64(s.goroutines) }
func files(s sample) float64      { return float64(s.files) }

// runtimeFiles are the descriptors that Go's own runtime opens once and keeps: epoll and its wake-up.
const runtimeFiles = 4

// complaints is what must not be.
func (r *report) complaints() []string {
	all := slices.Concat(r.known.complaints(), r.marks.complaints(), r.health.complaints())
	for _, c := range r.counters {
		all = append(all, c.complaints()...)
	}
	if r.events == 0 || r.sessions == 0 {
		all = append(all, "no events, or no sessions")
	}
	first := r.samples[0]
	if r.after.goroutines > first.goroutines {
		all = append(all, fmt.Sprintf("%d goroutines are left, there were %d", r.after.goroutines, first.goroutines))
	}
	if r.after.files > first.files+runtimeFiles {
		all = append(all, fmt.Sprintf("%d file descriptors are left, there were %d", r.after.files, first.files))
	}
	if r.grows(8, heap) || r.grows(100, goroutines) || r.grows(50, files) {
		all = append(all, "memory, goroutines or file descriptors grow")
	}
	for _, err := range r.errs {
		all = append(all, err.Error())
	}
	return all
}

func (r *report) print(w io.Writer) {
	middle, last := r.samples[len(r.samples)/2], r.samples[len(r.samples)-1]
	three := func(of func(sample) string) string { return of(middle) + ", " + of(last) + ", " + of(r.after) }
	rows := [][2]any{
		{"time", r.ran.Round(time.Second)},
		{"events handled", r.events},
		{"handled twice; out of order within a call", fmt.Sprint(r.known.wrong["events handled twice"], "; ", r.known.wrong["events out of order"])},
		{"reconnects", r.ups - 1},
		{"of these to a FreeSWITCH that had restarted", r.restarts},
		{"events of all kinds missed while disconnected, at most", r.missed},
		r.marks.row(),
		{"calls started; refused while FreeSWITCH was gone", fmt.Sprint(r.started, "; ", r.refused)},
		{"calls known to the consumer; known to have ended", fmt.Sprint(r.known.begun, "; ", r.known.ended)},
		{"of these begun, ended by comparison alone", fmt.Sprint(r.known.byComparison["new"], ", ", r.known.byComparison["ended"])},
		{"sessions served to the end; cut by a fault; failed", fmt.Sprint(r.sessions, "; ", r.lost, "; ", r.broken)},
		{"handlers made to fail, all counted in /metrics", r.failed.Load()},
		{"/health asked; rightly 503; wrong; without an answer", fmt.Sprint(r.health.asked, "; ", r.health.down, "; ", r.health.wrong, "; ", r.health.mute)},
	}
	for _, c := range r.counters {
		rows = append(rows, [2]any{"queue in " + c.name + ": slots given; most at once, of " + fmt.Sprint(slots) + "; lost",
			fmt.Sprint(c.given, "; ", c.most, "; ", c.lost)})
	}
	rows = append(rows,
		[2]any{"heap in MiB after a collection, at half time, at the end, when stopped", three(func(s sample) string { return fmt.Sprintf("%.1f", mb(s.heap)) })},
		[2]any{"goroutines, likewise", three(func(s sample) string { return fmt.Sprint(s.goroutines) })},
		[2]any{"file descriptors, likewise", three(func(s sample) string { return fmt.Sprint(s.files) })},
		[2]any{"growth per hour in the second half: heap in MiB", r.growth(heap)},
		[2]any{"growth per hour: goroutines", r.growth(goroutines)},
		[2]any{"growth per hour: file descriptors", r.growth(files)})
	for _, name := range slices.Sorted(maps.Keys(r.faults)) {
		rows = append(rows, [2]any{"fault: " + name, r.faults[name]})
	}
	fmt.Fprintln(w, "| | |\n| --- | --- |")
	for _, row := range rows {
		fmt.Fprintf(w, "| %v | %v |\n", row[0], row[1])
	}
	complaints := r.complaints()
	for _, complaint := range complaints {
		fmt.Fprintln(w, "\nWRONG:", complaint)
	}
	if len(complaints) == 0 {
		fmt.Fprintln(w, "\nEverything held.")
	}
}

func mb(bytes uint64) float64 { return float64(bytes) / (1 << 20) }
