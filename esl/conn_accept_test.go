package esl_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/esl"
)

// TestAccept is FreeSWITCH dialling us, with the answers that it gave in the
// recordings of outbound calls.
func TestAccept(t *testing.T) {
	nc, far := socketPair(t)
	type accepted struct {
		c       *esl.Conn
		replies []*esl.Reply
	}
	done := start(func() (accepted, error) {
		c, replies, err := esl.Accept(within(t), nc, esl.ConnConfig{}, esl.Line("linger"), esl.Line("nosuch"))
		return accepted{c, replies}, err
	})
	far.expect("connect")
	far.expect("linger")
	far.expect("nosuch")
	far.send(channelData(t))
	far.reply("+OK will linger")
	far.reply("-ERR command not found")
	got := receive(t, done, "Accept")
	if got.err != nil {
		t.Fatal(got.err)
	}
	t.Cleanup(func() { got.value.c.Close() })
	if name := got.value.replies[0].Event().Name(); name != "CHANNEL_DATA" || got.value.replies[0].Event().UUID() == "" || got.value.replies[2].OK() {
		t.Errorf("replies %v, event %q", got.value.replies, name)
	}
}

// channelData is what FreeSWITCH answered to connect.
func channelData(t *testing.T) []byte {
	d := esl.NewDecoder(strings.NewReader(string(recording(t, "h1_async_full"))), esl.Limits{})
	frame, err := d.Next()
	if err != nil {
		t.Fatal(err)
	}
	return frame.Raw
}

func TestAcceptFails(t *testing.T) {
	for name, tc := range map[string]struct {
		play func(*peer)
		want error
	}{
		"closed":   {(*peer).fin, esl.ErrDisconnected},
		"refused":  {func(far *peer) { far.reply("-ERR no") }, nil},
		"no call":  {func(far *peer) { far.reply("+OK") }, esl.ErrProtocol},
		"a client": {func(far *peer) { far.send([]byte("GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n")) }, esl.ErrProtocol},
		"mute":     {func(*peer) {}, context.DeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			nc, far := socketPair(t)
			patient := patience
			if tc.want == context.DeadlineExceeded {
				patient = 30 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(context.Background(), patient)
			defer cancel()
			done := start(func() (*esl.Conn, error) {
				c, _, err := esl.Accept(ctx, nc, esl.ConnConfig{})
				return c, err
			})
			far.expect("connect")
			tc.play(far)
			got := receive(t, done, "Accept")
			if got.err == nil || got.value != nil || tc.want != nil && !errors.Is(got.err, tc.want) {
				t.Errorf("got %v, %v; want %v", got.value, got.err, tc.want)
			}
			if _, err := nc.Write([]byte("x")); err == nil {
				t.Error("the socket is still open")
			}
		})
	}
}

// TestAcceptEndsBehindARefusal: a refusal is no harm, what follows it may be.
func TestAcceptEndsBehindARefusal(t *testing.T) {
	for name, tc := range map[string]struct {
		end  func(*peer)
		want error
	}{"closed": {(*peer).fin, esl.ErrDisconnected}, "mute": {func(*peer) {}, context.DeadlineExceeded}} {
		t.Run(name, func(t *testing.T) {
			nc, far := socketPair(t)
			ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
			defer cancel()
			done := start(func() (*esl.Conn, error) {
				c, _, err := esl.Accept(ctx, nc, esl.ConnConfig{}, esl.Line("linger"), esl.Line("myevents"))
				return c, err
			})
			far.expect("connect")
			far.send(channelData(t))
			far.reply("-ERR command not found")
			tc.end(far)
			if got := receive(t, done, "Accept"); got.value != nil || !errors.Is(got.err, tc.want) {
				t.Errorf("got %v, %v; want %v", got.value, got.err, tc.want)
			}
		})
	}
}
