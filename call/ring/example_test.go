package ring_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/genesis-esl/genesis/call"
	"github.com/genesis-esl/genesis/call/ring"
	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/esl/esltest"
)

// connect starts a simulated FreeSWITCH, in which the user "busy" is busy, and a controller of its calls.
func connect() (calls *call.Controller, stop func()) {
	fs := esltest.NewServer()
	up := make(chan struct{})
	client, err := esl.NewClient(esl.ClientConfig{
		Addr: fs.Addr(), Events: call.EventNames(), OnUp: func(context.Context, esl.Up) { close(up) },
	})
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	calls = call.NewController(ctx, client, call.ControllerConfig{})
	served := make(chan error)
	go func() { served <- client.Serve(ctx, calls) }()
	<-up
	return calls, func() {
		calls.Close(esl.ErrClosed)
		cancel()
		<-served
		_ = client.Close()
		fs.Close()
	}
}

func Example() {
	calls, stop := connect()
	defer stop()
	ringer, err := ring.New(ring.Config{})
	if err != nil {
		log.Fatal(err)
	}
	team := []ring.Destination{
		{ID: "desk", To: call.To(call.User("busy", ""))},
		{ID: "mobile", To: call.To(call.Gateway("carrier", "4930123456")), Timeout: 20 * time.Second},
	}
	ctx := context.Background()
	answer, err := ringer.Ring(ctx, calls, team, ring.Sequential)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("answered:", answer.Destination.ID)
	for _, missed := range answer.Missed {
		fmt.Println("before that:", missed.Destination.ID, errors.Is(missed.Err, call.UserBusy))
	}
	_ = answer.Channel.Hangup(ctx, call.NormalClearing)
	// Output:
	// answered: mobile
	// before that: desk true
}

// A balancer counts a call until it is hung up, so the second caller gets the other agent.
func Example_balancing() {
	calls, stop := connect()
	defer stop()
	ringer, err := ring.New(ring.Config{Balancer: ring.NewMemory()})
	if err != nil {
		log.Fatal(err)
	}
	agents := []ring.Destination{
		{ID: "Ann", To: call.To(call.User("1001", ""))},
		{ID: "Bob", To: call.To(call.User("1002", ""))},
	}
	for range 3 {
		answer, err := ringer.Ring(context.Background(), calls, agents, ring.Balancing)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(answer.Destination.ID)
	}
	// Output:
	// Ann
	// Bob
	// Ann
}
