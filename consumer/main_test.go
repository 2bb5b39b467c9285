package consumer_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/genesis-esl/genesis/consumer"
	"github.com/genesis-esl/genesis/esl"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait of a test.
const patience = 20 * time.Second

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

func newApp() *consumer.App {
	app := consumer.New()
	app.Logger = quiet
	return app
}

// event makes an event of a call, with a number to tell its place.
func event(name, call string, n int, headers ...esl.Header) *esl.Event {
	all := []esl.Header{{Name: "Event-Name", Value: name}, {Name: "Event-Sequence", Value: strconv.Itoa(n)}}
	if call != "" {
		all = append(all, esl.Header{Name: "Unique-ID", Value: call})
	}
	return esl.NewEvent(append(all, headers...), "")
}

func custom(subclass, call string, n int) *esl.Event {
	return event("CUSTOM", call, n, esl.Header{Name: "Event-Subclass", Value: subclass})
}

// run feeds events to the app in batches and waits for it to stop.
func run(t *testing.T, app *consumer.App, events ...*esl.Event) {
	t.Helper()
	if err := app.Run(t.Context(), feed(events)); err != nil {
		t.Fatal(err)
	}
}

func feed(events []*esl.Event) func(context.Context, esl.Handler) error {
	return func(ctx context.Context, h esl.Handler) error {
		for len(events) > 0 {
			n := min(len(events), 100)
			h.(esl.BatchHandler).HandleEvents(ctx, events[:n])
			events = events[n:]
		}
		return nil
	}
}

// await fails the test unless ch is closed or delivers in time.
func await[T any](t *testing.T, ch <-chan T, what string) T {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case v := <-ch:
		return v
	case <-timer.C:
		t.Fatalf("waited %v for %s", patience, what)
		panic("unreachable")
	}
}

// eventually fails the test unless ok becomes true in time.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("waited %v for %s", patience, what)
		}
	}
}

func callName(i int) string { return fmt.Sprintf("call-%04d", i) }
