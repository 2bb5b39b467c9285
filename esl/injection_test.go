package esl_test

import (
	"errors"
	"net"
	"net/textproto"
	"strings"
	"testing"

	"github.com/percipia/eslgo/command"
	"github.com/percipia/eslgo/command/call"

	"github.com/genesis-esl/genesis/esl"
)

// attacks are what a caller ID, a dialled number or a form field can hold when
// somebody wants a command of theirs to be run.
var attacks = []string{
	"x\n\napi system id",
	"x\r\n\r\napi system id",
	"x\nexecute-app-name: system",
	"x\r\nexecute-app-name: system",
	"x\rapi system id",
	"\n", "\r", "x\n", "\nx",
	"x\x00y",
}

// smuggler is an address as a broken resolver or a rogue plug-in may build it.
type smuggler string

func (s smuggler) Network() string { return "tcp" }
func (s smuggler) String() string  { return string(s) }

// raw is a command built by hand.
type raw string

func (r raw) BuildMessage() string { return string(r) }

// fillable returns every field of every command that an application can fill in.
func fillable() map[string]func(string) esl.Command {
	ok := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9}
	return map[string]func(string) esl.Command{
		"Line":                    func(s string) esl.Command { return esl.Line("api " + s) },
		"API.Command":             func(s string) esl.Command { return command.API{Command: s} },
		"API.Arguments":           func(s string) esl.Command { return command.API{Command: "eval", Arguments: s} },
		"API.Arguments, bgapi":    func(s string) esl.Command { return command.API{Command: "eval", Arguments: s, Background: true} },
		"*API.Arguments":          func(s string) esl.Command { return &command.API{Command: "eval", Arguments: s} },
		"Auth.User":               func(s string) esl.Command { return command.Auth{User: s, Password: "p"} },
		"Auth.Password":           func(s string) esl.Command { return command.Auth{Password: s} },
		"Event.Format":            func(s string) esl.Command { return command.Event{Format: s} },
		"Event.Listen":            func(s string) esl.Command { return command.Event{Format: "plain", Listen: []string{"ALL", s}} },
		"Event.Listen, nixevent":  func(s string) esl.Command { return command.Event{Ignore: true, Listen: []string{s}} },
		"MyEvents.Format":         func(s string) esl.Command { return command.MyEvents{Format: s} },
		"MyEvents.UUID":           func(s string) esl.Command { return command.MyEvents{Format: "plain", UUID: s} },
		"SendEvent.Name":          func(s string) esl.Command { return &command.SendEvent{Name: s, Headers: header("A", "b")} },
		"SendEvent.Headers value": func(s string) esl.Command { return &command.SendEvent{Name: "NOTIFY", Headers: header("A", s)} },
		"SendEvent.Headers name":  func(s string) esl.Command { return &command.SendEvent{Name: "NOTIFY", Headers: header(s, "b")} },
		"SendEvent.Headers, body": func(s string) esl.Command {
			return &command.SendEvent{Name: "NOTIFY", Headers: header("A", s), Body: "text"}
		},
		"SendMessage.UUID":    func(s string) esl.Command { return &command.SendMessage{UUID: s, Headers: header("A", "b")} },
		"SendMessage.Headers": func(s string) esl.Command { return &command.SendMessage{UUID: "u", Headers: header("A", s)} },
		"SendMessage name":    func(s string) esl.Command { return &command.SendMessage{UUID: "u", Headers: header(s, "b")} },
		"Filter.EventHeader":  func(s string) esl.Command { return command.Filter{EventHeader: s, FilterValue: "v"} },
		"Filter.FilterValue":  func(s string) esl.Command { return command.Filter{EventHeader: "h", FilterValue: s} },
		"Filter.Delete":       func(s string) esl.Command { return command.Filter{Delete: true, EventHeader: "h", FilterValue: s} },
		"Execute.UUID":        func(s string) esl.Command { return &call.Execute{UUID: s, AppName: "set", AppArgs: "a=b"} },
		"Execute.AppName":     func(s string) esl.Command { return &call.Execute{UUID: "u", AppName: s} },
		"Execute.AppArgs":     func(s string) esl.Command { return &call.Execute{UUID: "u", AppName: "set", AppArgs: s} },
		"Execute.AppUUID":     func(s string) esl.Command { return &call.Execute{UUID: "u", AppName: "set", AppUUID: s} },
		"Execute.AppName, body": func(s string) esl.Command {
			return &call.Execute{UUID: "u", AppName: s, AppArgs: "a", ForceBody: true}
		},
		"Set.UUID":             func(s string) esl.Command { return call.Set{UUID: s, Key: "k", Value: "v"} },
		"Export.UUID":          func(s string) esl.Command { return call.Export{UUID: s, Key: "k", Value: "v"} },
		"Push.UUID":            func(s string) esl.Command { return call.Push{UUID: s, Key: "k", Value: "v"} },
		"Hangup.UUID":          func(s string) esl.Command { return call.Hangup{UUID: s, Cause: "USER_BUSY"} },
		"Hangup.Cause":         func(s string) esl.Command { return call.Hangup{UUID: "u", Cause: s} },
		"Transfer.Application": func(s string) esl.Command { return call.Transfer{UUID: "u", Application: s} },
		"NoMedia.NoMediaUUID":  func(s string) esl.Command { return call.NoMedia{UUID: "u", NoMediaUUID: s} },
		"Unicast.UUID":         func(s string) esl.Command { return call.Unicast{UUID: s, Local: ok, Remote: ok} },
		"Unicast.Flags":        func(s string) esl.Command { return call.Unicast{UUID: "u", Local: ok, Remote: ok, Flags: s} },
		"Unicast.Local":        func(s string) esl.Command { return call.Unicast{Local: smuggler("[" + s + "]:9"), Remote: ok} },
		"Unicast.Remote zone": func(s string) esl.Command {
			return call.Unicast{Local: ok, Remote: &net.TCPAddr{IP: net.IPv6loopback, Port: 9, Zone: s}}
		},
		"by hand, argument": func(s string) esl.Command { return raw("filter " + s + "\n\n") },
	}
}

