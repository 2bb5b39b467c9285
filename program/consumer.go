package program

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/genesis-esl/genesis/consumer"
	"github.com/genesis-esl/genesis/esl"
)

// Consumer runs an executable as a consumer app: one process that reads events from
// its stdin and writes commands to its stdout. When the process ends, it is started
// again with backoff; events wait meanwhile.
//
// Set the fields, call Register with the app that has the connection, then call
// Run.
type Consumer struct {
	// Path is the executable; Args are its arguments.
	Path string
	Args []string
	// Dir is the working directory; empty for our own.
	Dir string
	// Env names variables to pass on besides the usual ones (NAME), or sets them
	// (NAME=VALUE).
	Env []string
	// Version is what the program finds in GENESIS_VERSION.
	Version string

	// Events names the events that the program gets: event names and subclasses. Empty
	// for all, until the program itself subscribes.
	Events []string
	// Filters, as HEADER=VALUE, let through only events that match every header given;
	// a header matches with any of the values given for it.
	Filters []string

	// Stop says how the program is made to end.
	Stop Stop
	// Backoff bounds the wait before a program that ended is started again. The wait
	// grows from 100 ms up to Backoff. Default 10 s.
	Backoff time.Duration
	// CommandTimeout bounds each api, command or subscribe, and the time for carrying
	// out the commands that a process leaves behind when it ends. Default 30 s.
	CommandTimeout time.Duration

	// OnRunning is called when a process has started (true) and when it has ended
	// (false). May be nil.
	OnRunning func(bool)
	// Logger gets what the program writes that is no command, and its stderr.
	// slog.Default() when nil.
	Logger *slog.Logger

	feed      *feed
	app       *consumer.App
	client    atomic.Pointer[esl.Client]
	connected chan struct{}
	connect   sync.Once
	wanted    atomic.Pointer[map[string]bool] // nil for all
	restarts  chan chan struct{}
	running   atomic.Bool
	commands  sync.WaitGroup // of the processes, each carried out on the side
	pending   gate           // commands not answered yet
	events    []string       // Events, spelled as FreeSWITCH does
	following bool           // consumer.ResyncEvent is on

	subscribing sync.Mutex
	asked       []string // to subscribe to once connected
}

// maxJobs bounds the commands of a program that are under way besides the one whose
// turn it is: bgapi, and in a call what does not wait for its turn.
const maxJobs = 1000

// Register has the app feed the program. It returns an error for an invalid filter.
// Call it before each Run, and before the app is served.
func (c *Consumer) Register(app *consumer.App) error {
	filters, err := parseFilters(c.Filters)
	if err != nil {
		return err
	}
	c.feed, c.app = newFeed(), app
	c.connected = make(chan struct{})
	c.restarts = make(chan chan struct{})
	c.connect = sync.Once{}
	c.client.Store(nil)
	c.asked = nil
	c.events = eventNames(c.Events)
	c.wantFirst()
	c.following = slices.Contains(c.events, consumer.ResyncEvent)
	app.OnUp(c.up)
	handle := func(name string, opts ...consumer.Option) {
		app.Handle(name, consumer.HandlerFunc(c.handle), append(opts, filters...)...)
	}
	app.Subscribe(c.events...) // with all of them also what does not come with all
	if c.wanted.Load() == nil {
		handle("*")
		return nil
	}
	// What the program subscribes to later comes by the handler for all, too.
	handle("*", consumer.Passive())
	return nil
}

// up learns the connection, and subscribes to what the program asked for before.
func (c *Consumer) up(ctx context.Context, _ esl.Up) {
	client := consumer.ClientFrom(ctx)
	c.subscribing.Lock()
	pending := c.asked
	c.asked = nil
	c.client.Store(client)
	c.subscribing.Unlock()
	if len(pending) > 0 {
		if err := client.Subscribe(ctx, pending...); err != nil {
			c.logger().WarnContext(ctx, "subscribing for the program failed", "events", pending, "error", err)
		}
	}
	c.connect.Do(func() { close(c.connected) })
}

// parseFilters turns HEADER=VALUE filters into options.
func parseFilters(filters []string) ([]consumer.Option, error) {
	values := map[string][]string{}
	var order []string
	for _, f := range filters {
		header, value, ok := strings.Cut(f, "=")
		if !ok || header == "" {
			return nil, fmt.Errorf("program: filter %q: HEADER=VALUE is allowed", f)
		}
		key := strings.ToLower(header)
		if values[key] == nil {
			order = append(order, key)
		}
		values[key] = append(values[key], value)
	}
	var opts []consumer.Option
	for _, header := range order {
		opts = append(opts, consumer.OneOf(header, values[header]...))
	}
	return opts, nil
}

// wantFirst has the program get what it is to get before it subscribes to anything.
func (c *Consumer) wantFirst() {
	c.wanted.Store(nil)
	if len(c.events) > 0 && !slices.Contains(c.events, "*") && !slices.Contains(c.events, "ALL") {
		c.want(c.events)
	}
}

// wantAnew is wantFirst for a program that may be another one than before. What the
// one before asked for is still sent to us, and not handed on.
func (c *Consumer) wantAnew() {
	c.subscribing.Lock()
	defer c.subscribing.Unlock()
	c.wantFirst()
}

// wantMore adds to what the program gets, unless the process that asks is gone. It
// returns where to subscribe; before the first connection, with which the
// subscription will go, nil.
func (c *Consumer) wantMore(generation int, names []string) *esl.Client {
	c.subscribing.Lock()
	defer c.subscribing.Unlock()
	if !c.feed.current(generation) {
		return nil
	}
	c.want(names)
	client := c.client.Load()
	if client == nil {
		c.asked = append(c.asked, names...)
	}
	return client
}

