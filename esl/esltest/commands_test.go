package esltest_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/esl/esltest"
)

// answer sends one command and returns the text of the reply.
func answer(t *testing.T, conn *esl.Conn, line string) string {
	t.Helper()
	reply, err := conn.Send(testContext(t), esl.Line(line))
	if reply == nil {
		t.Fatalf("%s: %v", line, err)
	}
	return reply.Text()
}

// enter logs in as a user.
func enter(t *testing.T, srv *esltest.Server, user, password string) (*esl.Conn, error) {
	t.Helper()
	conn, err := esl.Dial(testContext(t), srv.Addr(), esl.DialConfig{User: user, Password: password})
	if err == nil {
		t.Cleanup(func() { conn.Close() })
	}
	return conn, err
}

func TestPasswordsAreComparedExactly(t *testing.T) {
	srv := start(t, esltest.Config{Users: []esltest.User{{Name: "app@example.net", Password: "pass word"}, {Name: "nobody@example.net"}}})
	for _, tc := range []struct {
		user, password string
		enters         bool
	}{
		{"", "ClueCon", true},
		{"", "cluecon", false},
		{"", "ClueCon ", false},
		{"", " ClueCon", false},
		{"app@example.net", "pass word", true},
		{"app@example.net", "pass word ", false},
		{"app@example.com", "pass word", false},
		{"nobody@example.net", "", false},
	} {
		_, err := enter(t, srv, tc.user, tc.password)
		if tc.enters && err != nil || !tc.enters && !errors.Is(err, esl.ErrAuthentication) {
			t.Errorf("%q with %q: %v", tc.user, tc.password, err)
		}
	}
}

// TestAllowedEvents: what esl-allowed-events means to mod_event_socket.
func TestAllowedEvents(t *testing.T) {
	const fine, denied = "+OK event listener enabled plain", "-ERR permission denied"
	for events, want := range map[string]map[string]string{
		"ALL": {
			"event plain HEARTBEAT":                        fine,
			"event plain ALL":                              fine,
			"event plain CUSTOM":                           fine,
			"event plain CUSTOM sofia::register":           denied,
			"event plain HEARTBEAT CUSTOM sofia::register": denied,
		},
		"all CUSTOM sofia::register": {
			"event plain DTMF CUSTOM sofia::register": fine,
			"event plain CUSTOM sofia::unregister":    denied,
		},
		"heartbeat CUSTOM sofia::register DTMF": {
			"event plain HEARTBEAT":                                    fine,
			"event plain HEARTBEAT CUSTOM sofia::register":             fine,
			"event plain CUSTOM sofia::register sofia::unregister":     denied,
			"event plain CUSTOM SOFIA::REGISTER":                       denied,
			"event plain DTMF":                                         denied,
			"event plain ALL":                                          denied,
			"event plain NO_SUCH_EVENT":                                "-ERR no keywords supplied",
			"event plain HEARTBEAT CUSTOM sofia::register HEARTBEAT":   denied,
			"event plain HEARTBEAT NO_SUCH_EVENT CUSTOM DTMF":          fine,
			"event plain HEARTBEAT CUSTOM conference::maintenance ALL": denied,
		},
		"HEARTBEAT": {
			"event plain CUSTOM": denied,
		},
	} {
		srv := start(t, esltest.Config{Users: []esltest.User{{Name: "app@example.net", Password: "p", Events: strings.Fields(events)}}})
		conn, err := enter(t, srv, "app@example.net", "p")
		if err != nil {
			t.Fatal(err)
		}
		for line, want := range want {
			if got := answer(t, conn, line); got != want {
				t.Errorf("allowed %s: %s: %q, want %q", events, line, got, want)
			}
		}
	}
}

// TestAllIsAll: it means every subclass, until an event is taken back.
func TestAllIsAll(t *testing.T) {
	srv := start(t, esltest.Config{Heartbeat: -1, Users: []esltest.User{{Name: "app@example.net", Password: "p", Events: []string{"ALL"}}}})
	conn, err := enter(t, srv, "app@example.net", "p")
	if err != nil {
		t.Fatal(err)
	}
	fire := func(name string) {
		t.Helper()
		if err := srv.Fire(name, nil, ""); err != nil {
			t.Fatal(err)
		}
	}
	next := func() *esl.Event {
		t.Helper()
		for {
			ev, err := conn.ReadEvent(testContext(t))
			if err != nil {
				t.Fatal(err)
			}
			if ev.Name() == "NOTIFY" || ev.Name() == "CUSTOM" {
				return ev
			}
		}
	}
	subscribe(t, conn, "event plain ALL")
	fire("never::heard")
	if ev := next(); ev.Subclass() != "never::heard" {
		t.Errorf("got %v", ev)
	}
	subscribe(t, conn, "nixevent TRAP")
	fire("never::heard")
	fire("NOTIFY")
	if ev := next(); ev.Name() != "NOTIFY" {
		t.Errorf("got %v of a subclass that the user may not name", ev)
	}
}

