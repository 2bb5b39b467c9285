package observability_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http/httptest"
	"os"
	"time"

	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/observability"
)

// A consumer is healthy from its first HEARTBEAT on, and no longer once its event
// connection is lost.
func Example() {
	obs, err := observability.New(observability.Config{
		Mode: observability.Consumer, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer obs.Shutdown(context.Background())
	obs.SetAppRunning(true)

	show := func(when string) {
		w := httptest.NewRecorder()
		obs.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/ready", nil))
		fmt.Println(when, w.Code, w.Body)
	}
	// A connection does this by itself when it is given the hooks.
	hooks, link := obs.Hooks(), esl.ConnInfo{Type: "inbound", Role: "events"}
	hooks.ConnectEnd(context.Background(), link, nil)
	show("connected:")
	hooks.Heartbeat(esl.NewEvent([]esl.Header{{Name: "Event-Name", Value: "HEARTBEAT"}}, ""))
	show("heartbeat:")
	hooks.Disconnected(link, net.ErrClosed)
	show("lost:     ")
	// Output:
	// connected: 503 {"status": "not ready"}
	// heartbeat: 200 {"status": "ready"}
	// lost:      503 {"status": "not ready"}
}

// A dependency without which the app cannot work keeps it from getting any.
func ExampleObservability_AddCheck() {
	obs, err := observability.New(observability.Config{
		Mode: observability.Outbound, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer obs.Shutdown(context.Background())
	obs.SetListening(true)
	err = obs.AddCheck(observability.Check{
		Name: "database", Critical: true, Interval: 10 * time.Second,
		Run: func(context.Context) error { return fmt.Errorf("connection refused") },
	})
	fmt.Println(err, obs.Healthy(), obs.Ready())
	// Output: <nil> true false
}

// What is called a secret does not come out.
func ExampleNewLogHandler() {
	log := slog.New(withoutTime(observability.NewLogHandler(os.Stdout, observability.LogConfig{JSON: true})))
	log.Info("connecting", "url", "redis://app:hunter2@cache:6379", "password", "hunter2")
	// Output: {"level":"INFO","message":"connecting","logger":"genesis","url":"redis://[hidden]@cache:6379","password":"[hidden]"}
}

// withoutTime leaves out the time, which is never the same.
func withoutTime(h slog.Handler) slog.Handler { return timeless{h} }

type timeless struct{ slog.Handler }

func (t timeless) Handle(ctx context.Context, r slog.Record) error {
	r.Time = time.Time{}
	return t.Handler.Handle(ctx, r)
}
