package esltest_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/esl/esltest"
)

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func start(t *testing.T, cfg esltest.Config) *esltest.Server {
	t.Helper()
	srv := esltest.NewUnstartedServer(cfg)
	if err := srv.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	return srv
}

func connect(t *testing.T, srv *esltest.Server) *esl.Conn {
	t.Helper()
	conn, err := esl.Dial(testContext(t), srv.Addr(), esl.DialConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func api(t *testing.T, conn *esl.Conn, command string) string {
	t.Helper()
	out, err := conn.API(testContext(t), command)
	var refused *esl.ReplyError
	if err != nil && !errors.As(err, &refused) {
		t.Fatalf("%s: %v", command, err)
	}
	return out
}

func TestRestartIsSeen(t *testing.T) {
	srv := start(t, esltest.Config{})
	conn := connect(t, srv)
	addr, before := srv.Addr(), srv.CoreUUID()
	if err := srv.Restart(); err != nil {
		t.Fatal(err)
	}
	<-conn.Done()
	if srv.Addr() != addr {
		t.Errorf("address is %s, was %s", srv.Addr(), addr)
	}
	if srv.CoreUUID() == before {
		t.Error("the Core-UUID is the same")
	}
	if got := api(t, connect(t, srv), "global_getvar core_uuid"); got != srv.CoreUUID() {
		t.Errorf("core_uuid %q, want %q", got, srv.CoreUUID())
	}
}

func TestStopRefusesUntilResume(t *testing.T) {
	srv := start(t, esltest.Config{})
	if err := srv.Stop(); err != nil {
		t.Fatal(err)
	}
	if conn, err := net.Dial("tcp", srv.Addr()); err == nil {
		conn.Close()
		t.Error("connected to a stopped server")
	}
	if err := srv.Resume(); err != nil {
		t.Fatal(err)
	}
	connect(t, srv)
}

func TestStartReportsWhatIsWrong(t *testing.T) {
	busy := start(t, esltest.Config{})
	for name, cfg := range map[string]esltest.Config{
		"port in use":    {Addr: busy.Addr()},
		"bad extension":  {Extensions: []esltest.Extension{{Match: "("}}},
		"bad endpoint":   {Endpoints: []esltest.Endpoint{{Match: "("}}},
		"unknown fault":  {Faults: []esltest.Fault{{Kind: "earthquake"}}},
		"no such adress": {Addr: "256.0.0.1:1"},
	} {
		if err := esltest.NewUnstartedServer(cfg).Start(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if err := busy.Start(); err == nil {
		t.Error("started twice without an error")
	}
}

func TestAuthenticationTimesOut(t *testing.T) {
	srv := start(t, esltest.Config{AuthTimeout: 20 * time.Millisecond})
	conn, err := net.Dial("tcp", srv.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	dec := esl.NewDecoder(conn, esl.Limits{})
	var kinds []string
	for {
		f, err := dec.Next()
		if err != nil {
			break
		}
		kinds = append(kinds, f.Get("Content-Type"))
	}
	if got := strings.Join(kinds, " "); got != "auth/request text/disconnect-notice" {
		t.Errorf("got %s", got)
	}
}

func TestOriginate(t *testing.T) {
	srv := start(t, esltest.Config{Endpoints: []esltest.Endpoint{
		{Match: `^user/1003$`, Ring: 5 * time.Millisecond, Answer: 5 * time.Millisecond},
		{Match: `^user/1004$`, Cause: "CALL_REJECTED", Answer: 5 * time.Millisecond},
	}, Extensions: []esltest.Extension{
		{Match: `^50$`, Actions: []esltest.Action{{App: "pre_answer"}, {App: "park"}}},
	}})
	conn := connect(t, srv)
	for dial, want := range map[string]string{
		"loopback/9196/default":                    "+OK ",
		"user/1003":                                "+OK ",
		"user/1004":                                "-ERR CALL_REJECTED",
		"error/USER_BUSY":                          "-ERR USER_BUSY",
		"loopback/3001/default":                    "-ERR USER_BUSY",
		"{originate_timeout=1}user/noanswer":       "-ERR NO_ANSWER",
		"error/USER_BUSY|user/1003":                "+OK ",
		"user/1004,user/1003":                      "+OK ",
		"{origination_uuid=one}user/1003":          "+OK one",
		"{^^:origination_uuid=two:v=a,b}user/1003": "+OK two",
		"[origination_uuid=three]user/1003":        "+OK three",
		"{return_ring_ready=true}user/noanswer":    "+OK ",
		"loopback/50/default":                      "+OK ",
		"{ignore_early_media=true,originate_timeout=1}loopback/50/default": "-ERR NO_ANSWER",
		"{originate_timeout=1}[leg=1]user/noanswer,user/1004":              "-ERR NO_ANSWER",
	} {
		if got := api(t, conn, "originate "+dial+" &park()"); !strings.HasPrefix(got, want) {
			t.Errorf("originate %s: %q, want %q", dial, got, want)
		}
	}
	if got := api(t, conn, "uuid_getvar two v"); got != "a,b" {
		t.Errorf("v is %q", got)
	}
	if got := api(t, conn, "originate {origination_uuid=one}user/1003 &park()"); !strings.HasPrefix(got, "-ERR") {
		t.Errorf("a UUID in use was taken: %q", got)
	}
}

func TestShowAgreesWithTheCalls(t *testing.T) {
	srv := start(t, esltest.Config{Registrations: []esltest.Registration{{User: "1001", Realm: "example.org"}}})
	conn := connect(t, srv)
	api(t, conn, "originate {origination_uuid=a,origination_caller_id_name='X \"Y\" <&>'}user/1003 &park()")
	for command, want := range map[string][]string{
		"show channels":              {"\n1 total.\n", "uuid,direction,", "a,outbound,", `"X ""Y"" <&>"`},
		"show channels as json":      {`{"row_count":1,"rows":[{"uuid":"a"`},
		"show channels as xml":       {`<result row_count="1">`, "<uuid>a</uuid>", "&lt;&amp;&gt;"},
		"show channels count":        {"\n1 total.\n"},
		"show calls as json":         {`"row_count":1`},
		"show registrations as json": {`"reg_user":"1001"`},
		"show status":                {"1 session(s) - peak 1"},
		"status":                     {"1 session(s) since startup"},
		"uuid_exists a":              {"true"},
		"uuid_exists b":              {"false"},
		"uuid_dump a":                {"Unique-ID: a\n"},
		"uuid_dump a json":           {`"Unique-ID":"a"`},
		"uuid_getvar a nosuch":       {"_undef_"},
	} {
		got := api(t, conn, command)
		for _, part := range want {
			if !strings.Contains(got, part) {
				t.Errorf("%s: %q lacks %q", command, got, part)
			}
		}
	}
	leg := srv.Leg("a")
	api(t, conn, "uuid_kill a USER_BUSY")
	if err := leg.WaitEnded(testContext(t)); err != nil {
		t.Fatal(err)
	}
	if got := api(t, conn, "show channels"); got != "\n0 total.\n" {
		t.Errorf("after the end: %q", got)
	}
	if got := leg.State().Cause; got != "USER_BUSY" {
		t.Errorf("cause %s", got)
	}
}

func TestBridgeAndTransfer(t *testing.T) {
	srv := start(t, esltest.Config{Extensions: []esltest.Extension{
		{Match: `^7(\d+)$`, Actions: []esltest.Action{{App: "set", Data: "hangup_after_bridge=true"}, {App: "bridge", Data: "user/$1"}}},
	}})
	ctx := testContext(t)
	conn := connect(t, srv)
	if _, err := conn.Send(ctx, esl.Line("event plain CHANNEL_BRIDGE CHANNEL_UNBRIDGE")); err != nil {
		t.Fatal(err)
	}
	call, err := srv.Call(ctx, esltest.CallConfig{To: "71005"})
	if err != nil {
		t.Fatal(err)
	}
	state, err := call.Wait(ctx, func(s esltest.State) bool { return s.BridgedTo != "" })
	if err != nil {
		t.Fatal(err)
	}
	other := srv.Leg(state.BridgedTo)
	if ev, err := conn.ReadEvent(ctx); err != nil || ev.Get("Bridge-B-Unique-ID") != other.UUID() {
		t.Errorf("bridge event %v, %v", ev, err)
	}
	call.Press("12")
	if _, err := other.Wait(ctx, func(s esltest.State) bool { return s.Heard == "12" }); err != nil {
		t.Error(err)
	}
	if got := srv.API(ctx, "uuid_transfer "+other.UUID()+" 9196"); got != "+OK\n" {
		t.Error(got)
	}
	if err := other.WaitApp(ctx, "echo"); err != nil {
		t.Error(err)
	}
	if _, err := call.WaitHangup(ctx); err != nil {
		t.Error(err)
	}
	if ev, err := conn.ReadEvent(ctx); err != nil || ev.Name() != "CHANNEL_UNBRIDGE" {
		t.Errorf("%v, %v", ev, err)
	}
}

func TestUUIDBridge(t *testing.T) {
	srv := start(t, esltest.Config{})
	ctx := testContext(t)
	for _, uuid := range []string{"a", "b"} {
		srv.API(ctx, "originate {origination_uuid="+uuid+"}user/100 &park()")
	}
	a, b := srv.Leg("a"), srv.Leg("b")
	if got := srv.API(ctx, "uuid_bridge a b"); got != "+OK b\n" {
		t.Fatal(got)
	}
	for _, leg := range []*esltest.Call{a, b} {
		if _, err := leg.Wait(ctx, func(s esltest.State) bool { return s.Channel == "CS_EXCHANGE_MEDIA" }); err != nil {
			t.Error(err)
		}
	}
	a.Hangup("")
	if _, err := b.WaitHangup(ctx); err != nil {
		t.Error(err)
	}
}

func TestDigits(t *testing.T) {
	srv := start(t, esltest.Config{Pace: 20})
	ctx := testContext(t)
	for name, tc := range map[string]struct {
		app, data, digits, variable, want string
	}{
		"terminated":  {"play_and_get_digits", "1 4 1 2000 # ivr/x.wav ivr/bad.wav got ^\\d+$", "12#", "got", "12"},
		"full":        {"play_and_get_digits", "1 2 1 2000 # silence_stream://1000 silence got", "345", "got", "34"},
		"too few":     {"play_and_get_digits", "3 3 1 100 # silence silence got", "1", "read_result", "failure"},
		"no match":    {"play_and_get_digits", "1 1 1 100 # silence silence got ^[5-9]$", "1", "got_invalid", "1"},
		"read":        {"read", "1 4 ivr/x.wav got 2000 #", "77#", "got", "77"},
		"read nobody": {"read", "1 4 ivr/x.wav got 100 #", "", "read_result", "timeout"},
		"stops tone":  {"playback", "tone_stream://%(1000,0,440);loops=-1", "*", "playback_terminator_used", "*"},
	} {
		t.Run(name, func(t *testing.T) {
			call, err := srv.Call(ctx, esltest.CallConfig{
				Actions: []esltest.Action{{App: "answer"}, {App: tc.app, Data: tc.data}, {App: "park"}},
				Digits:  tc.digits,
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := call.WaitVariable(ctx, tc.variable, tc.want); err != nil {
				t.Errorf("%s is %q: %v", tc.variable, call.Variable(tc.variable), err)
			}
			call.Hangup("")
		})
	}
}

// TestSlowClientLosesEventsAndItsConnection fills the queue of a client that
// does not read.
func TestSlowClientLosesEventsAndItsConnection(t *testing.T) {
	srv := start(t, esltest.Config{Queue: 100, MaxLost: 50})
	nc, err := net.Dial("tcp", srv.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if _, err := nc.Write([]byte("auth ClueCon\n\nevent plain CUSTOM test::filler\n\n")); err != nil {
		t.Fatal(err)
	}
	body := strings.Repeat("x", 64<<10)
	for i := 0; srv.Connections() > 0; i++ {
		if i > 200_000 {
			t.Fatal("still connected")
		}
		if err := srv.Fire("test::filler", nil, body); err != nil {
			t.Fatal(err)
		}
	}
}

func subscribe(t *testing.T, conn *esl.Conn, line string) {
	t.Helper()
	if _, err := conn.Send(testContext(t), esl.Line(line)); err != nil {
		t.Fatal(err)
	}
}

// TestCommandsDoNotStarveEvents keeps a socket busy with commands while events
// are due on it.
func TestCommandsDoNotStarveEvents(t *testing.T) {
	srv := start(t, esltest.Config{})
	conn := connect(t, srv)
	subscribe(t, conn, "event plain CUSTOM test::x")
	ctx, cancel := context.WithCancel(testContext(t))
	defer cancel()
	got := make(chan error, 1)
	go func() {
		_, err := conn.ReadEvent(ctx)
		got <- err
	}()
	if err := srv.Fire("test::x", nil, ""); err != nil {
		t.Fatal(err)
	}
	for range 200_000 {
		select {
		case err := <-got:
			if err != nil {
				t.Error(err)
			}
			return
		default:
			api(t, conn, "eval x")
		}
	}
	t.Error("no event between 200,000 commands")
}