// TestFormatIsTheFirstWord of an event command, and stays until there is another.
func TestFormatIsTheFirstWord(t *testing.T) {
	conn := connect(t, start(t, esltest.Config{}))
	for _, tc := range [][2]string{
		{"event HEARTBEAT json", "+OK event listener enabled plain"},
		{"event JSON HEARTBEAT xml", "+OK event listener enabled json"},
		{"event DTMF", "+OK event listener enabled json"},
		{"event xml", "-ERR no keywords supplied"},
		{"event DTMF", "+OK event listener enabled xml"},
		{"event  plain DTMF", "+OK event listener enabled xml"},
	} {
		if got := answer(t, conn, tc[0]); got != tc[1] {
			t.Errorf("%s: %q, want %q", tc[0], got, tc[1])
		}
	}
}

// TestFilterValues: what is a regular expression, and what a word behind a sign.
func TestFilterValues(t *testing.T) {
	for value, want := range map[string]string{
		"abc":      "abc ABC",
		"+abc":     "abc ABC",
		"/^a/":     "abc",
		"/^A/i":    "abc ABC",
		"/b/":      "abc /b/",
		"+/b/":     "/b/",
		"-/b/":     "abc ABC",
		"-abc":     "/b/",
		"/b":       "",
		"/(/":      "",
		"- /^a/":   "abc ABC /b/",
		"-NO_SUCH": "abc ABC /b/",
	} {
		srv := start(t, esltest.Config{Heartbeat: -1})
		conn := connect(t, srv)
		subscribe(t, conn, "event plain CUSTOM test::x")
		if strings.HasPrefix(value, "-") {
			subscribe(t, conn, "filter Event-Name CUSTOM")
		}
		subscribe(t, conn, "filter Text "+value)
		subscribe(t, conn, "filter Text end")
		for _, text := range []string{"abc", "ABC", "/b/", "end"} {
			if err := srv.Fire("test::x", []esl.Header{{Name: "Text", Value: text}}, ""); err != nil {
				t.Fatal(err)
			}
		}
		var got []string
		for {
			ev, err := conn.ReadEvent(testContext(t))
			if err != nil {
				t.Fatal(err)
			}
			if ev.Get("Text") == "end" {
				break
			}
			got = append(got, ev.Get("Text"))
		}
		if got := strings.Join(got, " "); got != want {
			t.Errorf("filter Text %s: %q came, want %q", value, got, want)
		}
	}
}

// TestAllowedCommands: what esl-allowed-api means to mod_event_socket.
func TestAllowedCommands(t *testing.T) {
	srv := start(t, esltest.Config{Users: []esltest.User{{Name: "app@example.net", Password: "p", API: []string{"status", "expand"}}}})
	conn, err := enter(t, srv, "app@example.net", "p")
	if err != nil {
		t.Fatal(err)
	}
	for line, allowed := range map[string]bool{
		"api status":                        true,
		"bgapi status":                      true, // bgapi itself need not be listed
		"api STATUS":                        false,
		"api version":                       false,
		"api expand status":                 true,
		"api expand originate user/1 &park": false,
		"bgapi expand expand version":       false,
		"api bgapi status":                  false,
	} {
		reply, err := conn.Send(testContext(t), esl.Line(line))
		if reply == nil {
			t.Fatalf("%s: %v", line, err)
		}
		if got := reply.Text() != "-ERR permission denied"; got != allowed {
			t.Errorf("%s: allowed %v, want %v", line, got, allowed)
		}
	}
}

// TestFilterOfOneChannel: filters do not tell upper from lower case, in a UUID neither.
func TestFilterOfOneChannel(t *testing.T) {
	srv := start(t, esltest.Config{Heartbeat: -1})
	conn := connect(t, srv)
	subscribe(t, conn, "event plain CUSTOM test::x")
	subscribe(t, conn, "filter Unique-ID AB-1")
	for _, uuid := range []string{"cd-2", "ab-1"} {
		if err := srv.Fire("test::x", []esl.Header{{Name: "Unique-ID", Value: uuid}}, ""); err != nil {
			t.Fatal(err)
		}
	}
	if ev, err := conn.ReadEvent(testContext(t)); err != nil || ev.UUID() != "ab-1" {
		t.Errorf("%v, %v", ev, err)
	}
}

