package esltest_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/esl/esltest"
)

// TestTwoSocketsSeeTheSameCall compares what an inbound socket and the call's
// own outbound socket get of the same events.
func TestTwoSocketsSeeTheSameCall(t *testing.T) {
	srv := start(t, esltest.Config{Pace: 20})
	ctx := testContext(t)
	watcher := connect(t, srv)
	subscribe(t, watcher, "event plain CHANNEL_EXECUTE CHANNEL_EXECUTE_COMPLETE CHANNEL_ANSWER CHANNEL_HANGUP CHANNEL_HANGUP_COMPLETE DTMF")
	ln := listen(t)
	call, err := srv.Call(ctx, esltest.CallConfig{Outbound: ln.Addr().String(), Digits: "12"})
	if err != nil {
		t.Fatal(err)
	}
	session := accept(t, ln)
	io.WriteString(session, "connect\n\nmyevents json\n\n"+execute("answer", "")+
		execute("play_and_get_digits", "2 2 1 5000 # silence silence got")+execute("set", "a=b c")+execute("hangup", "USER_BUSY"))
	var own, seen []string
	describe := func(ev *esl.Event) string {
		text := ev.Name() + " " + ev.Get("Event-Sequence")
		for name, value := range ev.Headers() {
			text += "\n" + name + "=" + value
		}
		return text
	}
	dec := esl.NewDecoder(session, esl.Limits{})
	names := []string{"CHANNEL_EXECUTE", "CHANNEL_EXECUTE_COMPLETE", "CHANNEL_ANSWER", "CHANNEL_HANGUP", "CHANNEL_HANGUP_COMPLETE", "DTMF"}
	for {
		f, err := dec.Next()
		if err != nil {
			break
		}
		if f.Get("Content-Type") != "text/event-json" {
			continue
		}
		ev, err := f.Event()
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains(names, ev.Name()) {
			own = append(own, describe(ev))
		}
	}
	for len(seen) == 0 || !strings.HasPrefix(seen[len(seen)-1], "CHANNEL_HANGUP_COMPLETE") {
		ev, err := watcher.ReadEvent(ctx)
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, describe(ev))
	}
	// The socket application itself began before its socket could see it.
	if seen = seen[1:]; !slices.Equal(own, seen) {
		t.Errorf("the outbound socket saw %d events, the inbound one %d:\n%s\n---\n%s", len(own), len(seen), strings.Join(own, "\n"), strings.Join(seen, "\n"))
	}
	if cause, err := call.WaitHangup(ctx); cause != "USER_BUSY" || err != nil {
		t.Errorf("%s, %v", cause, err)
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}

func accept(t *testing.T, ln net.Listener) net.Conn {
	t.Helper()
	conn, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	t.Cleanup(func() { conn.Close() })
	return conn
}

func execute(app, arg string) string {
	return "sendmsg\ncall-command: execute\nexecute-app-name: " + app + "\nexecute-app-arg: " + arg + "\nevent-lock: true\n\n"
}

