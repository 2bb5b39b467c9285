package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/consumer"
	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/esl/esltest"
	"github.com/genesis-esl/genesis/internal/faultproxy"
	"github.com/genesis-esl/genesis/observability"
)

// calls is how many calls a world has.
const calls = 4

// world is an app, a FreeSWITCH, a network between them that fails, and what watches
// over the app.
type world struct {
	t      *testing.T
	srv    *esltest.Server
	proxy  *faultproxy.Proxy
	app    *consumer.App
	client *esl.Client
	obs    *observability.Observability
	http   *httptest.Server
	ups    chan esl.Up
	halt   func() // ends the app
	stop   func() // ends everything
	queue  int    // how many events may wait in the app; as many again may in the client

	closed  atomic.Bool  // the test has closed the client
	stalled atomic.Bool  // the client does not read
	gate    sync.RWMutex // handlers wait while it is locked

	firing  sync.Mutex
	number  int64 // of the event created last
	created atomic.Uint64
	told    atomic.Uint64 // times that OnUp was called
	missed  atomic.Uint64 // the sum of what OnUp announced
	unknown atomic.Bool   // of some losses nobody could tell

	delivered        atomic.Uint64
	panicked, failed atomic.Int64
	newest           atomic.Int64 // the largest number handled
	last             [calls]int   // of each call, its handler's
}

// heartbeat is how often the simulated FreeSWITCH sends one, silence how long a
// connection may go without any.
const (
	heartbeat = 20 * time.Millisecond
	silence   = 4 * time.Second
)

func newWorld(t *testing.T, queue int) *world {
	t.Helper()
	w := &world{t: t, queue: queue, ups: make(chan esl.Up, 100_000)}
	w.srv = esltest.NewUnstartedServer(esltest.Config{Heartbeat: heartbeat})
	if err := w.srv.Start(); err != nil {
		t.Fatal(err)
	}
	var err error
	if w.proxy, err = faultproxy.New(w.srv.Addr()); err != nil {
		t.Fatal(err)
	}
	w.watch()
	w.app = w.newApp()
	ctx, cancel := context.WithCancel(context.Background())
	end := make(chan error, 1)
	go func() { end <- w.app.Serve(ctx, w.config()) }()
	w.obs.ObserveBacklog(w.app.Backlog)
	w.obs.SetAppRunning(true)
	w.halt = sync.OnceFunc(func() {
		cancel()
		if err := receive(t, end, "Serve"); err != nil && !(w.closed.Load() && errors.Is(err, esl.ErrClosed)) {
			t.Errorf("Serve: %v", err)
		}
	})
	w.stop = sync.OnceFunc(func() {
		w.halt()
		w.proxy.Close()
		w.srv.Close()
		w.bury()
	})
	t.Cleanup(w.stop)
	receive(t, w.ups, "the first Up")
	w.client = w.app.Client()
	return w
}

func (w *world) config() esl.ClientConfig {
	hooks := w.obs.Hooks()
	stalled := hooks.Stalled
	hooks.Stalled = func(now bool) { w.stalled.Store(now); stalled(now) }
	return esl.ClientConfig{
		Addr: w.proxy.Addr(), Hooks: hooks, Queue: esl.QueueLimits{Events: w.queue},
		Backoff:     esl.Backoff{Min: time.Millisecond, Max: 4 * time.Millisecond},
		DialTimeout: 2 * time.Second, IdleTimeout: silence,
		OnUp: func(_ context.Context, up esl.Up) {
			w.told.Add(1)
			w.missed.Add(up.MissedAtMost)
			if up.MissedUnknown || up.Restarted {
				w.unknown.Store(true)
			}
			w.ups <- up
		},
	}
}

