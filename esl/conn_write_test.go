package esl_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/esl"
)

// unread returns a Conn with little room in its socket, whose peer reads nothing and
// answers all the same, whatever may have been said.
func unread(t *testing.T, cfg esl.ConnConfig) (*esl.Conn, *peer) {
	t.Helper()
	nc, far := socketPair(t)
	if err := errors.Join(nc.(*net.TCPConn).SetWriteBuffer(64<<10), far.nc.SetReadBuffer(64<<10)); err != nil {
		t.Fatal(err)
	}
	c := esl.NewConn(nc, cfg)
	over := start(func() (struct{}, error) {
		for replies := slices.Repeat(esl.AppendReply(nil, "+OK"), 100); ; {
			if _, err := far.nc.Write(replies); err != nil {
				return struct{}{}, err
			}
		}
	})
	t.Cleanup(func() {
		c.Close()
		receive(t, over, "the peer")
	})
	return c, far
}

// long is a command that soon fills a socket.
func long(number int) esl.Line {
	return esl.Line(fmt.Sprintf("api eval %d %s", number, strings.Repeat("x", 3000)))
}

// TestSendWithoutRoom: a command for which the socket has no room keeps nobody longer
// than his context allows, even where it is the only one and nothing is unanswered. It
// is written when there is room, whole and in its turn.
func TestSendWithoutRoom(t *testing.T) {
	const commands = 150
	var begun []int // some may have no time left to begin
	i := 0
	c, far := unread(t, esl.ConnConfig{WriteTimeout: time.Hour, Hooks: &esl.Hooks{
		CommandStart: func(ctx context.Context, _ esl.CommandInfo) context.Context {
			begun = append(begun, i)
			return ctx
		},
	}})
	all := start(func() (struct{}, error) {
		for i = range commands {
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
			_, err := c.Send(ctx, long(i))
			cancel()
			if err != nil && !errors.Is(err, context.DeadlineExceeded) {
				return struct{}{}, err
			}
		}
		return struct{}{}, nil
	})
	if got := receive(t, all, "the commands"); got.err != nil {
		t.Error(got.err)
	}
	if len(begun) < commands/2 {
		t.Errorf("only %d of %d commands had the time to begin", len(begun), commands)
	}
	for _, i := range begun {
		far.expect(string(long(i)))
	}
}

// TestWriteTimeoutOfOneCommandAfterAnother: there is no need of a crowd for it.
func TestWriteTimeoutOfOneCommandAfterAnother(t *testing.T) {
	c, _ := unread(t, esl.ConnConfig{WriteTimeout: 50 * time.Millisecond})
	refused := start(func() (*esl.Reply, error) {
		for {
			if _, err := c.Send(context.Background(), long(0)); err != nil {
				return nil, err
			}
		}
	})
	if got := receive(t, refused, "the end"); !errors.Is(got.err, esl.ErrDisconnected) {
		t.Errorf("got %v, want ErrDisconnected", got.err)
	}
	var timeout net.Error
	if err := ended(t, c); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("the connection ended with %v, want a timeout", err)
	}
}

// TestSentIsWhatWasWritten: where writing ends within what it was given, a command of which the
// peer has taken no byte can be sent again.
func TestSentIsWhatWasWritten(t *testing.T) {
	const first = "api one\n\n"
	for taken, want := range map[int][]bool{
		0:              {false, false},
		1:              {true, false},
		len(first):     {true, false},
		len(first) + 1: {true, true},
	} {
		t.Run(fmt.Sprint(taken), func(t *testing.T) {
			near, far := net.Pipe()
			defer far.Close()
			checkSent(t, near, func() error {
				_, err := io.ReadFull(far, make([]byte, taken))
				return err
			}, want, esl.Line("api one"), esl.Line("api two"))
		})
	}
	t.Run("TCP", func(t *testing.T) {
		near, _ := socketPair(t)
		full := esl.Line("api " + strings.Repeat("x", 32<<20)) // more than the sockets have room for
		checkSent(t, near, func() error { return nil }, []bool{true, false}, full, esl.Line("api two"))
	})
}

// checkSent writes commands at once to a peer that takes a part of them, and compares which of
// them are said to be sent.
func checkSent(t *testing.T, nc net.Conn, take func() error, want []bool, cmds ...esl.Command) {
	t.Helper()
	var ends []error
	c := esl.NewConn(nc, esl.ConnConfig{WriteTimeout: 50 * time.Millisecond, Hooks: &esl.Hooks{
		CommandEnd: func(_ context.Context, _ esl.CommandInfo, _ *esl.Reply, err error) { ends = append(ends, err) },
	}})
	defer c.Close()
	done := start(func() ([]*esl.Reply, error) { return c.Pipeline(within(t), cmds...) })
	if err := take(); err != nil {
		t.Fatal(err)
	}
	receive(t, done, "the commands")
	if len(ends) != len(want) {
		t.Fatalf("%d commands have ended, want %d", len(ends), len(want))
	}
	for i, err := range ends {
		checkLost(t, err, want[i])
	}
}

// TestEndedContext: whoever has given up already sends nothing.
func TestEndedContext(t *testing.T) {
	c, far := connected(t, esl.ConnConfig{})
	gone := errors.New("gone")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(gone)
	for name, send := range map[string]func() error{
		"Send":     func() error { _, err := c.Send(ctx, esl.Line("exit")); return err },
		"Pipeline": func() error { _, err := c.Pipeline(ctx, esl.Line("exit"), esl.Line("exit")); return err },
		"API":      func() error { _, err := c.API(ctx, "originate user/1000 &park"); return err },
		"BgAPI":    func() error { _, err := c.BgAPI(ctx, "originate user/1000 &park"); return err },
	} {
		if err := send(); !errors.Is(err, gone) {
			t.Errorf("%s: got %v, want the cause of the end", name, err)
		}
	}
	c.Close()
	far.expectNothing()
}