func TestOutboundServerThatNeverConnects(t *testing.T) {
	srv := start(t, esltest.Config{ConnectTimeout: 20 * time.Millisecond})
	ctx := testContext(t)
	ln := listen(t)
	call, err := srv.Call(ctx, esltest.CallConfig{Outbound: ln.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(accept(t, ln))
	if err != nil || !strings.Contains(string(text), "text/disconnect-notice") {
		t.Errorf("%q, %v", text, err)
	}
	if err := call.WaitEnded(ctx); err != nil {
		t.Error(err)
	}
}

func TestOutboundServerThatIsNotThere(t *testing.T) {
	srv := start(t, esltest.Config{})
	ctx := testContext(t)
	ln := listen(t)
	addr := ln.Addr().String()
	ln.Close()
	call, err := srv.Call(ctx, esltest.CallConfig{Outbound: addr})
	if err != nil {
		t.Fatal(err)
	}
	if cause, err := call.WaitHangup(ctx); cause != "NORMAL_TEMPORARY_FAILURE" || err != nil {
		t.Errorf("%s, %v", cause, err)
	}
}

// TestResumeGoesOnWithTheDialplan closes the socket after resume.
func TestResumeGoesOnWithTheDialplan(t *testing.T) {
	srv := start(t, esltest.Config{})
	ctx := testContext(t)
	ln := listen(t)
	call, err := srv.Call(ctx, esltest.CallConfig{Actions: []esltest.Action{
		{App: "socket", Data: ln.Addr().String() + " async full"}, {App: "answer"}, {App: "echo"}}})
	if err != nil {
		t.Fatal(err)
	}
	conn := accept(t, ln)
	io.WriteString(conn, "connect\n\nresume\n\nexit\n\n")
	io.Copy(io.Discard, conn)
	if err := call.WaitApp(ctx, "echo"); err != nil {
		t.Error(err)
	}
	call.Hangup("")
}

// TestUnknownApplicationEndsTheCall checks the +OK that means nothing.
func TestUnknownApplicationEndsTheCall(t *testing.T) {
	srv := start(t, esltest.Config{})
	ctx := testContext(t)
	ln := listen(t)
	call, err := srv.Call(ctx, esltest.CallConfig{Outbound: ln.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	conn := accept(t, ln)
	io.WriteString(conn, "connect\n\n"+execute("no_such_app", ""))
	replies := 0
	for in := bufio.NewScanner(conn); in.Scan(); {
		if in.Text() == "Reply-Text: +OK" {
			replies++
		}
	}
	if cause, err := call.WaitHangup(ctx); replies != 1 || cause != "DESTINATION_OUT_OF_ORDER" || err != nil {
		t.Errorf("%d replies, %s, %v", replies, cause, err)
	}
}

// TestConference lets two callers in and out.
func TestConference(t *testing.T) {
	srv := start(t, esltest.Config{})
	ctx := testContext(t)
	rec := srv.Record("conference::maintenance")
	defer rec.Stop()
	var calls []*esltest.Call
	for range 2 {
		call, err := srv.Call(ctx, esltest.CallConfig{To: "4000"})
		if err != nil {
			t.Fatal(err)
		}
		calls = append(calls, call)
		if err := call.WaitVariable(ctx, "conference_name", "room1"); err != nil {
			t.Fatal(err)
		}
		if _, err := rec.Wait(ctx, func(ev *esl.Event) bool { return ev.Get("Action") == "add-member" && ev.UUID() == call.UUID() }); err != nil {
			t.Fatal(err)
		}
	}
	if got := srv.API(ctx, "conference list"); !strings.Contains(got, "2 members") {
		t.Error(got)
	}
	for _, call := range calls {
		call.Hangup("")
		if err := call.WaitEnded(ctx); err != nil {
			t.Error(err)
		}
	}
	var actions []string
	for _, ev := range rec.Events() {
		if action := ev.Get("Action"); action != "floor-change" {
			actions = append(actions, action+" "+ev.Get("Conference-Size"))
		}
	}
	want := "[conference-create 0 add-member 1 add-member 2 del-member 1 del-member 0 conference-destroy 0]"
	if got := fmt.Sprint(actions); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestCommandsAreSeen is how a test asserts on what an app has sent.
func TestCommandsAreSeen(t *testing.T) {
	srv := start(t, esltest.Config{})
	conn := connect(t, srv)
	ctx := testContext(t)
	api(t, conn, "originate {origination_uuid=a}user/1001 &park()")
	if got, err := srv.WaitCommand(ctx, "api originate"); err != nil || !strings.Contains(got, "user/1001") {
		t.Errorf("%q, %v", got, err)
	}
	if got := srv.Commands(); got[0] != "auth" {
		t.Errorf("first command %q", got[0])
	}
	leg := srv.Leg("a")
	leg.Execute("playback", "x.wav")
	if err := leg.WaitApp(ctx, "playback"); err != nil {
		t.Error(err)
	}
	if got := leg.Executed(); len(got) != 2 || got[1] != (esltest.Action{App: "playback", Data: "x.wav"}) {
		t.Errorf("executed %v", got)
	}
}

// TestOwnApplicationsAndCommands replaces what the simulator does not have.
func TestOwnApplicationsAndCommands(t *testing.T) {
	ended := make(chan error, 1)
	srv := start(t, esltest.Config{
		Applications: map[string]esltest.Application{
			"valet_park": func(ctx context.Context, call *esltest.Call, arg string) string {
				call.SetVariable("valet_extension", arg)
				<-ctx.Done()
				ended <- ctx.Err()
				return "PARKED"
			},
		},
		APICommands: map[string]func(context.Context, string) string{
			"hash": func(_ context.Context, arg string) string { return "hashed " + arg },
		},
	})
	ctx := testContext(t)
	rec := srv.Record("CHANNEL_EXECUTE_COMPLETE")
	call, err := srv.Call(ctx, esltest.CallConfig{Actions: []esltest.Action{{App: "valet_park", Data: "lot 5"}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := call.WaitVariable(ctx, "valet_extension", "lot 5"); err != nil {
		t.Error(err)
	}
	call.Hangup("")
	if err := <-ended; err == nil {
		t.Error("the context has not ended")
	}
	if _, err := rec.Wait(ctx, func(ev *esl.Event) bool { return ev.Get("Application-Response") == "PARKED" }); err != nil {
		t.Error(err)
	}
	if got := api(t, connect(t, srv), "hash select/x"); got != "hashed select/x" {
		t.Error(got)
	}
}
