package esltest_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/esl/esltest"
)

// TestApplications runs one application after another on a call and looks at the
// event or the variable that it leaves.
func TestApplications(t *testing.T) {
	srv := start(t, esltest.Config{Pace: 100, Frame: -1})
	ctx := testContext(t)
	for name, tc := range map[string]struct {
		actions []esltest.Action
		event   string
		header  string
		want    string
	}{
		"pre_answer": {[]esltest.Action{{App: "pre_answer"}}, "CHANNEL_PROGRESS_MEDIA", "Answer-State", "early"},
		"ring_ready": {[]esltest.Action{{App: "ring_ready"}}, "CHANNEL_PROGRESS", "Answer-State", "ringing"},
		"early media": {[]esltest.Action{{App: "playback", Data: "x.wav"}}, "CHANNEL_PROGRESS_MEDIA",
			"variable_call_uuid", ""},
		"multiset":   {[]esltest.Action{{App: "multiset", Data: "^^;a=1;b=2 3"}}, "CHANNEL_EXECUTE_COMPLETE", "variable_b", "2 3"},
		"unset":      {[]esltest.Action{{App: "set", Data: "a=1"}, {App: "unset", Data: "a"}}, "CHANNEL_HANGUP", "variable_a", ""},
		"multiunset": {[]esltest.Action{{App: "set", Data: "a=1"}, {App: "multiunset", Data: "a b"}}, "CHANNEL_HANGUP", "variable_a", ""},
		"export":     {[]esltest.Action{{App: "export", Data: "nolocal:a=1"}}, "CHANNEL_HANGUP", "variable_nolocal:a", "1"},
		"expansion":  {[]esltest.Action{{App: "set", Data: "a=${destination_number}-${core_uuid}"}}, "CHANNEL_HANGUP", "variable_a", "5000-" + srv.CoreUUID()},
		"missing file": {[]esltest.Action{{App: "playback", Data: "no_such_file.wav"}}, "CHANNEL_EXECUTE_COMPLETE",
			"Application-Response", "FILE NOT FOUND"},
		"endless":        {[]esltest.Action{{App: "endless_playback", Data: "x.wav"}}, "PLAYBACK_STOP", "Playback-Status", "done"},
		"say":            {[]esltest.Action{{App: "say", Data: "en number pronounced 12"}}, "CHANNEL_EXECUTE_COMPLETE", "Application", "say"},
		"speak":          {[]esltest.Action{{App: "speak", Data: "flite|kal|hello"}}, "CHANNEL_EXECUTE_COMPLETE", "Application-Response", "OK"},
		"record":         {[]esltest.Action{{App: "record", Data: "/tmp/a.wav 1"}}, "RECORD_STOP", "Record-File-Path", "/tmp/a.wav"},
		"record_session": {[]esltest.Action{{App: "record_session", Data: "/tmp/a.wav"}}, "RECORD_STOP", "Record-File-Path", "/tmp/a.wav"},
		"stop recording": {[]esltest.Action{{App: "record_session", Data: "/tmp/a.wav"}, {App: "stop_record_session", Data: "/tmp/a.wav"}},
			"RECORD_STOP", "Answer-State", "ringing"},
		"send_dtmf":    {[]esltest.Action{{App: "send_dtmf", Data: "12@100"}}, "CHANNEL_HANGUP", "variable_last_dtmf_duration", "1050"},
		"transfer":     {[]esltest.Action{{App: "transfer", Data: "3001 XML default"}}, "CHANNEL_HANGUP", "Hangup-Cause", "USER_BUSY"},
		"sched_hangup": {[]esltest.Action{{App: "sched_hangup", Data: "+1 ALLOTTED_TIMEOUT"}, {App: "park"}}, "CHANNEL_HANGUP", "Hangup-Cause", "ALLOTTED_TIMEOUT"},
		"event":        {[]esltest.Action{{App: "event", Data: "Event-Subclass=my::sub,Event-Name=CUSTOM,a=b"}}, "my::sub", "a", "b"},
		"busy bridge": {[]esltest.Action{{App: "set", Data: "continue_on_fail=true"}, {App: "bridge", Data: "user/busy"}},
			"CHANNEL_HANGUP", "variable_DIALSTATUS", "BUSY"},
		"failed bridge": {[]esltest.Action{{App: "bridge", Data: "user/busy"}}, "CHANNEL_HANGUP", "Hangup-Cause", "USER_BUSY"},
		"quiet ones":    {[]esltest.Action{{App: "start_dtmf"}, {App: "info"}, {App: "flush_dtmf"}}, "CHANNEL_HANGUP", "Hangup-Cause", "NORMAL_CLEARING"},
	} {
		t.Run(name, func(t *testing.T) {
			rec := srv.Record(tc.event)
			defer rec.Stop()
			call, err := srv.Call(ctx, esltest.CallConfig{Actions: tc.actions, HangupAfter: 300 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			ev, err := rec.Wait(ctx, func(ev *esl.Event) bool {
				return ev.UUID() == call.UUID() && (tc.want == "" || ev.Get(tc.header) == tc.want)
			})
			if err != nil {
				for _, ev := range rec.Events() {
					t.Log(ev)
				}
				t.Fatalf("no %s with %s: %s: %v", tc.event, tc.header, tc.want, err)
			}
			if tc.want == "" && tc.header != "variable_call_uuid" && ev.Get(tc.header) != "" {
				t.Errorf("%s is %q", tc.header, ev.Get(tc.header))
			}
			call.Hangup("")
		})
	}
}

func TestExportReachesTheOtherLeg(t *testing.T) {
	srv := start(t, esltest.Config{})
	ctx := testContext(t)
	call, err := srv.Call(ctx, esltest.CallConfig{Actions: []esltest.Action{
		{App: "export", Data: "both=1"}, {App: "export", Data: "nolocal:there=2"}, {App: "bridge", Data: "user/1002"}}})
	if err != nil {
		t.Fatal(err)
	}
	state, err := call.Wait(ctx, func(s esltest.State) bool { return s.BridgedTo != "" })
	if err != nil {
		t.Fatal(err)
	}
	other := srv.Leg(state.BridgedTo)
	if got := call.Variable("both") + call.Variable("there") + " " + other.Variable("both") + other.Variable("there"); got != "1 12" {
		t.Errorf("got %q", got)
	}
	call.Hangup("")
}

// TestAPICommands checks outputs and effects of commands.
func TestAPICommands(t *testing.T) {
	srv := start(t, esltest.Config{Pace: 100, Frame: -1, Version: "1.10.12-release"})
	ctx := testContext(t)
	call, err := srv.Call(ctx, esltest.CallConfig{UUID: "call", FromName: "Zoë", Actions: []esltest.Action{{App: "answer"}, {App: "park"}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := call.WaitApp(ctx, "park"); err != nil {
		t.Fatal(err)
	}
	for _, tc := range [][2]string{
		{"version short", "1.10.12\n"},
		{"echo a  b", "a  b"},
		{"eval ${domain}", "127.0.0.1"},
		{"eval uuid:call ${caller_id_name} ${destination_number}", "Zoë 5000"},
		{"global_setvar x=y", "+OK\n"},
		{"global_getvar x", "y"},
		{"show channels count", "\n1 total.\n"},
		{"show channels count as json", "{\"row_count\": 1}\n"},
		{"show channels count as xml", "<result row_count=\"1\"/>\n"},
		{"show nonsense", "-USAGE:"},
		{"fsctl loglevel debug", "+OK log level: DEBUG [debug]\n"},
		{"fsctl pause", "+OK\n"},
		{"conference nosuch list", "-ERR Conference nosuch not found\n"},
		{"conference list", "+OK No active conferences.\n"},
		{"uuid_setvar call", "-USAGE:"},
		{"uuid_setvar nosuch a b", "-ERR No such channel!\n"},
		{"uuid_setvar call a b  c", "+OK\n"},
		{"uuid_getvar call a", "b  c"},
		{"uuid_setvar call a", "+OK\n"},
		{"uuid_getvar call a", "_undef_"},
		{"uuid_getvar call channel_name", "sofia/internal/1001@127.0.0.1"},
		{"uuid_send_dtmf call 12", "+OK\n"},
		{"uuid_recv_dtmf call 34", "+OK\n"},
		{"uuid_record call start /tmp/x.wav", "+OK Success\n"},
		{"uuid_record call stop /tmp/other.wav", "-ERR Cannot stop recording!\n"},
		{"uuid_record call stop all", "+OK Success\n"},
		{"uuid_broadcast call silence_stream://1 aleg", "+OK Message sent\n"},
		{"uuid_broadcast call set::b=c", "+OK Message sent\n"},
		{"uuid_park call", "+OK\n"},
		{"uuid_bridge call nosuch", "-ERR Invalid uuid\n"},
		{"uuid_transfer call -bleg 1", "-ERR No such channel!\n"},
		{"uuid_exists call", "true"},
		{"uuid_kill nosuch", "-ERR No such channel!\n"},
		{"sched_hangup +1 call USER_BUSY", "+OK\n"},
	} {
		if got := srv.API(ctx, tc[0]); !strings.HasPrefix(got, tc[1]) {
			t.Errorf("%s: %q, want %q", tc[0], got, tc[1])
		}
	}
	if cause, err := call.WaitHangup(ctx); cause != "USER_BUSY" || err != nil {
		t.Errorf("%s, %v", cause, err)
	}
	state := call.State()
	if state.Heard != "12" || !strings.HasPrefix(state.Pressed, "34") {
		t.Errorf("heard %q, pressed %q", state.Heard, state.Pressed)
	}
}

// TestReplayDialsAnOutboundServer plays a recorded outbound session to a server.
func TestReplayDialsAnOutboundServer(t *testing.T) {
	recording := loadBytes(t, "h6_async_full_exit")
	replay, err := esltest.NewReplay(recording)
	if err != nil {
		t.Fatal(err)
	}
	defer replay.Close()
	ln := listen(t)
	got := make(chan string, 1)
	go func() {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		fmt.Fprint(conn, "connect\n\nsendmsg\ncall-command: execute\n\nexit\n\n")
		var all strings.Builder
		buf := make([]byte, 4096)
		for {
			n, err := conn.Read(buf)
			all.Write(buf[:n])
			if err != nil {
				got <- all.String()
				return
			}
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := replay.Dial(ctx, ln.Addr().String()); err != nil {
		t.Error(err)
	}
	if text := <-got; text != string(recording) {
		t.Errorf("got %d bytes, recorded %d", len(text), len(recording))
	}
	if replay.Played() != 1 {
		t.Errorf("played %d times", replay.Played())
	}
}
