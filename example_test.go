package genesis_test

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/genesis-esl/genesis"
	"github.com/genesis-esl/genesis/call"
	"github.com/genesis-esl/genesis/consumer"
	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/esl/esltest"
	"github.com/genesis-esl/genesis/outbound"
)

// A whole main: events come from the FreeSWITCH that the environment names.
func ExampleRun() {
	app := consumer.New()
	app.HandleFunc("CHANNEL_ANSWER", func(ctx context.Context, ev *esl.Event) error {
		slog.InfoContext(ctx, "answered", "call", ev.UUID(), "from", ev.Get("Caller-Caller-ID-Number"))
		return nil
	})
	genesis.Run(app)
}

// A whole main: FreeSWITCH connects its calls to port 9000.
func ExampleRun_outbound() {
	genesis.Run(outbound.HandlerFunc(func(ctx context.Context, s *outbound.Session) error {
		if err := s.Answer(ctx); err != nil {
			return err
		}
		digits, err := s.PlayAndGetDigits(ctx, call.Digits{Min: 1, Max: 4, File: "ivr/ivr-enter_ext.wav"})
		if err != nil {
			return err
		}
		_, err = s.BridgeTo(ctx, call.To(call.User(digits, "")))
		return err
	}))
}

// In a test or a larger program: an app that ends with its context.
func ExampleRunContext() {
	sim := esltest.NewServer() // a simulated FreeSWITCH, in place of the real one
	defer sim.Close()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()

	app := consumer.New()
	app.HandleFunc("hello::WORLD", func(_ context.Context, ev *esl.Event) error {
		fmt.Println("hello from", ev.Get("From"))
		stop()
		return nil
	})
	app.OnUp(func(context.Context, esl.Up) {
		_ = sim.Fire("hello::WORLD", []esl.Header{{Name: "From", Value: "FreeSWITCH"}}, "")
	})
	err := genesis.RunContext(ctx, app, genesis.FreeSWITCH(sim.Addr(), sim.Password()), genesis.NoObservability(), quiet())
	if err != nil {
		fmt.Println(err)
	}
	// Output: hello from FreeSWITCH
}
