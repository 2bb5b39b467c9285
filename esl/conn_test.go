package esl_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/genesis-esl/genesis/esl"
)

// TestPipelining has many callers at once, whose commands are answered only when
// all have been written. Each must get its own answer.
func TestPipelining(t *testing.T) {
	const callers = 100
	c, far := connected(t, esl.ConnConfig{})
	ctx := within(t)
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			got, err := c.API(ctx, fmt.Sprintf("eval %d", i))
			if err != nil || got != fmt.Sprintf("api eval %d", i) {
				t.Errorf("caller %d got %q, %v", i, got, err)
			}
		})
	}
	var lines []string
	for range callers {
		lines = append(lines, far.next().Line)
	}
	for _, line := range lines {
		far.send(esl.AppendAPIResponse(nil, line))
	}
	wg.Wait()
}

func TestPipelineWritesInOrder(t *testing.T) {
	c, far := connected(t, esl.ConnConfig{})
	done := start(func() ([]*esl.Reply, error) {
		return c.Pipeline(within(t), esl.Line("one"), esl.Line("two"), esl.Line("three"))
	})
	for _, line := range []string{"one", "two", "three"} {
		far.expect(line)
	}
	far.reply("+OK 1")
	far.reply("-ERR 2")
	far.reply("+OK 3")
	got := receive(t, done, "Pipeline")
	var refused *esl.ReplyError
	if !errors.As(got.err, &refused) || refused.Command != "two" || refused.Text != "2" {
		t.Errorf("error %v, want the refusal of two", got.err)
	}
	for i, want := range []string{"+OK 1", "-ERR 2", "+OK 3"} {
		if got.value[i].Text() != want {
			t.Errorf("reply %d: %q, want %q", i, got.value[i].Text(), want)
		}
	}
}

// TestPipelineIsAllOrNothing: one bad command, and none is written.
func TestPipelineIsAllOrNothing(t *testing.T) {
	c, far := connected(t, esl.ConnConfig{})
	if _, err := c.Pipeline(within(t), esl.Line("one"), esl.Line("two\nthree")); !errors.Is(err, esl.ErrInjection) {
		t.Errorf("got %v, want ErrInjection", err)
	}
	c.Close()
	far.expectNothing()
}

// TestPipelineCutInTheMiddle: who got an answer keeps it, who did not is told.
func TestPipelineCutInTheMiddle(t *testing.T) {
	c, far := connected(t, esl.ConnConfig{})
	done := start(func() ([]*esl.Reply, error) {
		return c.Pipeline(within(t), esl.Line("one"), esl.Line("two"))
	})
	far.expect("one")
	far.expect("two")
	far.reply("+OK 1")
	far.fin()
	got := receive(t, done, "Pipeline")
	if !errors.Is(got.err, esl.ErrDisconnected) || len(got.value) != 2 || got.value[0].Text() != "+OK 1" || got.value[1] != nil {
		t.Errorf("got %v, %v", got.value, got.err)
	}
}

// TestLateReplyGoesToNobody is the order of replies after a caller's timeout: the
// next command must not get the answer to the one before.
func TestLateReplyGoesToNobody(t *testing.T) {
	c, far := connected(t, esl.ConnConfig{})
	cause := errors.New("tired of waiting")
	for round := range 3 {
		ctx, leave := context.WithCancelCause(context.Background())
		first := start(func() (string, error) { return c.API(ctx, "slow") })
		far.expect("api slow")
		leave(cause)
		if got := receive(t, first, "the caller that left"); !errors.Is(got.err, cause) || got.value != "" {
			t.Fatalf("round %d: got %q, %v; want the cause", round, got.value, got.err)
		}
		second := start(func() (string, error) { return c.API(within(t), "quick") })
		far.expect("api quick")
		far.send(esl.AppendAPIResponse(nil, "answer to slow"), esl.AppendAPIResponse(nil, "answer to quick"))
		if got := receive(t, second, "the next caller"); got.value != "answer to quick" || got.err != nil {
			t.Fatalf("round %d: got %q, %v", round, got.value, got.err)
		}
	}
}

// TestContextThatHasEnded still counts as one command.
func TestContextThatHasEnded(t *testing.T) {
	c, far := connected(t, esl.ConnConfig{})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := c.API(ctx, "gone"); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want context.Canceled", err)
	}
	done := start(func() (string, error) { return c.API(within(t), "next") })
	if line := far.next().Line; line == "api gone" { // it may be written or not
		far.send(esl.AppendAPIResponse(nil, "gone"))
		far.expect("api next")
	}
	far.send(esl.AppendAPIResponse(nil, "next"))
	if got := receive(t, done, "the next caller"); got.value != "next" || got.err != nil {
		t.Errorf("got %q, %v", got.value, got.err)
	}
}

