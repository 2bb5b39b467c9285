package consumer_test

import (
	"context"
	"fmt"
	"time"

	"github.com/genesis-esl/genesis/consumer"
	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/esl/esltest"
)

// An app that notes answered calls to one extension.
func Example() {
	freeswitch := esltest.NewServer() // a simulated one
	defer freeswitch.Close()

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	app := consumer.New()
	app.HandleFunc("CHANNEL_ANSWER", func(ctx context.Context, ev *esl.Event) error {
		fmt.Println("answered:", ev.Get("Caller-Destination-Number"))
		cancel() // enough for an example
		return nil
	}, consumer.Where("Call-Direction", "inbound"), consumer.Match("Caller-Destination-Number", `^9[0-9]{3}$`))
	app.OnUp(func(ctx context.Context, _ esl.Up) {
		go consumer.ClientFrom(ctx).BgAPI(context.WithoutCancel(ctx), "originate loopback/9196 &park")
	})

	if err := app.Serve(ctx, esl.ClientConfig{Addr: freeswitch.Addr()}); err != nil {
		fmt.Println(err)
	}
	// Output: answered: 9196
}

// Run feeds an app from anywhere, here from two events made by hand.
func ExampleApp_Run() {
	app := consumer.New()
	app.HandleFunc("sofia::register", func(_ context.Context, ev *esl.Event) error {
		fmt.Println("registered:", ev.Get("from-user"))
		return nil
	}, consumer.Has("from-user"))

	err := app.Run(context.Background(), func(ctx context.Context, h esl.Handler) error {
		for _, user := range []string{"1000", "1001"} {
			h.HandleEvent(ctx, esl.NewEvent([]esl.Header{
				{Name: "Event-Name", Value: "CUSTOM"},
				{Name: "Event-Subclass", Value: "sofia::register"},
				{Name: "from-user", Value: user},
			}, ""))
		}
		return nil
	})
	fmt.Println("error:", err)
	// Output:
	// registered: 1000
	// registered: 1001
	// error: <nil>
}

// Middleware sees every event before its handler and every error after it.
func ExampleApp_Use() {
	app := consumer.New()
	app.Use(func(next consumer.Handler) consumer.Handler {
		return consumer.HandlerFunc(func(ctx context.Context, ev *esl.Event) error {
			err := next.HandleEvent(ctx, ev)
			fmt.Println(ev.Name(), "error:", err)
			return err
		})
	})
	app.HandleFunc("HEARTBEAT", func(context.Context, *esl.Event) error { return nil })
	_ = app.Run(context.Background(), func(ctx context.Context, h esl.Handler) error {
		h.HandleEvent(ctx, esl.NewEvent([]esl.Header{{Name: "Event-Name", Value: "HEARTBEAT"}}, ""))
		return nil
	})
	// Output: HEARTBEAT error: <nil>
}