// TestFiltersChangeBetweenEvents: an event that happens while another filter is set or deleted comes.
func TestFiltersChangeBetweenEvents(t *testing.T) {
	const all = 10_000
	srv := start(t, esltest.Config{Heartbeat: -1})
	conn := connect(t, srv)
	subscribe(t, conn, "event plain CUSTOM test::x")
	subscribe(t, conn, "filter Unique-ID ab-1")
	over := make(chan struct{})
	go func() {
		defer close(over)
		for range all {
			if err := srv.Fire("test::x", []esl.Header{{Name: "Unique-ID", Value: "ab-1"}}, ""); err != nil {
				t.Error(err)
			}
		}
	}()
	for fired := false; !fired; {
		subscribe(t, conn, "filter Unique-ID cd-2")
		subscribe(t, conn, "filter delete Unique-ID cd-2")
		select {
		case <-over:
			fired = true
		default:
		}
	}
	ctx := testContext(t)
	for i := range all {
		if _, err := conn.ReadEvent(ctx); err != nil {
			t.Fatalf("%d of %d came: %v", i, all, err)
		}
	}
}

// TestBgapiOfASlowCommand answers at once, whatever takes its time.
func TestBgapiOfASlowCommand(t *testing.T) {
	release := make(chan struct{})
	srv := start(t, esltest.Config{APICommands: map[string]func(context.Context, string) string{
		"slow": func(context.Context, string) string { <-release; return "+OK\n" },
	}})
	conn := connect(t, srv)
	if got := answer(t, conn, "bgapi slow"); !strings.HasPrefix(got, "+OK Job-UUID: ") {
		t.Error(got)
	}
	api(t, conn, "status")
	close(release)
}

// socketOfACall places a call that runs actions and then connects to the test.
func socketOfACall(t *testing.T, srv *esltest.Server, mode string, actions ...esltest.Action) (*esltest.Call, *esl.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	call, err := srv.Call(testContext(t), esltest.CallConfig{
		Actions: append(actions, esltest.Action{App: "socket", Data: l.Addr().String() + mode}),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { call.Hangup("") })
	nc, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	conn, _, err := esl.Accept(testContext(t), nc, esl.ConnConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return call, conn
}

// TestAnswersToTheSocketOfACall that no recording shows.
func TestAnswersToTheSocketOfACall(t *testing.T) {
	srv := start(t, esltest.Config{})
	long := strings.Repeat("0123456789", 60)
	call, conn := socketOfACall(t, srv, " async full", esltest.Action{App: "set", Data: "long=" + long})
	for _, tc := range [][2]string{
		{"getvar long", long[:511]},
		{"getvar no_such", "-ERR command not found"},
		{"getvar", "-ERR command not found"},
		{"divert_events", "-ERR missing value."},
		{"divert_events  ON", "+OK events diverted"},
		{"divert_events maybe", "+OK events not diverted"},
		{"divert_events off", "+OK events not diverted"},
		{"linger", "+OK will linger"},
		{"linger -1", "+OK will linger"},
		{"linger long", "+OK will linger 0 seconds"},
		{"linger 5s", "+OK will linger 5 seconds"},
		{"linger 0", "+OK will linger 0 seconds"},
	} {
		if got := answer(t, conn, tc[0]); got != tc[1] {
			t.Errorf("%s: %q, want %q", tc[0], got, tc[1])
		}
	}
	call.Hangup("")
	select {
	case <-conn.Done(): // lingering for 0 seconds is over at once
	case <-testContext(t).Done():
		t.Error("the socket outlives its call")
	}
}

// message is a sendmsg with these lines.
type message []string

func (m message) BuildMessage() string { return "sendmsg\n" + strings.Join(m, "\n") }

// TestSendmsgHeaders: async has one queued on a socket without async, and session-id stands for the channel.
func TestSendmsgHeaders(t *testing.T) {
	srv := start(t, esltest.Config{})
	call, conn := socketOfACall(t, srv, " full")
	send := func(conn *esl.Conn, lines ...string) string {
		reply, err := conn.Send(testContext(t), message(lines))
		if reply == nil {
			t.Fatalf("%q: %v", lines, err)
		}
		return reply.Text()
	}
	if got := send(conn, "call-command: execute", "execute-app-name: park", "async: true"); got != "+OK" {
		t.Errorf("an application that goes on for ever: %q", got)
	}
	other := connect(t, srv)
	if got := send(other, "call-command: hangup", "session-id: nobody"); got != "-ERR invalid session id [nobody]" {
		t.Error(got)
	}
	if got := send(other, "call-command: hangup", "session-id: "+call.UUID()); got != "+OK" {
		t.Error(got)
	}
}
