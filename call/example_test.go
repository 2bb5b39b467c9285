package call_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/genesis-esl/genesis/call"
	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/esl/esltest"
)

// A call made over a client, played to and hung up.
func ExampleController() {
	freeswitch := esltest.NewServer() // in production: your FreeSWITCH
	defer freeswitch.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	cfg := esl.ClientConfig{Addr: freeswitch.Addr()}
	calls := call.NewController(ctx, nil, call.ControllerConfig{})
	calls.Join(&cfg)
	client, err := esl.NewClient(cfg)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	calls.Bind(client)
	go client.Serve(ctx, calls)

	c, err := calls.Originate(ctx, call.Originate{
		To: call.To(call.User("1000", "")), CallerNumber: "4930123456", Timeout: 20 * time.Second,
		UUID: "f81d4fae-7dec-41d0-a765-00a0c91e6bf6",
	})
	if err != nil {
		log.Fatal(err) // errors.Is(err, call.NoAnswer), say
	}
	played, err := c.Playback(ctx, "tone_stream://%(100,0,440)")
	fmt.Println(played.Response, err)
	fmt.Println(c.Hangup(ctx, call.NormalClearing))
	fmt.Println(c.Err())
	// Output:
	// FILE PLAYED <nil>
	// <nil>
	// call: f81d4fae-7dec-41d0-a765-00a0c91e6bf6 hung up: NORMAL_CLEARING
}

// Two phones ring together for 20 seconds, then a gateway is tried.
func ExampleTo() {
	dial := call.To(
		call.User("1000", "example.com").Timeout(20*time.Second),
		call.User("1001", "example.com").Delay(5*time.Second).Timeout(20*time.Second),
	).Then(
		call.Gateway("carrier", "+4930123456"),
	).With(call.Vars{"absolute_codec_string": "PCMA,PCMU"})
	fmt.Println(dial) // for logs: variables can be secrets
	fmt.Println(dial.Encode())
	// Output:
	// user/1000@example.com,user/1001@example.com|sofia/gateway/carrier/+4930123456
	// {^^;absolute_codec_string=PCMA,PCMU}[leg_timeout=20]user/1000@example.com,[leg_delay_start=5][leg_timeout=20]user/1001@example.com|sofia/gateway/carrier/+4930123456 <nil>
}

// What a caller has typed stays one number.
func ExampleGateway() {
	typed := "123,sofia/gateway/carrier/0900666"
	_, err := call.To(call.Gateway("carrier", typed)).Encode()
	fmt.Println(errors.Is(err, call.ErrUnencodable))
	// Output:
	// true
}

func ExampleOriginate_Command() {
	o := call.Originate{
		To:         call.To(call.User("1000", "")),
		CallerName: "Bob O'Neill", CallerNumber: "+4930123456",
		UUID:      "f81d4fae-7dec-41d0-a765-00a0c91e6bf6",
		Extension: call.Extension{Number: "9196"},
	}
	cmd, err := o.Command()
	fmt.Println(cmd, err)
	// Output:
	// originate '{ignore_early_media=true,origination_caller_id_name=Bob O\\\\\\\'Neill,origination_caller_id_number=+4930123456}[origination_uuid=f81d4fae-7dec-41d0-a765-00a0c91e6bf6]user/1000' 9196 XML default <nil>
}

// The cause of a failure is compared as an error.
func ExampleHangupError() {
	err := error(&call.HangupError{Cause: call.UserBusy})
	fmt.Println(err)
	fmt.Println(errors.Is(err, call.UserBusy), call.UserBusy.Q850())
	// Output:
	// call: not set up: USER_BUSY
	// true 17
}
