package esl_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/esl"
)

// dialing runs Dial against a port that the test serves.
func dialing(t testing.TB, ctx context.Context, l net.Listener, cfg esl.DialConfig) <-chan outcome[*esl.Conn] {
	return start(func() (*esl.Conn, error) {
		c, err := esl.Dial(ctx, l.Addr().String(), cfg)
		if c != nil {
			t.Cleanup(func() { c.Close() })
		}
		return c, err
	})
}

func TestDial(t *testing.T) {
	for name, tc := range map[string]struct {
		cfg  esl.DialConfig
		line string
	}{
		"default password": {esl.DialConfig{}, "auth ClueCon"},
		"password":         {esl.DialConfig{Password: "two words"}, "auth two words"},
		"user":             {esl.DialConfig{User: "100@example.net", Password: "p:w"}, "userauth 100@example.net:p:w"},
	} {
		t.Run(name, func(t *testing.T) {
			l := listen(t)
			done := dialing(t, within(t), l, tc.cfg)
			far := accept(t, l)
			far.send(esl.AppendAuthRequest(nil))
			far.expect(tc.line)
			far.reply("+OK accepted")
			if got := receive(t, done, "Dial"); got.err != nil {
				t.Fatal(got.err)
			}
		})
	}
}

// TestDialFails for every reason that there is, with an error that tells which.
// None of them may show the password.
func TestDialFails(t *testing.T) {
	const secret = "hunter2"
	for name, tc := range map[string]struct {
		play func(*peer)
		want error
		says string
	}{
		"wrong password": {func(far *peer) {
			far.send(esl.AppendAuthRequest(nil))
			far.next()
			far.reply("-ERR invalid")
			far.send(esl.AppendDisconnectNotice(nil, "", esl.Goodbye))
			far.fin()
		}, esl.ErrAuthentication, "invalid"},
		"access list": {func(far *peer) {
			far.send(esl.AppendRudeRejection(nil), esl.AppendDisconnectNotice(nil, "", esl.Goodbye))
			far.fin()
		}, esl.ErrAccessDenied, ""},
		"closed at once":            {func(far *peer) { far.fin() }, io.EOF, "no greeting"},
		"reset at once":             {func(far *peer) { far.rst() }, syscall.ECONNRESET, ""}, // may be noticed while dialling
		"closed when authenticated": {func(far *peer) { far.send(esl.AppendAuthRequest(nil)); far.next(); far.fin() }, esl.ErrDisconnected, "authentication"},
		"another protocol":          {func(far *peer) { far.send([]byte("HTTP/1.1 400 Bad Request\r\nContent-Length: x\r\n\r\n")) }, esl.ErrProtocol, ""},
		"an odd answer":             {func(far *peer) { far.send(esl.AppendAuthRequest(nil)); far.next(); far.reply("welcome") }, esl.ErrProtocol, "welcome"},
		"an endless greeting":       {func(far *peer) { far.send([]byte(strings.Repeat("x", 4096))) }, esl.ErrFrameTooLarge, ""},
	} {
		t.Run(name, func(t *testing.T) {
			l := listen(t)
			cfg := esl.DialConfig{Password: secret}
			cfg.Limits.Header = 2048
			done := dialing(t, within(t), l, cfg)
			tc.play(accept(t, l))
			got := receive(t, done, "Dial")
			if got.err == nil || tc.want != nil && !errors.Is(got.err, tc.want) || !strings.Contains(got.err.Error(), tc.says) {
				t.Errorf("got %v, want %v that says %q", got.err, tc.want, tc.says)
			}
			if strings.Contains(fmt.Sprintf("%v %+v %#v", got.err, got.err, got.err), secret) {
				t.Errorf("the error shows the password: %#v", got.err)
			}
		})
	}
}

// TestDialMuteServer: one that accepts and says nothing, at either step, holds the
// caller no longer than the timeout or the caller's own context.
func TestDialMuteServer(t *testing.T) {
	for name, play := range map[string]func(*peer){
		"from the start": func(*peer) {},
		"after greeting": func(far *peer) { far.send(esl.AppendAuthRequest(nil)); far.next() },
		"half a frame":   func(far *peer) { far.send([]byte("Content-Type: auth/req")) },
	} {
		t.Run(name+", Timeout", func(t *testing.T) {
			l := listen(t)
			done := dialing(t, context.Background(), l, esl.DialConfig{Timeout: 50 * time.Millisecond})
			play(accept(t, l))
			got := receive(t, done, "Dial")
			var timeout interface{ Timeout() bool }
			if !errors.Is(got.err, context.DeadlineExceeded) || !errors.As(got.err, &timeout) || !timeout.Timeout() {
				t.Errorf("got %v, want a timeout", got.err)
			}
		})
		t.Run(name+", ctx", func(t *testing.T) {
			l := listen(t)
			cause := errors.New("changed my mind")
			ctx, cancel := context.WithCancelCause(context.Background())
			done := dialing(t, ctx, l, esl.DialConfig{})
			play(accept(t, l))
			cancel(cause)
			if got := receive(t, done, "Dial"); !errors.Is(got.err, cause) {
				t.Errorf("got %v, want the cause", got.err)
			}
		})
	}
}

