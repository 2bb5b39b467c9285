// Command click2call connects two users at an HTTP request: it calls the first, and when that one has answered, the
// second.
//
//	genesis consumer --simulate ./examples/click2call
//	curl -X POST 'http://127.0.0.1:8088/call?from=1000&to=1001'
//
// It answers 200 with the two calls once they are connected, 409 with the reason when one of the two does not answer or
// the first hangs up meanwhile, 400 for a number that is none, 502 when FreeSWITCH cannot be reached. CLICK2CALL_ADDR
// says where it listens.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/genesis-esl/genesis"
	"github.com/genesis-esl/genesis/call"
	"github.com/genesis-esl/genesis/consumer"
	"github.com/genesis-esl/genesis/esl"
)

func main() {
	app, ctl := newApp()
	web := &http.Server{
		Addr: cmp.Or(os.Getenv("CLICK2CALL_ADDR"), "127.0.0.1:8088"), Handler: routes(ctl),
		ReadHeaderTimeout: 5 * time.Second,
	}
	go func() {
		slog.Error("click2call", "error", web.ListenAndServe())
		os.Exit(1)
	}()
	genesis.Run(app, genesis.Client(ctl.Join))
}

// newApp is a connection to FreeSWITCH and a controller of calls over it.
func newApp() (*consumer.App, *call.Controller) {
	ctl := call.NewController(context.Background(), nil, call.ControllerConfig{})
	app := consumer.New()
	app.OnUp(func(ctx context.Context, _ esl.Up) { ctl.Bind(consumer.ClientFrom(ctx)) })
	return app, ctl
}

func routes(ctl *call.Controller) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /call", func(w http.ResponseWriter, r *http.Request) {
		from, to, err := connect(r.Context(), ctl, r.FormValue("from"), r.FormValue("to"))
		if err != nil {
			answer(w, status(err), map[string]string{"error": err.Error()})
			return
		}
		answer(w, http.StatusOK, map[string]string{"from": from.UUID(), "to": to.UUID()})
	})
	return mux
}

// ringing is how long each of the two may take to answer.
const ringing = 30 * time.Second

// connect calls one, then the other, and connects them. Whoever closes the HTTP request meanwhile ends both.
func connect(ctx context.Context, ctl *call.Controller, from, to string) (a, b *call.Channel, err error) {
	a, err = ctl.Originate(ctx, call.Originate{
		To: call.To(call.User(from, "")), CallerName: "Click to call", CallerNumber: to, Timeout: ringing,
	})
	if err != nil {
		return nil, nil, err
	}
	b, err = originateFor(ctx, a, ctl, call.Originate{To: call.To(call.User(to, "")), CallerNumber: from, Timeout: ringing})
	if err == nil {
		err = a.Connect(ctx, b)
	}
	if err != nil {
		bye := context.WithoutCancel(ctx)
		return nil, nil, errors.Join(err, a.Hangup(bye, call.NormalClearing), hangup(bye, b))
	}
	return a, b, nil
}

// originateFor calls somebody for the first, and stops when the first hangs up.
func originateFor(ctx context.Context, first *call.Channel, ctl *call.Controller, o call.Originate) (*call.Channel, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	over := first.Context()
	defer context.AfterFunc(over, func() { stop(context.Cause(over)) })()
	return ctl.Originate(ctx, o)
}

func hangup(ctx context.Context, c *call.Channel) error {
	if c == nil {
		return nil
	}
	return c.Hangup(ctx, call.NormalClearing)
}

func status(err error) int {
	var hangup *call.HangupError
	switch {
	case errors.As(err, &hangup):
		return http.StatusConflict
	case errors.Is(err, call.ErrUnencodable), errors.Is(err, esl.ErrInjection):
		return http.StatusBadRequest
	default:
		return http.StatusBadGateway
	}
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		slog.Debug("the answer was not taken", "error", err)
	}
}
