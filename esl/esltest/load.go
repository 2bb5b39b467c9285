package esltest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"
)

// Load describes a stream of calls, to find out what an app can take.
type Load struct {
	// Call describes each call. With Call.Outbound every call goes to that outbound
	// server; without it the calls run the dialplan (or Call.Actions), and their
	// events go to all clients. UUID must be empty.
	Call CallConfig
	// Rate is how many calls are due per second. Default 10.
	Rate float64
	// Duration is for how long calls are started. Default 10 s, or with Calls as long as
	// it takes.
	Duration time.Duration
	// Calls, when set, is how many calls are started, unless Duration ends
	// first.
	Calls int
	// Concurrent bounds the calls at a time; beyond it, a call that is due waits until
	// another one has ended, and counts as late. Default: no bound.
	Concurrent int
	// Drain is how long to wait for the last calls to end before they are hung
	// up. Default 10 s.
	Drain time.Duration
	// Progress, when set, is called once a second with what has happened so
	// far, on the goroutine that runs the load.
	Progress func(Report)
}

// Report is the result of a Load.
type Report struct {
	// Started, Answered and Ended count calls. Failed are those that ended
	// without ever having been answered; Skipped still waited for their place
	// among Load.Concurrent when Load.Duration or ctx ended; Refused could not
	// be started: too many sessions, or a server between Stop and Resume.
	Started  int `json:"started"`
	Answered int `json:"answered"`
	Ended    int `json:"ended"`
	Failed   int `json:"failed"`
	Skipped  int `json:"skipped"`
	Refused  int `json:"refused"`
	// Cut are the calls that were hung up because Load.Drain had passed.
	Cut int `json:"cut"`
	// Peak is the largest number of calls at once.
	Peak int `json:"peak"`
	// Elapsed is the time from the start of the first call to the end of the last.
	Elapsed time.Duration `json:"elapsed_ns"`
	// Rate is the number of calls started per second, over the time during which calls
	// were started or waited for their place; Wanted is Load.Rate.
	Rate   float64 `json:"calls_per_second"`
	Wanted float64 `json:"wanted_per_second"`
	// Causes counts hangup causes.
	Causes map[string]int `json:"causes"`
	// Answer is the time from a call's start to its answer, Duration the time to its
	// end.
	Answer   Latency `json:"answer"`
	Duration Latency `json:"duration"`
	// Late is the time from when a call was due by Load.Rate to its start: a few
	// milliseconds, unless Load.Concurrent or the processor made it wait.
	Late Latency `json:"late"`
}

// Latency is a distribution of times, in nanoseconds in JSON.
type Latency struct {
	Count int           `json:"count"`
	Mean  time.Duration `json:"mean_ns"`
	P50   time.Duration `json:"p50_ns"`
	P90   time.Duration `json:"p90_ns"`
	P99   time.Duration `json:"p99_ns"`
	Max   time.Duration `json:"max_ns"`
}

func latency(times []time.Duration) Latency {
	if len(times) == 0 {
		return Latency{}
	}
	sorted := slices.Clone(times)
	slices.Sort(sorted)
	sum := time.Duration(0)
	for _, d := range sorted {
		sum += d
	}
	at := func(p int) time.Duration { return sorted[min(len(sorted)*p/100, len(sorted)-1)] }
	return Latency{len(sorted), sum / time.Duration(len(sorted)), at(50), at(90), at(99), sorted[len(sorted)-1]}
}

// String returns the report as text for people.
func (r Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d calls in %v (%.1f per second, %.1f wanted), at most %d at once\n",
		r.Started, r.Elapsed.Round(time.Millisecond), r.Rate, r.Wanted, r.Peak)
	fmt.Fprintf(&b, "answered %d, failed %d, ended %d, hung up at the end %d", r.Answered, r.Failed, r.Ended, r.Cut)
	if r.Skipped+r.Refused > 0 {
		fmt.Fprintf(&b, ", left waiting %d, refused %d", r.Skipped, r.Refused)
	}
	b.WriteByte('\n')
	for _, l := range []struct {
		name string
		Latency
	}{{"started late by", r.Late}, {"answered after", r.Answer}, {"ended after", r.Duration}} {
		if l.Count > 0 {
			fmt.Fprintf(&b, "%-15s p50 %v  p90 %v  p99 %v  max %v\n", l.name, round(l.P50), round(l.P90), round(l.P99), round(l.Max))
		}
	}
	for _, cause := range slices.Sorted(maps.Keys(r.Causes)) {
		fmt.Fprintf(&b, "%-15s %d\n", cause, r.Causes[cause])
	}
	return b.String()
}

func round(d time.Duration) time.Duration {
	switch {
	case d > time.Second:
		return d.Round(time.Millisecond)
	case d > time.Millisecond:
		return d.Round(10 * time.Microsecond)
	}
	return d.Round(time.Microsecond)
}

// tally gathers what becomes of the calls of a load.
type tally struct {
	mu        sync.Mutex
	report    Report
	live      map[*channel]struct{}
	lates     []time.Duration
	answers   []time.Duration
	durations []time.Duration
	begun     time.Time
	lastTurn  time.Time     // when the last call was started or given up
	freed     chan struct{} // gets a value when a call has ended
}

