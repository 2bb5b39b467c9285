package deploy_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/genesis-esl/genesis"
	"github.com/genesis-esl/genesis/consumer"
	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/esl/esltest"
	"github.com/genesis-esl/genesis/observability"
)

// fault is something that goes wrong, and where it shows. An empty string stands for
// a place that does not show it.
type fault struct {
	name          string
	health, ready int // 0: nobody answers
	detail        string
	metric        string
	log           string
	page          string
	within        time.Duration
	note          string // how the time comes about

	fs      esltest.Config
	app     func(*lab) *consumer.App // nil: one that handles what is flooded
	options func(*lab) []genesis.Option
	absent  bool       // FreeSWITCH is not there at the start
	settled bool       // the app is ready before the fault
	provoke func(*lab) // nil: the fault is there from the start
	exit    int        // with 0 for both probes: the exit code
}

const beats = 200 * time.Millisecond

// faults is the table in docs/observability.md.
var faults = []fault{
	{
		name: "FreeSWITCH is down when the app starts", health: 503, ready: 503,
		detail: "FreeSWITCH cannot be reached",
		metric: `genesis_connections_errors_total{error="refused",type="inbound"}`,
		log:    "cannot connect to FreeSWITCH, trying again",
		page:   "FreeSWITCH cannot be reached", within: 2 * time.Second, absent: true,
	},
	{
		name: "FreeSWITCH dies", health: 503, ready: 503,
		detail: "the connection to FreeSWITCH is lost", metric: `genesis_connection_up 0`,
		log: "connection lost", page: "the connection to FreeSWITCH is lost", within: 2 * time.Second,
		fs: esltest.Config{Heartbeat: beats}, settled: true,
		provoke: func(l *lab) { l.check(l.fs.Stop()) },
	},
	{
		name: "FreeSWITCH hangs, its socket open", health: 503, ready: 503,
		detail: "FreeSWITCH sends no HEARTBEAT", metric: `freeswitch_up 0`,
		log: "unhealthy", page: "FreeSWITCH sends no HEARTBEAT", within: 32 * time.Second,
		note: "30 s after its last HEARTBEAT", fs: esltest.Config{Heartbeat: time.Hour}, settled: true,
		provoke: func(l *lab) { l.wire.freeze() },
	},
	{
		name: "FreeSWITCH sends no HEARTBEAT", health: 503, ready: 503,
		detail: "FreeSWITCH sends no HEARTBEAT", metric: `freeswitch_up 0`,
		log: "unhealthy", page: "FreeSWITCH sends no HEARTBEAT", within: 32 * time.Second,
		note: "`warn`, warming up, for the first 30 s", fs: esltest.Config{Heartbeat: -1},
	},
	{
		name: "FreeSWITCH restarts", health: 200, ready: 200,
		detail: `"pass"`, metric: `genesis_reconnects_total 1`,
		log: "connected to FreeSWITCH again", page: "working", within: 3 * time.Second,
		note: "back again; its calls are gone, the log says `restarted=true`", fs: esltest.Config{Heartbeat: beats}, settled: true,
		provoke: func(l *lab) { l.check(l.fs.Restart()) },
	},
	{
		name: "FreeSWITCH's ACL rejects us",
		log:  "access denied by FreeSWITCH's ACL", within: 2 * time.Second, exit: 78,
		fs: esltest.Config{Allow: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}},
	},
	{
		name: "The password is wrong",
		log:  "authentication failed", within: 2 * time.Second, exit: 78,
		fs: esltest.Config{Password: "not what the app says"},
	},
	{
		name: "A handler is slow, events wait", health: 200, ready: 200,
		detail: "events are not read until the app has caught up", metric: `genesis_dispatch_queue_depth`,
		log: "the app is behind", page: "events are held back", within: 2 * time.Second,
		note: "once the queues are full; before that the depth tells", fs: esltest.Config{Heartbeat: beats}, settled: true,
		app: slowApp, provoke: func(l *lab) { l.flood(2000) },
		options: func(*lab) []genesis.Option {
			return []genesis.Option{genesis.Client(func(c *esl.ClientConfig) { c.Queue.Events = 50 })}
		},
	},
	{
		name: "A handler panics", health: 200, ready: 200,
		metric: `genesis_handler_errors_total{error="panic",event_name="test::flood"} 1`,
		log:    "panic", page: "1 since start", within: 2 * time.Second,
		note: "the next event is handled", fs: esltest.Config{Heartbeat: beats}, settled: true,
		app: panickingApp, provoke: func(l *lab) { l.flood(1) },
	},
	{
		name: "A critical dependency is down", health: 200, ready: 503,
		detail: "a critical dependency is down: database", metric: `dependency_up{name="database"} 0`,
		log: "dependency is down", page: "working, not ready", within: 5 * time.Second,
		note: "threshold × interval: 3 × 1 s here", fs: esltest.Config{Heartbeat: beats}, settled: true,
		options: database(true), provoke: func(l *lab) { l.cut() },
	},
	{
		name: "Another dependency is down", health: 200, ready: 200,
		detail: `"warn"`, metric: `dependency_up{name="database"} 0`,
		log: "dependency is down", within: 5 * time.Second,
		note: "threshold × interval: 3 × 1 s here", fs: esltest.Config{Heartbeat: beats}, settled: true,
		options: database(false), provoke: func(l *lab) { l.cut() },
	},
	{
		name: "The app's process is gone", within: time.Second, log: "stopped",
		fs: esltest.Config{Heartbeat: beats}, settled: true, provoke: func(l *lab) { l.cancel() },
	},
	{
		name: "The port of the probes is taken", within: time.Second, exit: 1,
		fs: esltest.Config{Heartbeat: beats}, options: func(l *lab) []genesis.Option {
			return []genesis.Option{genesis.Observability(l.taken())}
		},
	},
	{
		name: "The disk of the log is full", health: 200, ready: 200,
		detail: `"pass"`, page: "working", within: 2 * time.Second,
		note: "the log is lost, the app goes on; logs sent by OTLP are not concerned",
		fs:   esltest.Config{Heartbeat: beats}, settled: true, provoke: func(l *lab) { l.logs.fill() },
	},
}