// watch attaches health and metrics, and serves them.
func (w *world) watch() {
	obs, err := observability.New(observability.Config{Mode: observability.Consumer, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		w.t.Fatal(err)
	}
	w.obs = obs
	w.serve()
}

// serve answers probes and scrapes.
func (w *world) serve() {
	w.http = httptest.NewServer(w.obs.Handler())
	w.http.Client().Transport.(*http.Transport).DisableCompression = true
}

func (w *world) newApp() *consumer.App {
	app := consumer.New()
	app.QueueEvents = w.queue
	app.Logger = slog.New(slog.DiscardHandler)
	app.Hooks = &consumer.Hooks{
		Routed:       w.obs.EventsRouted,
		HandlerStart: w.obs.HandlerStart,
		HandlerEnd: func(ctx context.Context, h *consumer.Handled) {
			w.obs.HandlerEnd(ctx, h.Name, h.Duration, string(h.Failure), h.Err)
		},
		Dropped: w.obs.EventsDropped,
	}
	app.HandleFunc("NOTIFY", w.handle)
	return app
}

var errDeliberate = errors.New("failed on purpose")

// handle holds events to their order, each once. Numbers rise without end in every
// call, so one that comes again or too late is not larger than the last.
func (w *world) handle(ctx context.Context, e *esl.Event) error {
	w.gate.RLock()
	defer w.gate.RUnlock()
	call, _ := strconv.Atoi(e.UUID())
	number, err := strconv.Atoi(e.Get("Number"))
	if err != nil || number <= w.last[call] {
		w.t.Errorf("call %d: event %q behind %d", call, e.Get("Number"), w.last[call])
		return nil
	}
	w.last[call] = number
	if events, _ := w.app.Backlog(); w.queue > 0 && events > w.queue {
		w.t.Errorf("%d events wait, %d may", events, w.queue)
	}
	for newest := w.newest.Load(); newest < int64(number) && !w.newest.CompareAndSwap(newest, int64(number)); newest = w.newest.Load() {
	}
	w.delivered.Add(1)
	switch e.Get("Handler") {
	case "slow":
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
		}
	case "panics":
		w.panicked.Add(1)
		panic(errDeliberate)
	case "ends":
		w.panicked.Add(1)
		runtime.Goexit()
	case "fails":
		w.failed.Add(1)
		return errDeliberate
	}
	return nil
}

// fire creates an event of a call, whose handler behaves as told.
func (w *world) fire(call int, handler string) error {
	w.firing.Lock()
	defer w.firing.Unlock()
	w.number++
	err := w.srv.Fire("NOTIFY", []esl.Header{
		{Name: "Unique-ID", Value: strconv.Itoa(call)}, {Name: "Number", Value: strconv.FormatInt(w.number, 10)}, {Name: "Handler", Value: handler},
	}, "")
	if err == nil {
		w.created.Add(1)
	}
	return err
}

// produce creates events until ctx ends, for each of the handlers in turn.
func (w *world) produce(ctx context.Context, handlers ...string) {
	pace := time.NewTicker(200 * time.Microsecond)
	defer pace.Stop()
	for n := 0; ctx.Err() == nil; n++ {
		for call := range calls {
			_ = w.fire(call, handlers[n%len(handlers)]) // FreeSWITCH may be gone
		}
		<-pace.C
	}
}