// Load starts calls as l says and reports what became of them. It returns when all
// have ended. When ctx ends, it starts no more calls, hangs up the remaining ones,
// and reports what has happened; that is no error. Between Stop and Resume calls
// are refused, as by a FreeSWITCH that restarts; before Start and after Close, Load
// returns an error.
func (s *Server) Load(ctx context.Context, l Load) (Report, error) {
	if l.Call.UUID != "" {
		return Report{}, errors.New("esltest: the calls of a load cannot share a UUID")
	}
	if !(l.Rate >= 0) || math.IsInf(l.Rate, 1) || l.Duration < 0 || l.Calls < 0 || l.Concurrent < 0 {
		return Report{}, errors.New("esltest: a load's rate, duration and numbers of calls must be numbers that are not negative")
	}
	setDefault(&l.Rate, 10)
	if l.Calls == 0 {
		setDefault(&l.Duration, 10*time.Second)
	}
	setDefault(&l.Drain, 10*time.Second)
	t := &tally{live: map[*channel]struct{}{}, begun: time.Now(), freed: make(chan struct{}, 1)}
	t.report.Causes, t.report.Wanted = map[string]int{}, l.Rate
	if err := s.startCalls(ctx, &l, t); err != nil {
		return t.snapshot(), err
	}
	t.drain(ctx, l.Drain)
	return t.snapshot(), nil
}

func (s *Server) startCalls(ctx context.Context, l *Load, t *tally) error {
	tick := time.NewTicker(max(time.Duration(float64(time.Second)/l.Rate), 2*time.Millisecond))
	defer tick.Stop()
	second := time.NewTicker(time.Second)
	defer second.Stop()
	var end <-chan time.Time
	if l.Duration > 0 {
		end = time.After(l.Duration)
	}
	placed, over := 0, false
	for {
		due := l.due(time.Since(t.begun))
		for ; placed < due && t.room(l.Concurrent) && ctx.Err() == nil; placed++ {
			if !s.serving() {
				return errors.New("esltest: server is not running")
			}
			s.place(l, t, time.Duration(float64(placed)/l.Rate*float64(time.Second)))
		}
		if over || l.Calls > 0 && placed >= l.Calls {
			t.skipped(due - placed)
			return nil
		}
		select {
		case <-tick.C:
		case <-t.freed:
		case <-second.C:
			if l.Progress != nil {
				l.Progress(t.snapshot())
			}
		case <-end:
			over = true
		case <-ctx.Done():
			over = true
		}
	}
}

// serving tells whether calls may still be placed, if not now then after Resume.
func (s *Server) serving() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addr != "" && !s.shutdown
}

// due returns how many calls have had their turn when a load has been going on for so long.
func (l *Load) due(elapsed time.Duration) int {
	if l.Duration > 0 {
		elapsed = min(elapsed, l.Duration)
	}
	due := max(int(math.Ceil(elapsed.Seconds()*l.Rate)), 1)
	if l.Calls > 0 {
		due = min(due, l.Calls)
	}
	return due
}

// place starts a call of a load whose turn was so long after the first.
func (s *Server) place(l *Load, t *tally, turn time.Duration) {
	cfg := l.Call
	cfg.observe = t
	late := max(time.Since(t.begun)-turn, 0)
	_, err := s.Call(context.Background(), cfg)
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		t.report.Refused++
		return
	}
	t.lates = append(t.lates, late)
}

// room tells whether there may be one call more.
func (t *tally) room(limit int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return limit <= 0 || len(t.live) < limit
}

func (t *tally) skipped(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.report.Skipped = n; n > 0 {
		t.lastTurn = time.Now()
	}
}

// began and ended are called by the call.
func (t *tally) began(ch *channel) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.report.Started++
	t.lastTurn = time.Now()
	t.live[ch] = struct{}{}
	t.report.Peak = max(t.report.Peak, len(t.live))
}

func (t *tally) ended(ch *channel, s State, lasted time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.live, ch)
	t.report.Ended++
	t.report.Causes[s.Cause]++
	t.durations = append(t.durations, lasted)
	if s.Answered {
		t.report.Answered++
		t.answers = append(t.answers, s.AnsweredAfter)
	} else {
		t.report.Failed++
	}
	select {
	case t.freed <- struct{}{}:
	default:
	}
}

func (t *tally) snapshot() Report {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.report
	r.Causes = maps.Clone(r.Causes)
	r.Elapsed = time.Since(t.begun)
	intervals := r.Started - 1
	if r.Skipped > 0 {
		intervals = r.Started // the next one was due
	}
	if starting := t.lastTurn.Sub(t.begun).Seconds(); intervals > 0 && starting > 0 {
		r.Rate = float64(intervals) / starting
	}
	r.Answer, r.Duration, r.Late = latency(t.answers), latency(t.durations), latency(t.lates)
	return r
}

// drain waits for the last calls, and hangs up those that last too long.
func (t *tally) drain(ctx context.Context, patience time.Duration) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	cut := false
	for {
		t.mu.Lock()
		left := len(t.live)
		t.mu.Unlock()
		if left == 0 {
			return
		}
		select {
		case <-t.freed:
			continue
		case <-timer.C:
		case <-ctx.Done():
		}
		if cut {
			return
		}
		cut = true
		ctx = context.Background()
		timer.Reset(5 * time.Second)
		t.cut()
	}
}

func (t *tally) cut() {
	t.mu.Lock()
	left := slices.Collect(maps.Keys(t.live))
	t.report.Cut = len(left)
	t.mu.Unlock()
	for _, ch := range left {
		ch.hangup("NORMAL_CLEARING", "caller")
	}
}
