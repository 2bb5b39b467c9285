package program_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/genesis-esl/genesis/consumer"
	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/internal/testbed"
	"github.com/genesis-esl/genesis/program"
)

// TestMain runs the tests, or, with the argument "act", one of the programs that
// they host: the test binary plays them all.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "act" {
		act(os.Args[2], os.Args[3:])
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// patience bounds every wait of a test.
const patience = 30 * time.Second

// actor returns a host for one of the programs in act.
func actor(t testing.TB, name string, args ...string) *program.Consumer {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return &program.Consumer{
		Path: self, Args: append([]string{"act", name}, args...), Backoff: 200 * time.Millisecond,
		Logger: slog.New(slog.DiscardHandler), Version: "test",
		Env: []string{"GORACE=atexit_sleep_ms=0"}, // the race detector sleeps before it exits
	}
}

// notes collects what a host logs.
type notes struct{ testbed.Log }

func (n *notes) logger() *slog.Logger { return slog.New(slog.NewJSONHandler(n, nil)) }

// lines returns the lines of a stream that were logged.
func (n *notes) lines(stream string) []string {
	var all []string
	for line := range strings.Lines(n.String()) {
		var record struct{ Stream, Line string }
		if json.Unmarshal([]byte(line), &record) == nil && record.Stream == stream {
			all = append(all, record.Line)
		}
	}
	return all
}

func (n *notes) contain(text string) bool {
	return strings.Contains(n.String(), text)
}

// host runs a hosted program with events from source until that returns.
func host(t *testing.T, p *program.Consumer, source func(context.Context, esl.Handler) error) {
	t.Helper()
	app := consumer.New()
	app.Logger = slog.New(slog.DiscardHandler)
	app.QueueEvents = 1000
	hostWith(t, app, p, source)
}

func hostWith(t *testing.T, app *consumer.App, p *program.Consumer, source func(context.Context, esl.Handler) error) {
	t.Helper()
	if err := p.Register(app); err != nil {
		t.Fatal(err)
	}
	err := p.Run(t.Context(), func(ctx context.Context) error { return app.Run(ctx, source) })
	if err != nil {
		t.Fatal(err)
	}
}

func event(name, call string, n int) *esl.Event {
	return esl.NewEvent([]esl.Header{{Name: "Event-Name", Value: name}, {Name: "Event-Sequence", Value: strconv.Itoa(n)},
		{Name: "Unique-ID", Value: call}}, "")
}

func callName(i int) string { return fmt.Sprintf("call-%04d", i) }

// feed hands over so many events of so many calls, numbered from 1.
func feed(events, calls int) func(context.Context, esl.Handler) error {
	return func(ctx context.Context, h esl.Handler) error {
		for i := range events {
			h.HandleEvent(ctx, event("DTMF", callName(i%calls), i+1))
		}
		return nil
	}
}

// eventually fails the test unless ok becomes true in time.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("waited %v for %s", patience, what)
		}
	}
}

// journal is the file to which the programs of a test write what they handled.
func journal(t *testing.T) string { return filepath.Join(t.TempDir(), "journal") }

// entry is one line of a journal: process, call, number.
type entry struct {
	pid  int
	call string
	n    int
}

func entries(t *testing.T, file string) []entry {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	var all []entry
	for line := range strings.Lines(string(text)) {
		if !strings.HasSuffix(line, "\n") {
			break // still being written
		}
		var e entry
		if _, err := fmt.Sscan(line, &e.pid, &e.call, &e.n); err != nil {
			t.Fatalf("journal has %q: %v", line, err)
		}
		all = append(all, e)
	}
	return all
}

// checkOnce fails the test unless the events 1 to n were handled once each, in
// order within their calls.
func checkOnce(t *testing.T, got []entry, n int) {
	t.Helper()
	times := map[int]int{}
	last := map[string]int{}
	for _, e := range got {
		times[e.n]++
		if last[e.call] >= e.n && times[e.n] == 1 {
			t.Errorf("%s: %d came after %d", e.call, e.n, last[e.call])
		}
		last[e.call] = e.n
	}
	for i := 1; i <= n; i++ {
		if times[i] != 1 {
			t.Errorf("event %d was handled %d times", i, times[i])
			if t.Failed() && i > 50 {
				return
			}
		}
	}
}
