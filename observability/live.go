package observability

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// sampleEvery is how often the live page is brought up to date.
	sampleEvery = time.Second
	// history is how many samples its charts show.
	history = 300
	// maxWatchers bounds the pages that are open at a time.
	maxWatchers = 32
	// maxKinds bounds the kinds of events it lists.
	maxKinds = 12
)

// sample is the state of the process at a moment, as the live page shows it: the
// server puts it into words, so that the page with JavaScript and the one without
// say the same.
type sample struct {
	Status string             `json:"status"`
	Class  string             `json:"class"` // ok, warn or bad
	Rows   []row              `json:"rows"`
	Kinds  [][2]string        `json:"kinds"` // event name, events per second
	Calls  [][4]string        `json:"calls"` // id, direction, state, age
	Points map[string]float64 `json:"points"`
}

// row is one line of the page's table. Key names the chart beside it.
type row struct {
	Key   string `json:"key"`
	Name  string `json:"name"`
	Value string `json:"value"`
	Class string `json:"class,omitempty"`
}

// live takes a sample every second and hands it to the open pages.
type live struct {
	o     *Observability
	calls *calls
	ctx   context.Context
	stop  context.CancelFunc
	wait  sync.WaitGroup
	once  sync.Once

	// What happened since the last sample.
	commands, busiest, took atomic.Int64 // number, longest and sum in nanoseconds
	events                  map[string]int64
	failures                int64

	mu       sync.Mutex
	last     sample
	points   []map[string]float64
	watchers map[chan sample]struct{}
}

func newLive(o *Observability) *live {
	l := &live{o: o, calls: newCalls(o.config.Mode, o.config.Now), events: map[string]int64{}, watchers: map[chan sample]struct{}{}}
	l.ctx, l.stop = context.WithCancel(context.Background())
	return l
}

// command notes a command's duration.
func (l *live) command(took time.Duration) {
	l.commands.Add(1)
	l.took.Add(int64(took))
	for {
		old := l.busiest.Load()
		if int64(took) <= old || l.busiest.CompareAndSwap(old, int64(took)) {
			return
		}
	}
}

// start begins sampling, once.
func (l *live) start() {
	l.once.Do(func() {
		l.sample(sampleEvery)
		l.wait.Go(func() {
			ticker := time.NewTicker(sampleEvery)
			defer ticker.Stop()
			last := time.Now()
			for {
				select {
				case now := <-ticker.C:
					l.sample(now.Sub(last))
					last = now
				case <-l.ctx.Done():
					return
				}
			}
		})
	})
}

func (l *live) shutdown() {
	l.once.Do(func() {})
	l.stop()
	l.wait.Wait()
}

// sample takes one and hands it out. It runs on one goroutine at a time.
func (l *live) sample(since time.Duration) {
	s := l.take(since)
	l.o.lifecycle.stands(l.o.health.phase())
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = s
	if len(l.points) >= history {
		l.points = slices.Delete(l.points, 0, len(l.points)-history+1)
	}
	l.points = append(l.points, s.Points)
	for w := range l.watchers {
		select {
		case w <- s:
		default: // a page that is behind gets the next one
		}
	}
}

// watch returns the history, the last sample, and a channel of those to come, until
// unwatch; false when too many watch already.
func (l *live) watch() (points []map[string]float64, last sample, next chan sample, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.watchers) >= maxWatchers {
		return nil, sample{}, nil, false
	}
	next = make(chan sample, 1)
	l.watchers[next] = struct{}{}
	return slices.Clone(l.points), l.last, next, true
}

func (l *live) unwatch(next chan sample) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.watchers, next)
}

