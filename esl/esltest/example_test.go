package esltest_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"time"

	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/esl/esltest"
)

// Starting it is one line; an app connects to Addr with the password ClueCon.
func Example() {
	srv := esltest.NewServer()
	defer srv.Close()

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, err := esl.Dial(ctx, srv.Addr(), esl.DialConfig{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	fmt.Println(conn.API(ctx, "originate {origination_uuid=call-1}loopback/9196/default &park()"))
	fmt.Println(srv.Leg("call-1").State().App)
	// Output:
	// +OK call-1
	//  <nil>
	// park
}

// A call that goes to an outbound server, here a very small one, and what that
// server has done with it.
func ExampleServer_Call() {
	srv := esltest.NewServer()
	defer srv.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer ln.Close()
	go func() {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		fmt.Fprint(conn, "connect\n\n"+
			"sendmsg\ncall-command: execute\nexecute-app-name: answer\n\n"+
			"sendmsg\ncall-command: execute\nexecute-app-name: hangup\nexecute-app-arg: CALL_REJECTED\n\n")
		for in := bufio.NewScanner(conn); in.Scan(); {
		}
	}()

	call, err := srv.Call(ctx, esltest.CallConfig{From: "4912345", Outbound: ln.Addr().String()})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(call.WaitHangup(ctx))
	for _, action := range call.Executed()[1:] { // the first is socket
		fmt.Printf("%s(%s)\n", action.App, action.Data)
	}
	// Output:
	// CALL_REJECTED <nil>
	// answer()
	// hangup(CALL_REJECTED)
}

func ExampleServer_Record() {
	srv := esltest.NewServer()
	defer srv.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	rec := srv.Record("CHANNEL_ANSWER")
	srv.API(ctx, "originate {origination_caller_id_number=4912345}user/1001 &echo()")
	ev, err := rec.Wait(ctx, func(ev *esl.Event) bool { return ev.Get("Call-Direction") == "outbound" })
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(ev.Name(), ev.Get("Channel-Name"), ev.Get("Caller-ANI"))
	// Output: CHANNEL_ANSWER sofia/internal/1001@127.0.0.1 4912345
}

func ExampleServer_Inject() {
	srv := esltest.NewServer()
	defer srv.Close()
	fault, err := esltest.ParseFault("wrong-password:count=1")
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := srv.Inject(fault); err != nil {
		fmt.Println(err)
		return
	}
	for range 2 {
		conn, err := esl.Dial(context.Background(), srv.Addr(), esl.DialConfig{})
		fmt.Println("refused:", err != nil)
		if err == nil {
			conn.Close()
		}
	}
	// Output:
	// refused: true
	// refused: false
}

func ExampleServer_Load() {
	srv := esltest.NewServer()
	defer srv.Close()
	report, err := srv.Load(context.Background(), esltest.Load{
		Rate:  200,
		Calls: 20,
		Call:  esltest.CallConfig{HangupAfter: 10 * time.Millisecond},
	})
	fmt.Println(report.Started, report.Answered, report.Failed, err)
	// Output: 20 20 0 <nil>
}

func ExampleParseScenario() {
	sc, err := esltest.ParseScenario([]byte(`
endpoints:
  - match: ^user/1001$
    cause: USER_BUSY
calls:
  - from: "4912345"
    to: "9196"
    steps:
      - {answered: true, after: 10ms, hangup: NORMAL_CLEARING}
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	var cfg esltest.Config
	if err := sc.Configure(&cfg); err != nil {
		fmt.Println(err)
		return
	}
	srv := esltest.NewUnstartedServer(cfg)
	if err := srv.Start(); err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Close()
	rec := srv.Record("CHANNEL_HANGUP")
	fmt.Println(sc.Run(context.Background(), srv))
	fmt.Println(rec.Events()[0].Get("Caller-Destination-Number"))
	// Output:
	// <nil>
	// 9196
}