// want adds to the set of events that the program gets; the first time, it ends that
// this is everything.
func (c *Consumer) want(names []string) {
	set := map[string]bool{}
	if old := c.wanted.Load(); old != nil {
		maps.Copy(set, *old)
	}
	for _, name := range names {
		set[name] = true
	}
	c.wanted.Store(&set)
}

// eventNames spells the names of FreeSWITCH's own events as it does, in capitals:
// any other name is a subclass.
func eventNames(names []string) []string {
	spelled := slices.Clone(names)
	for i, name := range names {
		if upper := strings.ToUpper(name); esl.IsEventName(upper) {
			spelled[i] = upper
		}
	}
	return spelled
}

// takes reports whether the program wants an event.
func (c *Consumer) takes(ev *esl.Event) bool {
	wanted := c.wanted.Load()
	if wanted == nil || (*wanted)[ev.Name()] {
		return true
	}
	return ev.Name() == "CUSTOM" && (*wanted)[ev.Subclass()]
}

// lines keeps memory for encoding events.
var lines = sync.Pool{New: func() any { return new([]byte) }}

// handle hands an event to the program. It waits while the program does not read.
func (c *Consumer) handle(ctx context.Context, ev *esl.Event) error {
	if !c.takes(ev) {
		return nil
	}
	line := lines.Get().(*[]byte)
	defer lines.Put(line)
	*line = append(ev.AppendJSON((*line)[:0]), '\n')
	return c.feed.addEvent(ctx, *line)
}

// Running reports whether a process of the program is running. It is safe for
// concurrent use.
func (c *Consumer) Running() bool { return c.running.Load() }

// Run keeps the program running while serve runs, which has to serve the app. When
// serve returns, the program gets the remaining events, and then is made to end as
// Stop says. Run returns the error of serve, or an error when Register has not been
// called.
func (c *Consumer) Run(ctx context.Context, serve func(context.Context) error) error {
	if c.feed == nil {
		return errors.New("program: Run before Register")
	}
	done := make(chan struct{})
	stop := make(chan struct{})
	commands, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	go func() {
		defer close(done)
		c.supervise(commands, stop)
	}()
	err := serve(ctx)
	cancel(esl.ErrClosed) // with the connection gone, waiting for it is in vain
	close(stop)
	c.awaitAnswers()
	c.feed.close()
	<-done
	c.commands.Wait()
	if left := c.feed.left(); left > 0 {
		c.logger().WarnContext(ctx, "the program ended before it had read all events", "events", left)
		if hooks := c.app.Hooks; hooks != nil && hooks.Dropped != nil {
			hooks.Dropped("shutdown", left)
		}
	}
	return err
}

// answersGrace is how long answers are waited for once no command is carried out any
// more. They come at once, unless the program goes on writing commands.
const answersGrace = time.Second

// awaitAnswers has the program learn what became of its commands before nothing more
// is written to it.
func (c *Consumer) awaitAnswers() {
	timer := time.NewTimer(answersGrace)
	defer timer.Stop()
	select {
	case <-c.pending.wait():
	case <-timer.C:
	}
}

// Restart ends the process and starts the program anew, for example when its file has
// changed. Events that the old process has not read go to the new one. It returns nil
// when the new process runs, or has failed to start, which is logged; and ctx's cause
// when ctx ends first. Call it while Run runs; it is safe for concurrent use.
func (c *Consumer) Restart(ctx context.Context) error {
	restarted := make(chan struct{})
	select {
	case c.restarts <- restarted:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case <-restarted:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (c *Consumer) logger() *slog.Logger {
	if c.Logger != nil {
		return c.Logger
	}
	return slog.Default()
}

func (c *Consumer) commandTimeout() time.Duration { return orDefault(c.CommandTimeout, 30*time.Second) }

func (c *Consumer) environment() []string {
	return environment(c.Env, map[string]string{"GENESIS_MODE": "consumer", "GENESIS_VERSION": c.Version})
}

// supervise runs one process after the other until stop is closed and the last
// one has ended. The end of ctx is that of their commands.
func (c *Consumer) supervise(ctx context.Context, stop <-chan struct{}) {
	limit := orDefault(c.Backoff, 10*time.Second)
	failures := 0
	var restarted chan struct{}
	for {
		if restarted != nil {
			c.wantAnew()
		}
		began := time.Now()
		p, err := spawn(c.Path, c.Args, c.environment(), c.Dir)
		if restarted != nil {
			close(restarted)
			restarted = nil
		}
		if err == nil {
			c.setRunning(true)
			restarted, err = c.attend(ctx, p, stop)
		}
		if restarted != nil {
			failures = 0
			continue
		}
		select {
		case <-stop:
			return
		default:
		}
		if time.Since(began) > limit {
			failures = 0
		}
		wait := min(100*time.Millisecond<<min(failures, 20), limit)
		wait = wait/2 + rand.N(wait/2+1)
		failures++
		c.logger().Warn("the program ended and is started again", "program", c.Path, "error", err, "wait", wait)
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case restarted = <-c.restarts:
		case <-stop:
		}
		timer.Stop()
	}
}

func (c *Consumer) setRunning(on bool) {
	c.running.Store(on)
	if c.OnRunning != nil {
		c.OnRunning(on)
	}
}

func orDefault(d, otherwise time.Duration) time.Duration {
	if d <= 0 {
		return otherwise
	}
	return d
}
