package consumer

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/genesis-esl/genesis/esl"
)

// App routes events to handlers. Register handlers and set the fields before Serve or
// Run; the zero value of each field is sensible. An App can be served again once it
// has stopped. Its methods are safe for concurrent use.
type App struct {
	// Workers bounds how many handlers run at a time: 16 for each processor when zero.
	// Handlers that wait (for a database, for FreeSWITCH) need many.
	Workers int
	// QueueEvents bounds how many events wait or are being handled: 100,000 when
	// zero.
	QueueEvents int
	// QueueBytes bounds the memory of these events: 256 MiB when zero. A larger event
	// passes when the queue is empty.
	QueueBytes int64
	// DrainTimeout is how long handlers may go on once Serve is told to stop: 10 s when
	// zero, not at all when negative. After that their contexts end, and events that are
	// still queued are dropped. A handler that goes on for another second is left behind,
	// and logged.
	DrainTimeout time.Duration
	// Hooks is told what happens; nil for nobody.
	Hooks *Hooks
	// Logger gets the errors of handlers; slog.Default() when nil.
	Logger *slog.Logger

	mu            sync.Mutex
	registrations []*registration
	subscribed    []string
	middleware    []Middleware
	up            []upFunc
	errs          []error
	serving       bool

	client  atomic.Pointer[esl.Client]
	current atomic.Pointer[dispatcher]
}

// New returns an App without handlers.
func New() *App { return new(App) }

// ErrServing says that an App was changed, or served again, while it was being served.
var ErrServing = errors.New("consumer: the app is being served")

// Handle registers a handler for events of a name: FreeSWITCH's event name
// ("CHANNEL_ANSWER"), the subclass of a CUSTOM event ("sofia::register", also "CUSTOM
// sofia::register"), or "*" for every event. "CUSTOM" takes every subclass that comes,
// but subscribes to none: FreeSWITCH sends only subclasses that are asked for by name
// (see Subscribe). Handlers of one event run one after the other, in the order of
// registration. Err and Serve report a bad registration.
func (a *App) Handle(name string, h Handler, opts ...Option) {
	name = strings.TrimSpace(name) // as the client does that subscribes
	if class, ok := strings.CutPrefix(name, "CUSTOM "); ok && !esl.IsEventName(class) {
		name = class
	}
	r := &registration{name: name, handler: h}
	var errs []error
	if name == "" {
		errs = append(errs, errors.New("no event name"))
	}
	if h == nil {
		errs = append(errs, errors.New("no handler"))
	}
	for _, opt := range opts {
		if err := opt(r); err != nil {
			errs = append(errs, err)
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.serving {
		errs = append(errs, ErrServing)
	}
	if len(errs) > 0 {
		a.errs = append(a.errs, fmt.Errorf("consumer: handler for %q: %w", name, errors.Join(errs...)))
		return
	}
	a.registrations = append(a.registrations, r)
}

// HandleFunc is Handle for a function.
func (a *App) HandleFunc(name string, h HandlerFunc, opts ...Option) {
	if h == nil {
		a.Handle(name, nil, opts...)
		return
	}
	a.Handle(name, h, opts...)
}

// Use wraps all handlers, those registered before and those registered after, in
// middleware. The first one given is the outermost.
func (a *App) Use(mw ...Middleware) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.serving {
		a.errs = append(a.errs, fmt.Errorf("consumer: middleware: %w", ErrServing))
		return
	}
	a.middleware = append(a.middleware, mw...)
}

// Subscribe adds names to what the app subscribes to, beyond the names it handles. Use
// it with a Passive handler for "*", which by itself subscribes to nothing.
func (a *App) Subscribe(names ...string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.serving {
		a.errs = append(a.errs, fmt.Errorf("consumer: subscription: %w", ErrServing))
		return
	}
	a.subscribed = append(a.subscribed, names...)
}

// Err returns what is wrong with the registrations so far, as one error; nil when all
// are good.
func (a *App) Err() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return errors.Join(a.errs...)
}

// Events returns what the app subscribes to, sorted: the names it handles, those given
// to Subscribe, and HEARTBEAT. With a handler for "*" it is ALL and the subclasses
// handled, because ALL does not include subclasses that FreeSWITCH learns of later.
func (a *App) Events() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	names := map[string]bool{"HEARTBEAT": true}
	for _, name := range a.subscribed {
		names[name] = true
	}
	for _, r := range a.registrations {
		if !r.passive {
			names[r.name] = true
		}
	}
	if names[ResyncEvent] {
		for _, name := range resyncEvents {
			names[name] = true
		}
	}
	if names["*"] || names["ALL"] {
		maps.DeleteFunc(names, func(name string, _ bool) bool { return esl.IsEventName(name) || name == "*" })
		names["ALL"] = true
	}
	return slices.Sorted(maps.Keys(names))
}

// Handlers returns how many handlers are registered for each name.
func (a *App) Handlers() map[string]int {
	a.mu.Lock()
	defer a.mu.Unlock()
	count := make(map[string]int, len(a.registrations))
	for _, r := range a.registrations {
		count[r.name]++
	}
	return count
}

// Backlog returns how many events wait or are being handled, and how many bytes of
// memory they take; zeros when the app is not being served.
func (a *App) Backlog() (events int, size int64) {
	if d := a.current.Load(); d != nil {
		return d.backlog()
	}
	return 0, 0
}

func (a *App) logger() *slog.Logger {
	if a.Logger != nil {
		return a.Logger
	}
	return slog.Default()
}