// TestValueIsNoHeader: a getvar gives what a caller has put into a header of his, line breaks
// included. It is the answer to that getvar, and changes nothing for the next.
func TestValueIsNoHeader(t *testing.T) {
	for _, line := range []string{
		"Content-Type: x", "Content-Type: text/event-plain", "Content-Type: text/disconnect-notice", "Content-Type: text/rude-rejection",
		"Content-Length: 4000", "Content-Length: 99999999999", "Content-Length: x", "Reply-Text: y\nContent-Type: x",
	} {
		for _, first := range []string{"Content-Type: command/reply\n", ""} {
			t.Run(first+line, func(t *testing.T) {
				c, far := connected(t, esl.ConnConfig{})
				done := start(func() ([]*esl.Reply, error) {
					return c.Pipeline(within(t), esl.Line("getvar sip_h_X-Evil"), esl.Line("getvar account"))
				})
				far.expect("getvar sip_h_X-Evil")
				far.expect("getvar account")
				far.send([]byte(first + "Reply-Text: x\n" + line + "\n\n"))
				far.reply("4711")
				if got := receive(t, done, "the values"); got.err != nil || got.value[0].Text() != "x" || got.value[1].Text() != "4711" {
					t.Errorf("got %v, %v", got.value, got.err)
				}
			})
		}
	}
}

func TestRefusals(t *testing.T) {
	for name, tc := range map[string]struct {
		send          func(context.Context, *esl.Conn) (string, error)
		frame         []byte
		command, text string
		output        string
	}{
		"command": {
			func(ctx context.Context, c *esl.Conn) (string, error) {
				r, err := c.Send(ctx, esl.Line("nosuch thing"))
				return r.Text(), err
			},
			esl.AppendReply(nil, "-ERR command not found"), "nosuch", "command not found", "-ERR command not found",
		},
		"api": {
			func(ctx context.Context, c *esl.Conn) (string, error) { return c.API(ctx, "uuid_kill secret") },
			esl.AppendAPIResponse(nil, "-ERR No such channel!\n"), "api uuid_kill", "No such channel!", "-ERR No such channel!\n",
		},
		"usage": {
			func(ctx context.Context, c *esl.Conn) (string, error) { return c.API(ctx, "uuid_dump") },
			esl.AppendAPIResponse(nil, "-USAGE: <uuid>\n"), "api uuid_dump", "-USAGE: <uuid>", "-USAGE: <uuid>\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, far := connected(t, esl.ConnConfig{})
			done := start(func() (string, error) { return tc.send(within(t), c) })
			far.next()
			far.send(tc.frame)
			got := receive(t, done, "the refusal")
			var refused *esl.ReplyError
			if !errors.As(got.err, &refused) || refused.Command != tc.command || refused.Text != tc.text || got.value != tc.output {
				t.Errorf("got %q, %+v", got.value, got.err)
			}
			if strings.Contains(fmt.Sprint(got.err), "secret") {
				t.Errorf("the error %v holds an argument", got.err)
			}
			if c.Err() != nil {
				t.Errorf("the connection ended: %v", c.Err())
			}
		})
	}
}

// TestSocketDies under waiting commands: all return at once, and say whether they
// may have run.
func TestSocketDies(t *testing.T) {
	for name, die := range map[string]func(*esl.Conn, *peer){
		"FIN":     func(_ *esl.Conn, far *peer) { far.fin() },
		"RST":     func(_ *esl.Conn, far *peer) { far.rst() },
		"Close":   func(c *esl.Conn, _ *peer) { c.Close() },
		"garbage": func(_ *esl.Conn, far *peer) { far.send([]byte("Content-Length: many\n\n")) },
	} {
		t.Run(name, func(t *testing.T) {
			c, far := connected(t, esl.ConnConfig{})
			var waiting []<-chan outcome[string]
			for range 10 {
				waiting = append(waiting, start(func() (string, error) { return c.API(context.Background(), "wait") }))
				far.expect("api wait")
			}
			job := start(func() (string, error) { return c.BgAPI(context.Background(), "wait") })
			far.expect("event plain BACKGROUND_JOB")
			die(c, far)
			for _, w := range waiting {
				checkLost(t, receive(t, w, "a waiting command").err, true)
			}
			checkLost(t, receive(t, job, "a job that was not sent").err, false)
			_, err := c.API(context.Background(), "late")
			checkLost(t, err, false)
			if _, err := c.ReadEvent(context.Background()); !errors.Is(err, c.Err()) {
				t.Errorf("ReadEvent: %v, want %v", err, c.Err())
			}
		})
	}
}