// TestInjection puts every attack into every field that an application can fill
// in. All are refused, nothing is written, the connection goes on, and the error
// does not repeat what was in the field.
func TestInjection(t *testing.T) {
	c, far := connected(t, esl.ConnConfig{})
	ctx := within(t)
	for name, build := range fillable() {
		for _, attack := range attacks {
			_, err := c.Send(ctx, build(attack))
			if !errors.Is(err, esl.ErrInjection) {
				t.Errorf("%s %q: got %v, want ErrInjection", name, attack, err)
			} else if strings.Contains(err.Error(), "system") {
				t.Errorf("%s: the error repeats the field: %v", name, err)
			}
		}
	}
	for _, attack := range attacks {
		if _, err := c.API(ctx, attack); !errors.Is(err, esl.ErrInjection) {
			t.Errorf("API(%q): got %v, want ErrInjection", attack, err)
		}
		if _, err := c.BgAPI(ctx, attack); !errors.Is(err, esl.ErrInjection) {
			t.Errorf("BgAPI(%q): got %v, want ErrInjection", attack, err)
		}
	}
	// The first thing to arrive is the first that was sent properly.
	done := start(func() (string, error) { return c.API(within(t), "status") })
	far.expect("api status")
	far.send(esl.AppendAPIResponse(nil, "UP"))
	if got := receive(t, done, "status"); got.value != "UP" || got.err != nil {
		t.Errorf("got %q, %v", got.value, got.err)
	}
}

func header(name, value string) textproto.MIMEHeader { return textproto.MIMEHeader{name: {value}} }

// message is a command whose text is looked at only as a whole.
type message struct{ Body string }

func (m message) BuildMessage() string { return m.Body }

// TestMalformedCommands are refused as well: what is not one message would make
// the next command a part of it.
func TestMalformedCommands(t *testing.T) {
	for name, cmd := range map[string]esl.Command{
		"nil":                 nil,
		"empty":               message{""},
		"blank":               message{"\n\n"},
		"no headers":          &command.SendEvent{Name: "NOTIFY"},
		"two messages":        message{"api one\n\napi two"},
		"CRLF in between":     message{"api one\r\n\r\napi two\r\n\r\n"},
		"mixed line ends":     message{"sendevent X\r\nA: b\n\r\napi two"},
		"half of one":         message{"sendevent X\nContent-Length: 10\n\nabc"},
		"more than one":       message{"sendevent X\nContent-Length: 1\n\nabc"},
		"negative length":     message{"sendevent X\nContent-Length: -1\n\nabc"},
		"two lengths":         message{"sendevent X\nContent-Length: 0\nContent-Length: 3\n\nabc"},
		"two from headers":    &command.SendEvent{Name: "NOTIFY", Headers: textproto.MIMEHeader{"CONTENT-LENGTH": {"0"}, "content-length": {"0"}}},
		"a line no header":    message{"sendevent X\napi two\n\n"},
		"a length of no body": message{"sendevent X\nContent-Length: 3"},
	} {
		t.Run(name, func(t *testing.T) {
			c, far := connected(t, esl.ConnConfig{})
			if reply, err := c.Send(within(t), cmd); err == nil {
				t.Errorf("got %q", reply.Text())
			}
			c.Close()
			far.expectNothing()
		})
	}
}

// TestWhatIsNoInjection must pass as it is: bodies hold any bytes, and a value may
// hold what looks like a command.
func TestWhatIsNoInjection(t *testing.T) {
	any256 := make([]byte, 256)
	for i := range any256 {
		any256[i] = byte(i)
	}
	for name, tc := range map[string]struct {
		cmd        esl.Command
		line, body string
	}{
		"body of any bytes":  {&command.SendEvent{Name: "NOTIFY", Headers: header("A", "b"), Body: string(any256)}, "sendevent NOTIFY", string(any256)},
		"long arguments":     {&call.Execute{UUID: "u", AppName: "set", AppArgs: strings.Repeat("a\n", 2000)}, "sendmsg u", strings.Repeat("a\n", 2000)},
		"a variable's value": {call.Set{UUID: "u", Key: "k", Value: "two\nlines"}, "sendmsg u", "k=two\nlines"},
		"UTF-8":              {esl.Line("api eval grüße \u2028 x"), "api eval grüße \u2028 x", ""},
		"colons":             {command.API{Command: "eval", Arguments: "a: b"}, "api eval a: b", ""},
		"bodies that lie":    {&command.SendEvent{Name: "NOTIFY", Headers: header("Content-Length", "4000"), Body: "text"}, "sendevent NOTIFY", "text"},
	} {
		t.Run(name, func(t *testing.T) {
			c, far := connected(t, esl.ConnConfig{})
			done := start(func() (*esl.Reply, error) { return c.Send(within(t), tc.cmd) })
			if got := far.expect(tc.line); string(got.Body) != tc.body {
				t.Errorf("body %q, want %q", got.Body, tc.body)
			}
			far.reply("+OK")
			if got := receive(t, done, "the reply"); got.err != nil {
				t.Error(got.err)
			}
		})
	}
}
