package consumer_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
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

// An app that knows which calls exist, whatever became of its connection: calls
// that were there before it, and calls that ended while it could not see it.
func ExampleApp_resynchronise() {
	freeswitch := esltest.NewServer()
	defer freeswitch.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	freeswitch.API(ctx, "originate loopback/9196 &park") // two channels

	var mu sync.Mutex
	calls := map[string]bool{}
	begin := func(_ context.Context, ev *esl.Event) error {
		mu.Lock()
		defer mu.Unlock()
		calls[strings.Clone(ev.UUID())] = true
		if len(calls) == 2 {
			fmt.Println("two calls were there before us")
			go freeswitch.Restart() // they end, and no event says so
		}
		return nil
	}
	end := func(_ context.Context, ev *esl.Event) error {
		mu.Lock()
		defer mu.Unlock()
		delete(calls, ev.UUID())
		if len(calls) == 0 {
			cancel() // enough for an example
		}
		return nil
	}

	app := consumer.New()
	app.HandleFunc("CHANNEL_CREATE", begin)
	app.HandleFunc("CHANNEL_HANGUP_COMPLETE", end)
	app.HandleFunc(consumer.ResyncEvent, begin, consumer.Where("Resync", "new"))
	app.HandleFunc(consumer.ResyncEvent, end, consumer.Where("Resync", "ended"))
	if err := app.Serve(ctx, esl.ClientConfig{Addr: freeswitch.Addr()}); err != nil {
		fmt.Println(err)
	}
	fmt.Println("calls left:", len(calls))
	// Output:
	// two calls were there before us
	// calls left: 0
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
