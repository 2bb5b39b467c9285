package observability

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// Check tests regularly, in the background, whether a dependency of the app works.
// Probes read the last result and cost the dependency nothing. Package
// observability/check has ready-made functions for Run.
//
// The engine is our own. Of the libraries for this, hellofresh/health-go (v5.5.4) runs
// its checks when a probe asks, and alexliesenfeld/health (v0.8.0, of 2023) starts one
// more run beside a run that hangs, every interval for as long as it hangs.
type Check struct {
	// Name is the check's name in dependency_up and the detail view: at most 64
	// lower-case letters, digits, - and _.
	Name string
	// Run returns nil when the dependency works. Its context ends after Timeout. A
	// panic is a failure. So is a Run that hangs past the end of its context; it is
	// not started again until it has returned.
	Run func(context.Context) error
	// Interval is the time from the end of a run to the start of the next. Zero
	// means 15 seconds.
	Interval time.Duration
	// Timeout bounds a run. Zero means 5 seconds.
	Timeout time.Duration
	// Threshold is how many runs must fail in a row for the dependency to count as down.
	// Zero means 3. After one success it counts as up again.
	Threshold int
	// Critical says that the app cannot work without the dependency: while it is down,
	// and until the first run has succeeded, /ready answers 503. A check that is not
	// critical shows only in the detail view and in dependency_up. /health never
	// depends on a check, because restarting the app does not repair a database.
	Critical bool
}

var checkName = regexp.MustCompile(`^[a-z0-9_-]{1,64}$`)

func (c Check) withDefaults() (Check, error) {
	if !checkName.MatchString(c.Name) {
		return c, fmt.Errorf("observability: a check's name must be 1 to 64 of a-z, 0-9, - and _: %q", c.Name)
	}
	if c.Run == nil {
		return c, fmt.Errorf("observability: check %s has no Run", c.Name)
	}
	if c.Interval < 0 || c.Timeout < 0 || c.Threshold < 0 {
		return c, fmt.Errorf("observability: check %s: negative Interval, Timeout or Threshold", c.Name)
	}
	if c.Interval == 0 {
		c.Interval = 15 * time.Second
	}
	if c.Timeout == 0 {
		c.Timeout = 5 * time.Second
	}
	if c.Threshold == 0 {
		c.Threshold = 3
	}
	return c, nil
}

// checkState is what is known of a dependency. The zero value knows nothing yet.
type checkState struct {
	known    bool // a run succeeded, or enough of them failed
	up       bool
	failures int // in a row
	at       time.Time
	took     time.Duration
	err      string // of the last run, without secrets
}

type checker struct {
	Check
	state atomic.Pointer[checkState]
}

// checks are the dependencies of the app.
type checks struct {
	log  *slog.Logger
	now  func() time.Time
	ctx  context.Context
	stop context.CancelFunc
	wait sync.WaitGroup

	mu   sync.Mutex
	list atomic.Pointer[[]*checker] // replaced, never written to
}

func newChecks(meter metric.Meter, log *slog.Logger, now func() time.Time) (*checks, error) {
	c := &checks{log: log, now: now}
	c.ctx, c.stop = context.WithCancel(context.Background())
	c.list.Store(new([]*checker))
	up, err := meter.Int64ObservableGauge("dependency.up",
		metric.WithDescription("1 while a dependency of the app works, 0 while it is down."))
	if err != nil {
		return nil, err
	}
	_, err = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		for _, check := range *c.list.Load() {
			if s := check.state.Load(); s.known {
				o.ObserveInt64(up, number(s.up), metric.WithAttributes(attribute.String("name", check.Name)))
			}
		}
		return nil
	}, up)
	return c, err
}

// AddCheck runs check at once, and then every Interval until Shutdown. The error says
// what is wrong with the check, or that its name is taken.
func (o *Observability) AddCheck(check Check) error { return o.checks.add(check) }

func (c *checks) add(check Check) error {
	check, err := check.withDefaults()
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx.Err() != nil {
		return errors.New("observability: check added after Shutdown")
	}
	old := *c.list.Load()
	if slices.ContainsFunc(old, func(other *checker) bool { return other.Name == check.Name }) {
		return fmt.Errorf("observability: there is a check called %s already", check.Name)
	}
	added := &checker{Check: check}
	added.state.Store(new(checkState))
	list := append(slices.Clone(old), added)
	c.list.Store(&list)
	c.wait.Go(func() { c.repeat(added) })
	return nil
}

// critical tells whether a critical dependency is down or not known to be up.
func (c *checks) critical() bool {
	for _, check := range *c.list.Load() {
		if check.Critical && !check.state.Load().up {
			return true
		}
	}
	return false
}

func (c *checks) repeat(check *checker) {
	result := make(chan error, 1)
	for c.ctx.Err() == nil {
		start := c.now()
		ctx, cancel := context.WithTimeout(c.ctx, check.Timeout)
		go func() { result <- run(ctx, check.Run, c.log, check.Name) }()
		err, hangs := error(nil), false
		select {
		case err = <-result:
		case <-ctx.Done():
			// A run that heeds its context returns about now; give it that chance, as its
			// own error says more.
			err, hangs = c.grace(result, check)
		}
		cancel()
		if c.ctx.Err() != nil {
			return
		}
		c.note(check, start, err)
		c.pause(check.Interval)
		// Each interval that a run hangs is one more failure; it must return before the
		// next one starts.
		for hangs && c.ctx.Err() == nil {
			select {
			case <-result:
				hangs = false
			default:
				c.note(check, start, err)
				c.pause(check.Interval)
			}
		}
	}
}

// grace waits a moment longer for a run whose time is over.
func (c *checks) grace(result chan error, check *checker) (err error, hangs bool) {
	timer := time.NewTimer(100 * time.Millisecond)
	defer timer.Stop()
	select {
	case err = <-result:
		if err == nil {
			err = context.DeadlineExceeded
		}
		return err, false
	case <-timer.C:
		return fmt.Errorf("no answer within %v, and the check does not return", check.Timeout), true
	}
}

func (c *checks) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.ctx.Done():
	}
}

// run turns a panic into an error.
func run(ctx context.Context, f func(context.Context) error, log *slog.Logger, name string) (err error) {
	defer func() {
		if r := recover(); r != nil {
			log.Error("a check panicked", "check", name, "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return f(ctx)
}

// note takes the result of a run into the state and logs when that flips.
func (c *checks) note(check *checker, start time.Time, err error) {
	old := check.state.Load()
	now := c.now()
	next := &checkState{known: old.known, up: old.up, at: now, took: now.Sub(start)}
	if err == nil {
		next.known, next.up = true, true
	} else {
		next.err = scrub(err.Error())
		next.failures = old.failures + 1
		if next.failures >= check.Threshold {
			next.known, next.up = true, false
		}
	}
	check.state.Store(next)
	switch {
	case next.up && !old.up:
		c.log.Info("dependency is up", "name", check.Name, "critical", check.Critical)
	case !next.up && next.known && (old.up || !old.known):
		c.log.Warn("dependency is down", "name", check.Name, "critical", check.Critical,
			"failures", next.failures, "error", next.err)
	}
}

// shutdown ends all checks. It waits for none that hangs.
func (c *checks) shutdown() {
	c.mu.Lock()
	c.stop()
	c.mu.Unlock()
	c.wait.Wait()
}