// flow waits until an event that is created now has come: all before it have then, or
// never will.
func (w *world) flow() {
	w.t.Helper()
	w.firing.Lock()
	before := w.number
	w.firing.Unlock()
	until(w.t, "events flow", func() bool {
		w.must(w.fire(1, ""))
		return w.newest.Load() > before
	})
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// get asks the app's own server, and returns nothing when that does not answer.
func (w *world) get(path string) (status int, body []byte) {
	response, err := w.http.Client().Get(w.http.URL + path)
	if err != nil {
		w.t.Errorf("GET %s: %v", path, err)
		return 0, nil
	}
	defer response.Body.Close()
	if body, err = readAll(response.Body); err != nil {
		w.t.Errorf("GET %s: %v", path, err)
	}
	return response.StatusCode, body
}

// healthy waits until /health says what it should.
func (w *world) healthy(want bool) {
	w.t.Helper()
	code := map[bool]int{true: http.StatusOK, false: http.StatusServiceUnavailable}[want]
	until(w.t, fmt.Sprintf("/health answers %d", code), func() bool { status, _ := w.get("/health"); return status == code })
}

// account compares what health and metrics say, and what was announced, with what
// happened. Nothing is created meanwhile but heartbeats.
func (w *world) account() {
	w.t.Helper()
	w.healthy(true)
	until(w.t, "nothing waits", func() bool { events, _ := w.app.Backlog(); return events == 0 })
	// What is under way now comes within moments; what was lost never does.
	for deadline := time.Now().Add(5 * time.Second); !w.unknown.Load(); {
		lost := w.created.Load() - w.delivered.Load()
		if lost <= w.missed.Load() {
			break
		}
		if time.Now().After(deadline) {
			w.t.Errorf("%d of %d events lost, at most %d announced", lost, w.created.Load(), w.missed.Load())
			break
		}
		runtime.Gosched()
	}
	w.agree(map[string]func() float64{
		`genesis_connection_up`:                                       func() float64 { return 1 },
		`freeswitch_up`:                                               func() float64 { return 1 },
		`genesis_reconnects_total`:                                    func() float64 { return float64(w.told.Load() - 1) },
		`genesis_events_missed_estimate_total`:                        func() float64 { return float64(w.missed.Load()) },
		`genesis_events_received_total{event_name="NOTIFY"}`:          func() float64 { return float64(w.delivered.Load()) },
		`genesis_events_dropped_total{reason="malformed"}`:            func() float64 { return 0 },
		`genesis_events_dropped_total{reason="slow_consumer"}`:        func() float64 { return 0 },
		`genesis_events_dropped_total{reason="shutdown"}`:             func() float64 { return 0 },
		`genesis_handler_errors_total{error="panic"}`:                 func() float64 { return float64(w.panicked.Load()) },
		`genesis_handler_errors_total{error="error"}`:                 func() float64 { return float64(w.failed.Load()) },
		`genesis_handler_duration_seconds_count{event_name="NOTIFY"}`: func() float64 { return float64(w.delivered.Load()) },
	})
}

// agree compares series of /metrics, summed up, with what they should be.
func (w *world) agree(want map[string]func() float64) {
	w.t.Helper()
	var differs string
	for deadline := time.Now().Add(5 * time.Second); ; {
		_, body := w.get("/metrics")
		differs = ""
		for series, value := range want {
			if got, want := sumOf(string(body), series), value(); got != want {
				differs += fmt.Sprintf("\n%s is %v, not %v", series, got, want)
			}
		}
		if differs == "" || time.Now().After(deadline) {
			break
		}
	}
	if differs != "" {
		_, body := w.get("/metrics")
		w.t.Errorf("metrics disagree with what happened:%s\n%s", differs, body)
	}
}

// bury checks that health and metrics know of the end, and ends them, too.
func (w *world) bury() {
	w.obs.SetAppRunning(false)
	w.healthy(false)
	_, body := w.get("/metrics")
	received, dropped := sumOf(string(body), `genesis_events_received_total{event_name="NOTIFY"}`), sumOf(string(body), "genesis_events_dropped_total")
	if lost := received - float64(w.delivered.Load()); lost < 0 || lost > dropped {
		w.t.Errorf("%v events were not handled, %v were counted as dropped", lost, dropped)
	}
	w.agree(map[string]func() float64{
		`genesis_connection_up`:      func() float64 { return 0 },
		`genesis_connections_active`: func() float64 { return 0 },
	})
	w.http.Close()
	if err := w.obs.Shutdown(context.Background()); err != nil {
		w.t.Errorf("Shutdown: %v", err)
	}
}