// now returns the sample that a page without JavaScript shows.
func (l *live) now() sample {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

func (l *live) take(since time.Duration) sample {
	s := sample{Points: map[string]float64{}, Kinds: [][2]string{}, Calls: [][4]string{}}
	s.Status, s.Class = l.status()
	add := func(key, name, value, class string, point float64) {
		s.Rows = append(s.Rows, row{key, name, value, class})
		s.Points[key] = point
	}
	l.addConnection(add)
	l.addTraffic(&s, add, since)
	l.addFreeSWITCH(add)
	return s
}

func (l *live) status() (text, class string) {
	stands, why := l.o.health.phase()
	switch stands {
	case working:
		if !l.o.Ready() {
			return "working, not ready", "warn"
		}
		return string(stands), "ok"
	case noInfo:
		return why, "bad"
	}
	return string(stands), "warn"
}

type addRow func(key, name, value, class string, point float64)

func (l *live) addConnection(add addRow) {
	h := l.o.health
	if h.mode == Outbound {
		n := l.o.connections.outbound.Load()
		add("sessions", "Sessions", fmt.Sprint(n), "", float64(n))
		return
	}
	text, class := "down", "bad"
	if h.connected() {
		text, class = "up", "ok"
	}
	if link := h.link.Load(); link != nil {
		text += ", " + link.remote + ", for " + age(h.now().Sub(link.since))
	}
	if why := l.o.lifecycle.reason(); why != "" && !h.connected() {
		text += ": " + why
	}
	add("connection", "Connection", text, class, float64(number(h.connected())))
	beat, ok := h.heartbeatAge()
	switch {
	case !ok:
		add("heartbeat", "Last heartbeat", "none yet", "warn", 0)
	case beat > h.timeout:
		add("heartbeat", "Last heartbeat", age(beat)+" ago", "bad", beat.Seconds())
	default:
		add("heartbeat", "Last heartbeat", age(beat)+" ago", "", beat.Seconds())
	}
}

func (l *live) addTraffic(s *sample, add addRow, since time.Duration) {
	seconds := max(since.Seconds(), 0.001)
	counts, rate := l.kinds(seconds)
	s.Kinds = counts
	add("events", "Events per second", fmt.Sprintf("%.1f", rate), "", rate)

	n, text := l.calls.count()
	if h := l.o.health; h.mode == Consumer && !h.connected() {
		n, text = 0, "unknown without a connection"
	}
	add("calls", "Active calls", text, "", float64(n))
	for _, call := range l.calls.newest() {
		id, _, _ := strings.Cut(call.uuid, "-")
		s.Calls = append(s.Calls, [4]string{short(id), call.direction, call.state, age(l.o.health.now().Sub(call.since))})
	}

	commands, took, longest := l.commands.Swap(0), time.Duration(l.took.Swap(0)), time.Duration(l.busiest.Swap(0))
	text, mean := "no commands", time.Duration(0)
	if commands > 0 {
		mean = took / time.Duration(commands)
		text = fmt.Sprintf("%s mean, %s at most, %.1f per second", millis(mean), millis(longest), float64(commands)/seconds)
	}
	add("latency", "Command latency", text, "", mean.Seconds()*1000)

	total := l.o.handlers.failures.Load()
	failed := total - l.failures
	l.failures = total
	class := ""
	if failed > 0 {
		class = "bad"
	}
	add("errors", "Handler errors", fmt.Sprintf("%d, %d since start", failed, total), class, float64(failed))

	events, _, _ := l.o.handlers.waiting()
	text, class = fmt.Sprint(events), ""
	if l.o.events.stalled.Load() {
		text, class = text+", events are held back", "bad"
	}
	add("queue", "Events waiting", text, class, float64(events))
}

// kinds returns the events per second since the last call, by name and in all.
func (l *live) kinds(seconds float64) (list [][2]string, rate float64) {
	now := map[string]int64{}
	for key, cell := range l.o.events.received.all() {
		name := key.name
		if key.subclass != "" {
			name = key.subclass
		}
		now[name] += cell.n.Load()
	}
	type kind struct {
		name string
		n    int64
	}
	kinds := make([]kind, 0, len(now))
	for name, n := range now {
		kinds = append(kinds, kind{name, n - l.events[name]})
		rate += float64(n - l.events[name])
	}
	l.events = now
	slices.SortFunc(kinds, func(a, b kind) int {
		return cmp.Or(cmp.Compare(b.n, a.n), cmp.Compare(a.name, b.name))
	})
	list = [][2]string{}
	for _, k := range kinds[:min(len(kinds), maxKinds)] {
		list = append(list, [2]string{k.name, fmt.Sprintf("%.1f", float64(k.n)/seconds)})
	}
	return list, rate / seconds
}

func (l *live) addFreeSWITCH(add addRow) {
	p := l.o.heartbeats.pulse()
	if l.o.health.mode == Outbound || p == nil {
		return
	}
	if !l.o.health.fresh() {
		add("fs_sessions", "FreeSWITCH sessions", "unknown", "warn", 0)
		return
	}
	add("fs_sessions", "FreeSWITCH sessions", fmt.Sprintf("%d of %d, peak %d", p.sessions, p.most, p.peak), "", float64(p.sessions))
	add("fs_cpu", "FreeSWITCH idle CPU", fmt.Sprintf("%.0f %%", p.idleCPU*100), "", p.idleCPU*100)
	up := time.Duration(p.uptime * float64(time.Second))
	add("fs_version", "FreeSWITCH", p.version+" on "+p.host+", up "+age(up), "", 0)
}

// age writes a duration for people: 0.4 s, 17 s, 3 min, 5 h, 12 d.
func age(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < 2*time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d < 2*time.Hour:
		return fmt.Sprintf("%.0f min", d.Minutes())
	case d < 48*time.Hour:
		return fmt.Sprintf("%.0f h", d.Hours())
	}
	return fmt.Sprintf("%.0f d", d.Hours()/24)
}

func millis(d time.Duration) string { return fmt.Sprintf("%.1f ms", d.Seconds()*1000) }
