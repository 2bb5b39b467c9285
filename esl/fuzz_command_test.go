package esl_test

import (
	"context"
	"errors"
	"net"
	"net/textproto"
	"sync"
	"testing"

	"github.com/percipia/eslgo/command"
	"github.com/percipia/eslgo/command/call"

	"github.com/genesis-esl/genesis/esl"
)

// scribe is FreeSWITCH's end of a connection that answers every command and
// remembers what it was given.
type scribe struct {
	mu   sync.Mutex
	seen []*esl.Request
}

func (s *scribe) serve(nc net.Conn) {
	defer nc.Close()
	requests := esl.NewRequestReader(nc, esl.Limits{})
	for {
		request, err := requests.Next()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.seen = append(s.seen, request)
		s.mu.Unlock()
		if _, err := nc.Write(esl.AppendReply(nil, "+OK")); err != nil {
			return
		}
	}
}

func (s *scribe) take() []*esl.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := s.seen
	s.seen = nil
	return seen
}

// FuzzCommand fills user data into commands of every shape. Either it is refused
// and nothing is written, or FreeSWITCH reads exactly one command that holds it.
func FuzzCommand(f *testing.F) {
	for _, attack := range attacks {
		f.Add(uint8(0), attack, "b")
		f.Add(uint8(3), "a", attack)
	}
	for shape := range uint8(9) {
		f.Add(shape, "plain", "text")
	}
	client, far := net.Pipe()
	var s scribe
	go s.serve(far)
	c := esl.NewConn(client, esl.ConnConfig{})
	f.Cleanup(func() { c.Close() })
	f.Fuzz(func(t *testing.T, shape uint8, a, b string) {
		var cmd esl.Command
		switch shape % 9 {
		case 0:
			cmd = esl.Line("api " + a + " " + b)
		case 1:
			cmd = command.API{Command: a, Arguments: b, Background: true}
		case 2:
			cmd = &call.Execute{UUID: "u", AppName: a, AppArgs: b}
		case 3:
			cmd = &command.SendEvent{Name: "NOTIFY", Headers: textproto.MIMEHeader{a: {b}}, Body: b}
		case 4:
			cmd = call.Set{UUID: "u", Key: a, Value: b}
		case 5:
			cmd = &command.SendMessage{UUID: a, Headers: textproto.MIMEHeader{"X": {b}}}
		case 6:
			cmd = command.Filter{EventHeader: a, FilterValue: b}
		case 7:
			cmd = raw(a + b)
		case 8:
			cmd = call.Hangup{UUID: a, Cause: b}
		}
		ctx := context.Background()
		_, err := c.Send(ctx, cmd)
		if _, end := c.Send(ctx, esl.Line("sentinel")); end != nil {
			t.Fatalf("the connection is broken after %q: %v", cmd, end)
		}
		seen := s.take()
		want := 2
		if err != nil {
			want = 1
			if errors.Is(err, esl.ErrDisconnected) {
				t.Fatal(err)
			}
		}
		if len(seen) != want || seen[want-1].Line != "sentinel" {
			t.Fatalf("%T of %q and %q (%v) was read as %d commands: %+v", cmd, a, b, err, len(seen)-1, seen)
		}
		if err == nil && shape%9 == 0 && seen[0].Line != "api "+a+" "+b {
			t.Fatalf("%q arrived as %q", "api "+a+" "+b, seen[0].Line)
		}
		if err == nil && shape%9 == 4 && string(seen[0].Body) != a+"="+b {
			t.Fatalf("%q arrived as %q", a+"="+b, seen[0].Body)
		}
	})
}
