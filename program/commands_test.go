package program_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/genesis-esl/genesis/program"
)

// TestConsumerCommands has a program write commands before it is connected; they
// are carried out in order once it is, and what they answer comes back.
func TestConsumerCommands(t *testing.T) {
	p := actor(t, "say",
		`{"subscribe": ["test::mark"]}`,
		`{"id": 1, "api": "version"}`,
		`{"id": "two", "api": "no_such_command"}`,
		`{"id": 3, "bgapi": "create_uuid"}`,
		`{"id": 4, "command": "sendevent CUSTOM", "headers": {"Event-Subclass": "test::mark", "Mark": "here"}, "body": "with\n\na body"}`,
		`{"id": 5, "command": "exit"}`,
		`{"id": 6, "command": "event plain ALL"}`,
		`{"id": 16, "command": "exit\tnow"}`,
		`{"id": 7, "api": "uptime\n\nexit"}`,
		`{"id": 8, "command": "sendevent X", "headers": {"A": "b\nc"}}`,
		`{"id": 9, "command": "sendevent X", "headers": {"Content-Length": "3"}}`,
		`{"id": 10, "subscribe": ["a b"]}`,
		`{"id": 11, "subscribe": ["genesis::resync"]}`,
		`{"id": 12, "subscribe": "DTMF"}`,
		`{"id": 13, "api": "status", "timeout": 1}`,
		`{"api": "no_such_command_without_id"}`,
		`{"id": 14, "api": "uptime"}`)
	var n notes
	p.Logger = n.logger()
	serveExample(t, p)
	eventually(t, "the last replies", func() bool {
		answered := func(id string) bool {
			return slices.ContainsFunc(n.lines("stderr"), func(l string) bool { return strings.HasPrefix(l, `{"id":`+id+`,"ok":`) })
		}
		return answered("3") && answered("14") && n.contain(`with\\n\\na body`)
	})
	got := n.lines("stderr")
	for _, want := range []string{
		`{"id":1,"ok":true,"result":"FreeSWITCH`, `{"id":"two","ok":false,"error":"`, `"kind":"refused"}`, `{"id":3,"ok":true,"result":"`,
		`{"id":4,"ok":true,"result":"+OK`, `"Mark":"here"`, `{"id":5,"ok":false,"error":"command: exit is for genesis itself","kind":"invalid"}`,
		`{"id":16,"ok":false,"error":"command: exit is for genesis itself","kind":"invalid"}`, `{"id":6,"ok":false,"error":"command: event would`, `{"id":7,"ok":false,"error":"esl: command is not exactly one message`,
		`{"id":8,"ok":false`, `{"id":9,"ok":false`, `{"id":10,"ok":false`, `{"id":11,"ok":false`, `{"id":12,"ok":false`,
		`{"id":13,"ok":false,"error":"unknown field \"timeout\"","kind":"invalid"}`,
	} {
		if !slices.ContainsFunc(got, func(line string) bool { return strings.Contains(line, want) }) {
			t.Errorf("the program did not get %s", want)
		}
	}
	for _, line := range got {
		if strings.Contains(line, `"Event-Name":"HEARTBEAT"`) {
			t.Error("the program got what it had not subscribed to, after it had subscribed")
		}
	}
	if !n.contain("a command of the program failed") {
		t.Error("the failure of a command without id is not in the log")
	}
	if t.Failed() {
		for _, line := range got {
			t.Logf("%.300s", line)
		}
	}
}

// TestCommandsOfGenesisAreRefused writes commands that are not a program's in all the
// ways in which FreeSWITCH understands them.
func TestCommandsOfGenesisAreRefused(t *testing.T) {
	for line, want := range map[string][2]string{
		"exit":                  {"exit is for genesis", "exit is for genesis"},
		"exit\tnow":             {"exit is for genesis", "exit is for genesis"},
		"Exiting":               {"exit is for genesis", "exit is for genesis"},
		"...":                   {"... is for genesis", "... is for genesis"},
		" auth x":               {"auth is for genesis", "auth is for genesis"},
		"resume":                {"resume is for genesis", "resume is for genesis"},
		"nixevents plain ALL":   {"use subscribe", "the events of the call"},
		"EVENTS\vplain ALL":     {"use subscribe", "the events of the call"},
		"filter\tdelete all":    {"use subscribe", "the events of the call"},
		"logs":                  {"use subscribe", "the events of the call"},
		"sendevent CUSTOM":      {},
		"api exit":              {},
		"getvar event":          {},
		"sendmsg":               {},
		"no_such_event_command": {},
	} {
		for i, call := range []bool{false, true} {
			err := program.Refuse(line, call)
			if (err == nil) != (want[i] == "") || err != nil && !strings.Contains(err.Error(), want[i]) {
				t.Errorf("%q, in a call %v: %v, want %q", line, call, err, want[i])
			}
		}
	}
}

// TestRunAgain runs one host twice, each time with an app of its own.
func TestRunAgain(t *testing.T) {
	p := actor(t, "say", `{"id": 1, "api": "version"}`)
	for range 2 {
		var n notes
		p.Logger = n.logger()
		t.Run("run", func(t *testing.T) {
			serveExample(t, p)
			eventually(t, "the reply", func() bool { return n.contain(`FreeSWITCH Version`) })
		})
	}
}

// TestRunBeforeRegister is a mistake that is told.
func TestRunBeforeRegister(t *testing.T) {
	if err := new(program.Consumer).Run(t.Context(), nil); err == nil {
		t.Error("no error")
	}
}
