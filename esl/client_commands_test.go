package esl_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/esl/esltest"
)

// TestCommandsHaveTheirOwnSocket: a handler that is stuck, with a full queue, holds
// up neither commands nor heartbeats.
func TestCommandsHaveTheirOwnSocket(t *testing.T) {
	srv := simulated(t, esltest.Config{Heartbeat: 5 * time.Millisecond})
	release, stuck := make(chan struct{}), make(chan struct{})
	var once sync.Once
	stalled, beats := make(chan bool, 1000), make(chan *esl.Event, 100_000)
	client, err := esl.NewClient(esl.ClientConfig{
		Addr: srv.Addr(), Events: []string{"NOTIFY"}, Backoff: quick,
		Queue: esl.QueueLimits{Events: 5},
		Hooks: &esl.Hooks{Stalled: func(full bool) { stalled <- full }, Heartbeat: func(e *esl.Event) { beats <- e }},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithCancel(context.Background())
	handled := make(chan string, 1000)
	end := start(func() (struct{}, error) {
		return struct{}{}, client.Serve(ctx, esl.HandlerFunc(func(_ context.Context, e *esl.Event) {
			once.Do(func() { close(stuck); <-release })
			if e.Name() == "NOTIFY" {
				handled <- e.Get("Number")
			}
		}))
	})
	receive(t, stuck, "the first event")
	for i := range 500 {
		fire(t, srv, "NOTIFY", i)
	}
	if !receive(t, stalled, "the stall") {
		t.Fatal("resumed before it stalled")
	}
	for len(beats) > 0 {
		<-beats
	}
	receive(t, beats, "a heartbeat while stalled")
	if got, err := client.API(within(t), "eval fine"); strings.TrimSpace(got) != "fine" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if got, err := client.BgAPI(within(t), "eval fine"); strings.TrimSpace(got) != "fine" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	close(release)
	for i := range 500 {
		if got := receive(t, handled, "an event"); got != fmt.Sprint(i) {
			t.Fatalf("got event %s, want %d", got, i)
		}
	}
	cancel()
	receive(t, end, "Serve")
}

// TestRetryOnlyWhatWasNotSent: a command that may have run is never repeated, one
// that finds its connection dead goes out on the next.
func TestRetryOnlyWhatWasNotSent(t *testing.T) {
	l := listen(t)
	lost := make(chan error, 100)
	client, err := esl.NewClient(esl.ClientConfig{
		Addr: l.Addr().String(), Backoff: quick,
		Hooks: &esl.Hooks{Disconnected: func(_ esl.ConnInfo, err error) { lost <- err }},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	enter := func() *peer {
		far := accept(t, l)
		far.send(esl.AppendAuthRequest(nil))
		far.expect("auth ClueCon")
		far.reply("+OK accepted")
		far.expect("event plain HEARTBEAT BACKGROUND_JOB")
		far.reply("+OK")
		return far
	}
	for _, end := range []func(*peer){(*peer).fin, (*peer).rst} {
		first := start(func() (string, error) { return client.API(within(t), "originate one") })
		far := enter()
		far.expect("api originate one")
		end(far)
		checkLost(t, receive(t, first, "the command").err, true)
		receive(t, lost, "the loss")
		second := start(func() (string, error) { return client.API(within(t), "originate two") })
		far = enter()
		far.expect("api originate two") // and "one" does not come again
		far.send(esl.AppendAPIResponse(nil, "+OK"))
		if got := receive(t, second, "the next command"); got.value != "+OK" || got.err != nil {
			t.Errorf("got %q, %v", got.value, got.err)
		}
		end(far)
		receive(t, lost, "the loss")
	}
}

// TestLostWhileOpening: what the Client itself sends on a new connection says nothing of the
// command that was to follow.
func TestLostWhileOpening(t *testing.T) {
	const attempts = 6 // of a caller who would wait for ever
	for name, steps := range map[string]func(*peer){
		"authenticating": func(far *peer) { far.next() },
		"subscribing": func(far *peer) {
			far.next()
			far.reply("+OK accepted")
			far.expect("event plain HEARTBEAT BACKGROUND_JOB")
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := listen(t)
			client, err := esl.NewClient(esl.ClientConfig{Addr: l.Addr().String(), Backoff: quick})
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			done := start(func() (string, error) { return client.BgAPI(context.Background(), "originate one") })
			for range attempts {
				far := accept(t, l)
				far.send(esl.AppendAuthRequest(nil))
				steps(far)
				far.fin()
			}
			checkLost(t, receive(t, done, "the command").err, false)
		})
	}
}

// TestCommandOutlivesAMuteServer: dialling for commands times out and is tried
// again for as long as the caller waits.
func TestCommandOutlivesAMuteServer(t *testing.T) {
	srv := simulated(t, esltest.Config{})
	proxy := through(t, srv.Addr())
	proxy.Freeze()
	client, err := esl.NewClient(esl.ClientConfig{Addr: proxy.Addr(), Backoff: quick, DialTimeout: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	done := start(func() (string, error) { return client.API(within(t), "eval back") })
	until(t, "a second attempt", func() bool { return proxy.Made() > 1 })
	proxy.Thaw()
	if got := receive(t, done, "the command"); strings.TrimSpace(got.value) != "back" || got.err != nil {
		t.Errorf("got %q, %v", got.value, got.err)
	}
}

// TestCommandWaitsForItsContext: one that can end decides when it is enough, with a deadline or
// without.
func TestCommandWaitsForItsContext(t *testing.T) {
	const attempts = 10 // more than one that never ends has
	var dials atomic.Int32
	client, err := esl.NewClient(esl.ClientConfig{Backoff: quick, Dial: func(context.Context, string, string) (net.Conn, error) {
		dials.Add(1)
		return nil, io.ErrClosedPipe // and nothing of a context
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for name, send := range map[string]func(context.Context) error{
		"Send":  func(ctx context.Context) error { _, err := client.Send(ctx, esl.Line("nolog")); return err },
		"API":   func(ctx context.Context) error { _, err := client.API(ctx, "status"); return err },
		"BgAPI": func(ctx context.Context) error { _, err := client.BgAPI(ctx, "status"); return err },
	} {
		t.Run(name, func(t *testing.T) {
			dials.Store(0)
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			done := start(func() (struct{}, error) { return struct{}{}, send(ctx) })
			until(t, "the last attempt", func() bool { return dials.Load() >= attempts })
			nothing(t, done, "before the context ends")
			cancel()
			if got := receive(t, done, "the command"); !errors.Is(got.err, context.Canceled) {
				t.Errorf("got %v, want the end of the context", got.err)
			}
			dials.Store(0)
			if err := send(context.Background()); !errors.Is(err, io.ErrClosedPipe) || dials.Load() >= attempts {
				t.Errorf("without an end: %v after %d attempts", err, dials.Load())
			}
		})
	}
}

// TestCommandBehindAnotherThatWaits: a command that would not wait for long gives up too while
// another one, which may, is at opening the connection.
func TestCommandBehindAnotherThatWaits(t *testing.T) {
	dialled := make(chan struct{}, 1)
	client, err := esl.NewClient(esl.ClientConfig{
		Backoff: esl.Backoff{Min: time.Hour, Max: time.Hour}, DialTimeout: time.Millisecond,
		Dial: func(context.Context, string, string) (net.Conn, error) {
			select {
			case dialled <- struct{}{}:
			default:
			}
			return nil, io.ErrClosedPipe
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithCancel(context.Background())
	patient := start(func() (string, error) { return client.API(ctx, "status") })
	receive(t, dialled, "the first attempt")
	hasty := start(func() (string, error) { return client.API(context.Background(), "status") })
	if got := receive(t, hasty, "who does not wait"); !errors.Is(got.err, context.DeadlineExceeded) {
		t.Errorf("got %q, %v", got.value, got.err)
	}
	cancel()
	receive(t, patient, "who waits")
}
