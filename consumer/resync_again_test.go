package consumer_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/genesis-esl/genesis/consumer"
	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/esl/esltest"
)

// mute is a connection that ends with the answer to a mark.
type mute struct {
	net.Conn
	asked atomic.Bool
}

func (m *mute) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte("Resync-Mark")) {
		m.asked.Store(true)
	}
	return m.Conn.Write(p)
}

func (m *mute) Read(p []byte) (int, error) {
	n, err := m.Conn.Read(p)
	if m.asked.Load() {
		return 0, io.EOF
	}
	return n, err
}

func count(commands []string, command string) (n int) {
	for _, c := range commands {
		if c == command {
			n++
		}
	}
	return n
}

// TestComparisonAgain: the mark of a comparison that failed does not complete the one that is tried after it, whose list
// is newer than the events before that mark.
func TestComparisonAgain(t *testing.T) {
	var lists atomic.Int64
	var server *esltest.Server
	server = esltest.NewUnstartedServer(esltest.Config{APICommands: map[string]func(context.Context, string) string{
		"show": func(context.Context, string) string {
			if lists.Add(1) == 1 {
				return `{"row_count":0}`
			}
			for _, name := range []string{"CHANNEL_CREATE", "CHANNEL_ANSWER"} {
				if err := server.Fire(name, []esl.Header{{Name: "Unique-ID", Value: "begun"}}, ""); err != nil {
					t.Error(err)
				}
			}
			return `{"row_count":1,"rows":[{"uuid":"begun"}]}`
		},
	}})
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	app, answered := newApp(), make(chan struct{}, 1)
	app.QueueEvents = 1 // so that a handler that takes its time holds up the mark
	known := newCalls(app)
	app.HandleFunc("NOTIFY", func(context.Context, *esl.Event) error {
		eventually(t, "the second mark", func() bool { return count(server.Commands(), "sendevent CUSTOM") == 2 })
		return nil
	})
	app.HandleFunc("CHANNEL_ANSWER", func(context.Context, *esl.Event) error { answered <- struct{}{}; return nil })
	app.OnUp(func(context.Context, esl.Up) {
		for range 2 { // one with the handler, one that waits for room
			if err := server.Fire("NOTIFY", nil, ""); err != nil {
				t.Error(err)
			}
		}
	})
	var dialled atomic.Int64
	serveAs(t, app, esl.ClientConfig{Addr: server.Addr(), Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
		nc, err := new(net.Dialer).DialContext(ctx, network, addr)
		if dialled.Add(1) == 2 { // the first is for events
			nc = &mute{Conn: nc}
		}
		return nc, err
	}})
	await(t, answered, "the call")
	known.mu.Lock()
	defer known.mu.Unlock()
	if known.begun["begun"] != 1 {
		t.Errorf("the call began %d times, told by comparison: %v", known.begun["begun"], known.resyncs)
	}
}

// asking is a connection that tells of each list that it is asked for.
type asking struct {
	net.Conn
	asked chan<- struct{}
}

func (a asking) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte("api show")) {
		a.asked <- struct{}{}
	}
	return a.Conn.Write(p)
}

// TestComparisonTakenOver: a comparison that fails once the one of a later connection has taken over is nothing to warn of.
func TestComparisonTakenOver(t *testing.T) {
	var lists atomic.Int64
	asked, events := make(chan struct{}, 10), make(chan net.Conn, 10)
	server := esltest.NewUnstartedServer(esltest.Config{APICommands: map[string]func(context.Context, string) string{
		"show": func(context.Context, string) string {
			if lists.Add(1) > 1 {
				return `{"row_count":1,"rows":[{"uuid":"begun"}]}`
			}
			nc := <-events
			await(t, asked, "the first comparison")
			_ = nc.Close()
			await(t, asked, "the second comparison")
			return "-ERR too late"
		},
	}})
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	app, warnings := following()
	told := make(chan string, 1)
	app.HandleFunc(consumer.ResyncEvent, func(_ context.Context, ev *esl.Event) error { told <- ev.UUID(); return nil })
	serveAs(t, app, esl.ClientConfig{Addr: server.Addr(), Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
		nc, err := new(net.Dialer).DialContext(ctx, network, addr)
		events <- nc // that for commands comes later
		return asking{nc, asked}, err
	}})
	await(t, told, "the call")
	select {
	case line := <-warnings:
		t.Errorf("logged %q", line)
	default:
	}
}

// TestListTooLong: FreeSWITCH is not asked again and again for a list of channels that exceeds the limit.
func TestListTooLong(t *testing.T) {
	var lists atomic.Int64
	server := esltest.NewUnstartedServer(esltest.Config{APICommands: map[string]func(context.Context, string) string{
		"show": func(context.Context, string) string {
			lists.Add(1)
			return strings.Repeat(" ", 1<<16)
		},
	}})
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	app, warnings := following()
	serveAs(t, app, esl.ClientConfig{Addr: server.Addr(), Limits: esl.Limits{Body: 1 << 15}})
	if line := await(t, warnings, "a warning"); !strings.Contains(line, esl.ErrFrameTooLarge.Error()) {
		t.Errorf("logged %q, want it to say why", line)
	}
	if n := lists.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
}
