package program_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/esl/esltest"
	"github.com/genesis-esl/genesis/outbound"
	"github.com/genesis-esl/genesis/program"
)

// office is a simulated FreeSWITCH whose extension 5000 leads to a program.
type office struct {
	fs  *esltest.Server
	srv *outbound.Server
	// ended gets what each session ended with.
	ended chan error
	begun atomic.Int64 // sessions that were ever handed to the program
}

func newOffice(t *testing.T, p *program.Outbound, mode string) *office {
	t.Helper()
	o := &office{ended: make(chan error, 1000)}
	// A call whose connection is given up before it begins is not made again.
	o.srv = &outbound.Server{Handler: p, Logger: p.Logger, Linger: time.Second, HandshakeTimeout: patience}
	o.srv.SessionHooks = &outbound.Hooks{
		SessionStart: func(*outbound.Session) { o.begun.Add(1) },
		SessionEnd:   func(_ *outbound.Session, _ time.Duration, err error) { o.ended <- err },
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- o.srv.Serve(l) }()
	o.fs = esltest.NewUnstartedServer(esltest.Config{Extensions: []esltest.Extension{{
		Match:   "^5000$",
		Actions: []esltest.Action{{App: "socket", Data: l.Addr().String() + " " + mode}, {App: "hangup", Data: "CALL_REJECTED"}},
	}}})
	if err := o.fs.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = o.srv.Close()
		if err := <-served; !errors.Is(err, outbound.ErrServerClosed) {
			t.Errorf("Serve returned %v", err)
		}
		o.fs.Close()
	})
	return o
}

// call places a call to the program and returns the caller's leg.
func (o *office) call(t *testing.T) (caller string) {
	t.Helper()
	caller = esl.NewUUID()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	done := make(chan struct{})
	go func() {
		defer close(done)
		o.fs.API(ctx, "originate {origination_uuid="+caller+"}loopback/5000/default &park()")
	}()
	t.Cleanup(func() { cancel(); <-done })
	return caller
}

func (o *office) end(t *testing.T) error {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case err := <-o.ended:
		return err
	case <-timer.C:
		t.Fatalf("%d sessions began, %d are open, and none ends", o.begun.Load(), o.srv.Sessions())
		return nil
	}
}

func caller(t *testing.T, name string, args ...string) (*program.Outbound, *notes) {
	t.Helper()
	a := actor(t, name, args...)
	n := new(notes)
	return &program.Outbound{Path: a.Path, Args: a.Args, Env: a.Env, Version: "test", Logger: n.logger()}, n
}

// TestOutboundCommands has a program write commands without waiting for replies;
// they are carried out in order, and what they answer comes back.
func TestOutboundCommands(t *testing.T) {
	p, n := caller(t, "say",
		`{"id": "a", "answer": true}`,
		`{"id": 2, "set": {"color": "light blue", "size": "9"}}`,
		`{"id": 3, "get": "color"}`,
		`{"id": 4, "execute": "playback", "args": "tone_stream://%(50,0,440)"}`,
		`{"id": 5, "playback": "tone_stream://%(50,0,440)"}`,
		`{"id": 6, "sleep": 0.05}`,
		`{"id": 7, "digits": {"max": 1, "timeout": 0.1, "file": "tone_stream://%(50,0,440)"}}`,
		`{"id": 8, "playback": ""}`,
		`{"id": 9, "hangup": "NO_SUCH_CAUSE"}`,
		`{"id": 10, "api": "version"}`,
		`{"id": 11, "command": "exit\tnow"}`,
		`{"id": 17, "command": "events plain ALL"}`,
		`{"id": 12, "wait": ["CHANNEL_ANSWER"], "timeout": 0.05}`,
		`{"id": 13, "answer": false}`,
		`{"id": 14, "api": "uptime\nexit"}`,
		`just text`,
		`{"id": 15, "hangup": "USER_BUSY"}`,
		`{"id": 16, "answer": true}`)
	o := newOffice(t, p, "async full")
	o.call(t)
	if err := o.end(t); err != nil {
		t.Errorf("the session ended with %v", err)
	}
	got := n.lines("stderr")
	if len(got) == 0 || !strings.Contains(got[0], `"CHANNEL_DATA"`) {
		t.Fatalf("the program did not get the channel's data first: %.200q", got)
	}
	for _, want := range []string{
		`{"id":"a","ok":true}`, `{"id":2,"ok":true}`, `{"id":3,"ok":true,"result":"light blue"}`,
		`{"id":4,"ok":true,"result":{"response":"FILE PLAYED"}}`, `"id":5,"ok":true,"result":{"response":"FILE PLAYED","seconds":`,
		`{"id":6,"ok":true}`, `"id":7,"ok":false,"error":"call: no valid digits","kind":"no_digits"`, `"id":8,"ok":false,"error":"playback: empty","kind":"invalid"`,
		`"id":9,"ok":false,"error":"hangup: \"NO_SUCH_CAUSE\" is no hangup cause","kind":"invalid"`, `"id":10,"ok":true,"result":"FreeSWITCH`,
		`"id":11,"ok":false,"error":"command: exit is for genesis itself","kind":"invalid"`, `"id":12,"ok":false`, `"kind":"timeout"`,
		`"id":13,"ok":false,"error":"answer: only true fits here"`, `"id":14,"ok":false`, `"Event-Name":"CHANNEL_HANGUP_COMPLETE"`,
		`{"id":15,"ok":true}`, `"id":16,"ok":false,"error":`, `"kind":"hangup","cause":"USER_BUSY"`,
	} {
		if !slices.ContainsFunc(got, func(line string) bool { return strings.Contains(line, want) }) {
			t.Errorf("the program did not get %s", want)
		}
	}
	if !slices.Contains(n.lines("stdout"), "just text") {
		t.Error("text was not logged")
	}
	if t.Failed() {
		for _, line := range got {
			t.Logf("%.300s", line)
		}
	}
}