func slowApp(l *lab) *consumer.App {
	app := consumer.New()
	app.Workers, app.QueueEvents, app.DrainTimeout = 1, 10, -1
	app.HandleFunc("test::flood", func(ctx context.Context, _ *esl.Event) error {
		<-ctx.Done()
		return nil
	})
	return app
}

func panickingApp(*lab) *consumer.App {
	app := consumer.New()
	app.HandleFunc("test::flood", func(context.Context, *esl.Event) error { panic("on purpose") })
	return app
}

func database(critical bool) func(*lab) []genesis.Option {
	return func(l *lab) []genesis.Option {
		return []genesis.Option{genesis.Check(observability.Check{
			Name: "database", Critical: critical, Interval: time.Second, Threshold: 3,
			Run: func(context.Context) error {
				select {
				case <-l.severed:
					return errors.New("connection refused")
				default:
					return nil
				}
			},
		})}
	}
}

// TestFaults provokes every fault and holds the table in docs/observability.md to
// what came of it. UPDATE=1 writes the table.
func TestFaults(t *testing.T) {
	var wait sync.WaitGroup
	turns := make(chan struct{}, 2)
	for _, f := range faults { // beside the two that take half a minute, two at a time
		wait.Go(func() {
			if f.within < 10*time.Second {
				turns <- struct{}{}
				defer func() { <-turns }()
			}
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
			defer cancel()
			l := &lab{fault: f, t: t, ctx: ctx, cancel: cancel, logs: new(logs), severed: make(chan struct{}), ended: make(chan error, 1)}
			l.client = http.Client{Transport: new(http.Transport), Timeout: 5 * time.Second}
			l.run()
		})
	}
	wait.Wait()
	const path, begin, end = "../docs/observability.md", "<!-- faults: begin -->\n", "<!-- faults: end -->"
	doc := read(t, path)
	head, rest, ok := strings.Cut(doc, begin)
	old, foot, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no table of faults", path)
	}
	table := faultTable()
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(path, []byte(head+begin+table+end+foot), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if old != table {
		t.Errorf("the table in %s is not what was tested; run UPDATE=1 go test ./deploy -run Faults", path)
	}
}

func faultTable() string {
	code := func(text string) string {
		if text == "" {
			return "—"
		}
		return "`" + text + "`"
	}
	probe := func(status, exit int) string {
		switch {
		case status != 0:
			return fmt.Sprint(status)
		case exit != 0:
			return fmt.Sprintf("no answer, exit code %d", exit)
		}
		return "no answer"
	}
	var b strings.Builder
	b.WriteString("| fault | /health | /ready | detail view of /ready | metric | log line | live page | within |\n")
	b.WriteString("| " + strings.Join(slices.Repeat([]string{"---"}, 8), " | ") + " |\n")
	for _, f := range faults {
		metric := code(f.metric)
		if f.health == 0 {
			metric = "Prometheus's own `up` is 0"
		}
		within := fmt.Sprintf("%.0f s", f.within.Seconds())
		if f.note != "" {
			within += " (" + f.note + ")"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s | %s |\n", f.name, probe(f.health, f.exit), probe(f.ready, f.exit),
			code(f.detail), metric, code(f.log), strings.ReplaceAll(code(f.page), "`", ""), within)
	}
	return b.String()
}