func checkLost(t *testing.T, err error, sent bool) {
	t.Helper()
	var lost *esl.DisconnectedError
	if !errors.Is(err, esl.ErrDisconnected) || !errors.As(err, &lost) || lost.Sent != sent || lost.Cause == nil {
		t.Errorf("got %v, want ErrDisconnected with Sent %v and a cause", err, sent)
	}
}

// lingering is a socket that takes its time to close, and counts what is written until then.
type lingering struct {
	net.Conn
	written atomic.Int64
	closed  atomic.Bool
}

func (l *lingering) Write(b []byte) (int, error) {
	n, err := l.Conn.Write(b)
	l.written.Add(int64(n))
	return n, err
}

func (l *lingering) Close() error {
	for range 10 {
		runtime.Gosched()
	}
	defer l.closed.Store(true)
	return l.Conn.Close()
}

// TestNotSentIsNotWritten ends connections just as a command is about to be written: where
// the error says that it was not sent, no byte of it may follow.
func TestNotSentIsNotWritten(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // one goroutine after the other
	for range 50 {
		nc, _ := socketPair(t)
		socket := &lingering{Conn: nc}
		c := esl.NewConn(socket, esl.ConnConfig{})
		done := start(func() (string, error) { return c.API(context.Background(), "originate user/1000 &park") })
		runtime.Gosched()
		c.Close()
		var lost *esl.DisconnectedError
		if got := receive(t, done, "the command"); !errors.As(got.err, &lost) {
			t.Fatalf("got %v, want a DisconnectedError", got.err)
		}
		if n := socket.written.Load(); !lost.Sent && n > 0 {
			t.Fatalf("%d bytes were written of a command that was not sent", n)
		}
	}
}

// TestReasons holds Err to what ended the connection.
func TestReasons(t *testing.T) {
	for name, tc := range map[string]struct {
		end  func(*esl.Conn, *peer)
		want error
		says string
	}{
		"closed by us":   {func(c *esl.Conn, _ *peer) { c.Close() }, esl.ErrClosed, ""},
		"closed by peer": {func(_ *esl.Conn, far *peer) { far.fin() }, io.EOF, ""},
		"within a frame": {func(_ *esl.Conn, far *peer) { far.send([]byte("Content-Ty")); far.fin() }, io.ErrUnexpectedEOF, ""},
		"within a body":  {func(_ *esl.Conn, far *peer) { far.send([]byte("Content-Length: 5\n\nabc")); far.fin() }, io.ErrUnexpectedEOF, ""},
		"with a notice": {func(_ *esl.Conn, far *peer) {
			far.send(esl.AppendDisconnectNotice(nil, "", "The system is being shut down.\n"))
			far.fin()
		}, io.EOF, "The system is being shut down."},
		"negative length": {func(_ *esl.Conn, far *peer) { far.send([]byte("Content-Length: -5\n\n")) }, esl.ErrProtocol, "-5"},
		"no number":       {func(_ *esl.Conn, far *peer) { far.send([]byte("Content-Length: 5x\nContent-Type: api/response\n\n")) }, esl.ErrProtocol, "5x"},
		"10 GB": {func(_ *esl.Conn, far *peer) {
			far.send([]byte("Content-Length: 10737418240\nContent-Type: text/event-plain\n\n"))
		}, esl.ErrFrameTooLarge, "10737418240"},
		"beyond int64":   {func(_ *esl.Conn, far *peer) { far.send([]byte("Content-Length: 99999999999999999999\n\n")) }, esl.ErrProtocol, ""},
		"rude rejection": {func(_ *esl.Conn, far *peer) { far.send(esl.AppendRudeRejection(nil)) }, esl.ErrAccessDenied, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c, far := connected(t, esl.ConnConfig{})
			tc.end(c, far)
			if err := ended(t, c); !errors.Is(err, tc.want) || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %v, want %v with %q", err, tc.want, tc.says)
			}
			c.Close()
			if err := c.Err(); !errors.Is(err, tc.want) {
				t.Errorf("a second Close made it %v", err)
			}
		})
	}
}