// TestOutboundNowOvertakesMany has many commands wait for their turn, which would take
// half an hour; what does not wait for its turn comes before them all the same.
func TestOutboundNowOvertakesMany(t *testing.T) {
	lines := slices.Repeat([]string{`{"sleep": 5}`}, 400)
	p, n := caller(t, "say", append(lines, `{"id": "last", "hangup": "USER_BUSY", "now": true}`)...)
	o := newOffice(t, p, "async full")
	o.call(t)
	if err := o.end(t); err != nil {
		t.Errorf("the session ended with %v", err)
	}
	if !slices.Contains(n.lines("stderr"), `{"id":"last","ok":true}`) {
		t.Errorf("the program did not learn of the hangup: %.300q", n.lines("stderr"))
	}
}

// TestOutboundCommandsBeforeTheEnd has a program write many commands, a line of output
// and one more command, and end while the first is carried out.
func TestOutboundCommandsBeforeTheEnd(t *testing.T) {
	p, n := caller(t, "")
	p.Path, p.Args = "/bin/sh", []string{"-c", `echo '{"answer": true}'; echo '{"sleep": 2}'
		i=0; while [ $i -lt 130 ]; do echo '{"execute": "set", "args": "a=b"}'; i=$((i+1)); done; sleep 0.1
		echo last words; echo '{"execute": "set", "args": "last=one"}'`}
	o := newOffice(t, p, "async full")
	o.call(t)
	if err := o.end(t); err != nil {
		t.Errorf("the session ended with %v", err)
	}
	if !slices.Contains(n.lines("stdout"), "last words") {
		t.Error("the last line of output is not in the log")
	}
	set := 0
	for _, command := range o.fs.Commands() {
		if strings.HasPrefix(command, "sendmsg") && strings.Contains(command, "execute set ") {
			set++
		}
	}
	if set != 131 {
		t.Errorf("%d of 131 commands were carried out", set)
	}
}

// TestOutboundModes shows what is left of the commands without full and async.
func TestOutboundModes(t *testing.T) {
	p, n := caller(t, "say",
		`{"id": 1, "answer": true}`, `{"id": 2, "api": "version"}`, `{"id": 3, "bgapi": "version"}`,
		`{"id": 4, "get": "direction"}`, `{"id": 5, "execute": "set", "args": "a=b"}`, `{"id": 6, "hangup": ""}`)
	o := newOffice(t, p, "")
	o.call(t)
	if err := o.end(t); err != nil {
		t.Errorf("the session ended with %v", err)
	}
	got := n.lines("stderr")
	for _, want := range []string{
		`{"id":1,"ok":true}`, `"kind":"mode"`, `{"id":2,"ok":false,`, `{"id":3,"ok":false,`, `{"id":4,"ok":true,"result":"inbound"}`, `{"id":5,"ok":true,`,
	} {
		if !slices.ContainsFunc(got, func(line string) bool { return strings.Contains(line, want) }) {
			t.Errorf("the program did not get %s", want)
		}
	}
	if t.Failed() {
		for _, line := range got {
			t.Logf("%.300s", line)
		}
	}
}

