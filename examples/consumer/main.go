// Command consumer prints the calls of a FreeSWITCH: who calls whom, when it is answered, and how it ends.
//
//	genesis consumer --simulate ./examples/consumer
//
// or, with a FreeSWITCH of your own:
//
//	ESL_HOST=10.0.0.5 ESL_PASSWORD=secret go run ./examples/consumer
package main

import (
	"context"
	"fmt"
	"time"

	"github.com/genesis-esl/genesis"
	"github.com/genesis-esl/genesis/consumer"
	"github.com/genesis-esl/genesis/esl"
)

func main() {
	app := consumer.New()
	inbound := consumer.Where("Call-Direction", "inbound") // each call once, not each of its legs

	app.HandleFunc("CHANNEL_CREATE", func(_ context.Context, ev *esl.Event) error {
		return say(ev, "calls", ev.Get("Caller-Destination-Number"))
	}, inbound)
	app.HandleFunc("CHANNEL_ANSWER", func(_ context.Context, ev *esl.Event) error {
		return say(ev, "is answered", "")
	}, inbound)
	app.HandleFunc("CHANNEL_HANGUP_COMPLETE", func(_ context.Context, ev *esl.Event) error {
		return say(ev, "hangs up", fmt.Sprintf("after %ss: %s", ev.Variable("duration"), ev.Get("Hangup-Cause")))
	}, inbound)

	genesis.Run(app)
}

// say prints a line about a call. Handlers of different calls run at the same time; one Println is one write.
func say(ev *esl.Event, does, what string) error {
	_, err := fmt.Println(ev.Timestamp().Format(time.TimeOnly), ev.UUID(), ev.Get("Caller-Caller-ID-Number"), does, what)
	return err
}
