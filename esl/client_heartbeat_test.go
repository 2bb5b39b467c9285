package esl_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/esl/esltest"
	"github.com/genesis-esl/genesis/internal/faultproxy"
)

// beaten is a Client whose event connection goes through a proxy, its command
// connection past it.
type beaten struct {
	srv     *esltest.Server
	proxy   *faultproxy.Proxy
	client  *esl.Client
	beats   atomic.Int64 // told to the hook
	stalled chan bool
	ups     chan esl.Up
	stuck   chan chan struct{} // takes what the handler of a NOTIFY waits for
	last    chan struct{}      // the NOTIFY of lastNumber was handled
}

const lastNumber = 12345

func newBeaten(t *testing.T) *beaten {
	t.Helper()
	b := &beaten{stalled: make(chan bool, 10_000), ups: make(chan esl.Up, 10), stuck: make(chan chan struct{}, 1), last: make(chan struct{}, 1)}
	b.srv = simulated(t, esltest.Config{Heartbeat: -1})
	b.proxy = through(t, b.srv.Addr())
	var past atomic.Bool
	client, err := esl.NewClient(esl.ClientConfig{
		Events: []string{"NOTIFY"}, Backoff: quick, Queue: esl.QueueLimits{Events: 5},
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			addr := b.proxy.Addr()
			if past.Load() {
				addr = b.srv.Addr()
			}
			return new(net.Dialer).DialContext(ctx, network, addr)
		},
		Hooks: &esl.Hooks{
			Heartbeat: func(*esl.Event) { b.beats.Add(1) },
			Stalled:   func(full bool) { b.stalled <- full },
			Up:        func(up esl.Up) { b.ups <- up },
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	b.client = client
	end := start(func() (struct{}, error) {
		return struct{}{}, client.Serve(context.Background(), esl.HandlerFunc(b.handle))
	})
	t.Cleanup(func() { client.Close(); receive(t, end, "Serve") })
	receive(t, b.ups, "the connection")
	past.Store(true)
	b.beat(t)
	past.Store(false)
	return b
}

func (b *beaten) handle(_ context.Context, e *esl.Event) {
	if e.Name() != "NOTIFY" {
		return
	}
	if e.Get("Number") == fmt.Sprint(lastNumber) {
		b.last <- struct{}{}
	}
	select {
	case release := <-b.stuck:
		<-release
	default:
	}
}

// beat has FreeSWITCH's heart beat, and waits until the command connection has read it.
func (b *beaten) beat(t *testing.T) {
	t.Helper()
	b.srv.Beat()
	if _, err := b.client.BgAPI(within(t), "eval fine"); err != nil { // its event comes behind the heartbeat
		t.Fatal(err)
	}
}

// stall has the application take no events until the function it returns is called.
func (b *beaten) stall(t *testing.T) (release func()) {
	t.Helper()
	waits := make(chan struct{})
	b.stuck <- waits
	for i := range 500 {
		fire(t, b.srv, "NOTIFY", i)
	}
	if !receive(t, b.stalled, "the stall") {
		t.Fatal("resumed before it stalled")
	}
	return func() { close(waits) }
}

// heard counts the heartbeats of which the hook is told, of ten that only the command
// connection can bring.
func (b *beaten) heard(t *testing.T) int64 {
	t.Helper()
	before := b.beats.Load()
	for range 10 {
		b.beat(t)
	}
	return b.beats.Load() - before
}

// TestHeartbeatsOfADeadConnection: an event connection that nothing comes through is
// not alive because another socket is.
func TestHeartbeatsOfADeadConnection(t *testing.T) {
	b := newBeaten(t)
	b.srv.Beat()
	until(t, "a heartbeat on the event connection", func() bool { return b.beats.Load() > 0 })
	b.proxy.Freeze()
	b.heard(t) // what the event connection had got before
	if n := b.heard(t); n != 0 {
		t.Errorf("%d heartbeats while the event connection is dead, want none", n)
	}
}

// TestHeartbeatsWhileStalled: heartbeats come by the command connection while the event
// connection is not read, and once more for that it was not read when it is read again.
func TestHeartbeatsWhileStalled(t *testing.T) {
	b := newBeaten(t)
	release := b.stall(t)
	if n := b.heard(t); n < 2 { // of those in one piece the hook is told of one
		t.Errorf("%d heartbeats of 10 while stalled", n)
	}
	fire(t, b.srv, "NOTIFY", lastNumber)
	release()
	receive(t, b.last, "what waited")
	b.proxy.Freeze()
	if n := b.heard(t); n > 1 {
		t.Errorf("%d heartbeats after the stall, while the event connection is dead, want one at most", n)
	}
}

// TestHeartbeatsAfterAStalledConnection: that one event connection was not read says
// nothing of the next.
func TestHeartbeatsAfterAStalledConnection(t *testing.T) {
	b := newBeaten(t)
	release := b.stall(t)
	b.proxy.Cut(faultproxy.RST)
	release()
	receive(t, b.ups, "the next connection")
	b.proxy.Freeze()
	if n := b.heard(t); n != 0 {
		t.Errorf("%d heartbeats while the next event connection is dead, want none", n)
	}
}

// behind is an application that takes events only when reading has stopped.
type behind chan struct{}

func (b behind) HandleEvent(context.Context, *esl.Event) {}

func (b behind) HandleEvents(ctx context.Context, _ []*esl.Event) {
	select {
	case <-b:
	case <-ctx.Done():
	}
}

// TestStallsOpenOneConnection: however often reading stops while the command connection is being
// opened, one goroutine opens it.
func TestStallsOpenOneConnection(t *testing.T) {
	const stalls, spare = 200, 20
	l, stalled, app := listen(t), make(chan struct{}, 10_000), make(behind, 10_000)
	var dials atomic.Int32
	client, err := esl.NewClient(esl.ClientConfig{
		Addr: l.Addr().String(), Queue: esl.QueueLimits{Events: 1},
		Hooks: &esl.Hooks{Stalled: func(full bool) {
			if full {
				stalled <- struct{}{}
				app <- struct{}{}
			}
		}},
		Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if dials.Add(1) > 1 {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return new(net.Dialer).DialContext(ctx, network, addr)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	end := start(func() (struct{}, error) { return struct{}{}, client.Serve(context.Background(), app) })
	t.Cleanup(func() { client.Close(); receive(t, end, "Serve") })
	far := accept(t, l)
	far.enter()
	before := runtime.NumGoroutine()
	far.send(bytes.Repeat(event("NOTIFY"), 100*stalls))
	for range stalls {
		receive(t, stalled, "a stall")
	}
	until(t, "the second connection", func() bool { return dials.Load() > 1 })
	if after := runtime.NumGoroutine(); dials.Load() != 2 || after > before+spare {
		t.Errorf("%d stalls made %d goroutines of %d, and %d connections", stalls, after, before, dials.Load())
	}
}