func TestOutboundEnvironment(t *testing.T) {
	t.Setenv("ESL_PASSWORD", "secret")
	p, n := caller(t, "environment")
	o := newOffice(t, p, "async full")
	leg := o.call(t)
	eventually(t, "the environment", func() bool { return n.contain("GENESIS_VERSION=test") })
	o.fs.API(t.Context(), "uuid_kill "+leg)
	_ = o.end(t)
	for _, want := range []string{"GENESIS_MODE=outbound", "GENESIS_DESTINATION_NUMBER=5000", "GENESIS_CALL_UUID=", "GENESIS_CALLER_NUMBER="} {
		if !n.contain(want) {
			t.Errorf("the program lacks %s", want)
		}
	}
	if n.contain("secret") {
		t.Error("the program got a secret")
	}
}

// TestOutboundExit shows what the end of the program does to the call.
func TestOutboundExit(t *testing.T) {
	tests := []struct {
		name, actor string
		resume      bool
		wantErr     string
		wantCause   string
	}{
		{"hangs up", "ends", false, "", "NORMAL_CLEARING"},
		{"resumes", "ends", true, "", "CALL_REJECTED"},
		{"fails", "dies-at-once", false, "exit status 7", "NORMAL_TEMPORARY_FAILURE"},
		{"fails and resumes", "dies-at-once", true, "exit status 7", "CALL_REJECTED"},
		{"cannot start", "", false, "no such file", "NORMAL_TEMPORARY_FAILURE"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, _ := caller(t, tt.actor)
			p.Resume = tt.resume
			if tt.actor == "" {
				p.Path = "/nowhere/at/all"
			}
			o := newOffice(t, p, "async full")
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			by, err := esl.Dial(ctx, o.fs.Addr(), esl.DialConfig{})
			if err != nil {
				t.Fatal(err)
			}
			defer by.Close()
			if _, err := by.Send(ctx, esl.Line("event plain CHANNEL_HANGUP_COMPLETE")); err != nil {
				t.Fatal(err)
			}
			o.call(t)
			err = o.end(t)
			if (err == nil) != (tt.wantErr == "") || err != nil && !strings.Contains(err.Error(), tt.wantErr) {
				t.Errorf("the session ended with %v", err)
			}
			for {
				ev, err := by.ReadEvent(ctx)
				if err != nil {
					t.Fatalf("no hangup: %v", err)
				}
				if ev.Get("Caller-Destination-Number") == "5000" && ev.Get("Call-Direction") == "inbound" {
					if got := ev.Get("Hangup-Cause"); got != tt.wantCause {
						t.Errorf("hung up with %s, want %s", got, tt.wantCause)
					}
					return
				}
			}
		})
	}
}

// TestOutboundHangupEndsPrograms hangs up on programs of every kind of manners.
func TestOutboundHangupEndsPrograms(t *testing.T) {
	for _, name := range []string{"say", "never-reads", "ignores", "closes-stdin", "leaves-child", "garbage"} {
		t.Run(name, func(t *testing.T) {
			p, n := caller(t, name)
			p.Stop = program.Stop{Close: 100 * time.Millisecond, Interrupt: 50 * time.Millisecond, Terminate: 50 * time.Millisecond}
			o := newOffice(t, p, "async full")
			leg := o.call(t)
			eventually(t, "the session", func() bool { return o.begun.Load() == 1 })
			if name == "garbage" {
				eventually(t, "the garbage", func() bool { return n.contain("after all that") })
			}
			if out := o.fs.API(t.Context(), "uuid_kill "+leg); !strings.HasPrefix(out, "+OK") {
				t.Fatalf("uuid_kill: %s", out)
			}
			if err := o.end(t); err != nil {
				t.Errorf("the session ended with %v", err)
			}
		})
	}
}

// TestOutboundKilledAtEachPoint has programs killed in the middle of their call: the
// session ends with an error and the call with it.
func TestOutboundKilledAtEachPoint(t *testing.T) {
	for _, point := range deaths {
		t.Run(point, func(t *testing.T) {
			p, _ := caller(t, "dies-at", point)
			o := newOffice(t, p, "async full")
			o.call(t)
			if err := o.end(t); err == nil || !strings.Contains(err.Error(), "killed") {
				t.Errorf("the session ended with %v", err)
			}
			eventually(t, "the end of the call", func() bool {
				return strings.HasPrefix(strings.TrimSpace(o.fs.API(t.Context(), "show channels")), "0 total")
			})
		})
	}
}

// TestOutboundManyCalls has a hundred calls at once.
func TestOutboundManyCalls(t *testing.T) {
	const calls = 100
	p, n := caller(t, "say", `{"answer": true}`, `{"playback": "tone_stream://%(20,0,440)"}`, `{"hangup": "NORMAL_CLEARING"}`)
	o := newOffice(t, p, "async full")
	for range calls {
		o.call(t)
	}
	for range calls {
		if err := o.end(t); err != nil {
			t.Error(err)
		}
	}
	if n.contain(`"level":"ERROR"`) {
		t.Error("there are errors in the log")
	}
}