func TestDialRefused(t *testing.T) {
	l := listen(t)
	addr := l.Addr().String()
	l.Close()
	var op *net.OpError
	if _, err := esl.Dial(within(t), addr, esl.DialConfig{}); !errors.As(err, &op) {
		t.Errorf("got %v, want the network's error", err)
	}
}

// journal writes down what hooks are told.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) add(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, fmt.Sprintf(format, args...))
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Join(j.lines, "\n")
}

type hookKey struct{}

// hooks returns hooks that write into the journal.
func (j *journal) hooks() *esl.Hooks {
	return &esl.Hooks{
		ConnectStart: func(ctx context.Context, info esl.ConnInfo) context.Context {
			j.add("connect start %s", info.Type)
			return context.WithValue(ctx, hookKey{}, "connect")
		},
		ConnectEnd: func(ctx context.Context, info esl.ConnInfo, err error) {
			j.add("connect end %s %v %v", info.Type, ctx.Value(hookKey{}), err == nil)
		},
		Disconnected: func(_ esl.ConnInfo, err error) { j.add("disconnected %v", err) },
		CommandStart: func(ctx context.Context, info esl.CommandInfo) context.Context {
			j.add("start %s %v", info.Name, info.Duration)
			return context.WithValue(ctx, hookKey{}, info.Name)
		},
		CommandEnd: func(ctx context.Context, info esl.CommandInfo, reply *esl.Reply, err error) {
			j.add("end %s %v %v %v %v", info.Name, ctx.Value(hookKey{}), info.Duration > 0, reply != nil, err == nil)
		},
		Events:    func(events []*esl.Event) { j.add("events %d %s", len(events), events[0].Name()) },
		Heartbeat: func(e *esl.Event) { j.add("heartbeat %s", e.Name()) },
		Dropped:   func(reason string, n int) { j.add("dropped %s %d", reason, n) },
		Stalled:   func(full bool) { j.add("stalled %v", full) },
	}
}

// TestHooks holds the order and number of the hooks' calls to what they document.
func TestHooks(t *testing.T) {
	var j journal
	l := listen(t)
	cfg := esl.DialConfig{}
	cfg.Hooks = j.hooks()
	done := dialing(t, within(t), l, cfg)
	far := accept(t, l)
	far.send(esl.AppendAuthRequest(nil))
	far.next()
	far.reply("+OK accepted")
	c := receive(t, done, "Dial").value
	asked := start(func() (*esl.Reply, error) { return c.Send(within(t), esl.Line("api nosuch secret")) })
	far.next()
	far.send(event("HEARTBEAT"), []byte("Content-Type: text/new\nContent-Length: 2\n\nab"), esl.AppendAPIResponse(nil, "-ERR nosuch Command not found!\n"))
	far.reply("+OK unasked for")
	receive(t, asked, "the refusal")
	if _, err := c.ReadEvent(within(t)); err != nil {
		t.Fatal(err)
	}
	far.fin()
	ended(t, c)
	c.Close()
	want := `connect start inbound
start auth 0s
end auth auth true true true
connect end inbound connect true
start api 0s
heartbeat HEARTBEAT
dropped unknown_content_type 1
end api api true true false
dropped unexpected_reply 1
events 1 HEARTBEAT
disconnected EOF`
	until(t, "the last hook", func() bool { return strings.Contains(j.String(), "disconnected") })
	if got := sortedLines(j.String()); got != sortedLines(want) {
		t.Errorf("got\n%s\nwant\n%s", j.String(), want)
	}
}

func TestHooksOfAFailedDial(t *testing.T) {
	var j journal
	l := listen(t)
	cfg := esl.DialConfig{}
	cfg.Hooks = j.hooks()
	done := dialing(t, within(t), l, cfg)
	accept(t, l).fin()
	receive(t, done, "Dial")
	if got, want := j.String(), "connect start inbound\nconnect end inbound connect false"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
