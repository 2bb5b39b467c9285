package esl_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/esl/esltest"
	"github.com/percipia/eslgo/command"
)

// One socket: log in, ask, leave.
func ExampleDial() {
	freeswitch := esltest.NewServer() // in production: your FreeSWITCH
	defer freeswitch.Close()

	ctx := context.Background()
	conn, err := esl.Dial(ctx, freeswitch.Addr(), esl.DialConfig{Password: "ClueCon"})
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()

	output, err := conn.API(ctx, "eval hello")
	fmt.Println(output, err)

	_, err = conn.API(ctx, "no_such_command")
	var refused *esl.ReplyError
	if errors.As(err, &refused) {
		fmt.Println("refused:", refused.Text)
	}

	_, err = conn.Send(ctx, command.API{Command: "eval", Arguments: "x\n\napi shutdown"})
	fmt.Println(errors.Is(err, esl.ErrInjection))
	// Output:
	// hello <nil>
	// refused: no_such_command Command not found!
	// true
}

// A connection that heals, and says what it missed.
func ExampleClient() {
	freeswitch := esltest.NewServer()
	defer freeswitch.Close()

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var client *esl.Client
	client, err := esl.NewClient(esl.ClientConfig{
		Addr:   freeswitch.Addr(),
		Events: []string{"greeting::hello"},
		OnUp: func(ctx context.Context, up esl.Up) {
			fmt.Printf("up: first=%v missed=%d\n", up.First, up.MissedAtMost)
			_, err := client.Send(ctx, &command.SendEvent{Name: "CUSTOM", Headers: map[string][]string{
				"Event-Subclass": {"greeting::hello"}, "To": {"world"},
			}})
			fmt.Println("sent:", err)
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	err = client.Serve(ctx, esl.HandlerFunc(func(ctx context.Context, e *esl.Event) {
		if e.Subclass() == "greeting::hello" {
			fmt.Println("hello,", e.Get("to"))
			cancel()
		}
	}))
	fmt.Println(err)
	// Output:
	// up: first=true missed=0
	// sent: <nil>
	// hello, world
	// <nil>
}
