// Command clock finds out what depends on the wall clock. TestClockJumps builds it
// with a package time whose wall clock jumps by time.WallShift seconds, while the
// monotonic clock goes on as ever: what happens when an administrator or NTP sets
// the clock of the host. Without that package time it does not build.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/genesis-esl/genesis/consumer"
	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/esl/esltest"
	"github.com/genesis-esl/genesis/outbound"
)

// jumping shifts the wall clock every few milliseconds, by up to days in both
// directions, until the function that it returns is called.
func jumping() (stop func()) {
	ended, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(3 * time.Millisecond)
		defer tick.Stop()
		shifts := []time.Duration{6 * time.Hour, 0, -6 * time.Hour, 40 * 24 * time.Hour, -time.Minute, 10 * time.Minute}
		for i := 0; ; i++ {
			time.WallShift.Store(int64(shifts[i%len(shifts)] / time.Second))
			select {
			case <-tick.C:
			case <-ended:
				time.WallShift.Store(0)
				return
			}
		}
	}()
	return func() { close(ended); <-done }
}

var failed atomic.Bool

func wrong(format string, args ...any) {
	failed.Store(true)
	fmt.Printf(format+"\n", args...)
}

// within complains when something took another time than it should.
func within(what string, began time.Time, least, most time.Duration) {
	if took := time.Since(began); took < least || took > most {
		wrong("%s took %v, not %v to %v", what, took, least, most)
	}
}

const (
	idle = time.Second
	// slack is for a machine that has other things to do.
	slack = 5 * time.Second
)

// consume checks that the connection of a consumer lives as long as it should: no
// jump ends it, and none keeps it once it is dead.
func consume(ctx context.Context) {
	sim := esltest.NewUnstartedServer(esltest.Config{Heartbeat: 100 * time.Millisecond})
	if err := sim.Start(); err != nil {
		wrong("%v", err)
		return
	}
	defer sim.Close()
	app := consumer.New()
	app.Logger = slog.New(slog.DiscardHandler)
	app.DrainTimeout = idle
	app.HandleFunc("NOTIFY", func(ctx context.Context, _ *esl.Event) error { <-ctx.Done(); return nil })
	var handled time.Duration
	app.Hooks = &consumer.Hooks{HandlerEnd: func(_ context.Context, h *consumer.Handled) { handled = h.Duration }}
	ups, downs := make(chan esl.Up, 100), make(chan error, 100)
	app.OnUp(func(_ context.Context, up esl.Up) { ups <- up })
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		ended <- app.Serve(ctx, esl.ClientConfig{
			Addr: sim.Addr(), IdleTimeout: idle, OnDown: func(err error) { downs <- err },
			Backoff: esl.Backoff{Min: time.Millisecond, Max: 10 * time.Millisecond},
		})
	}()
	<-ups
	alive := time.After(4 * idle)
	select {
	case err := <-downs:
		wrong("a jump ended the connection: %v", err)
		<-ups
	case <-alive:
	}
	command(ctx, app.Client())
	dead(sim, ups, downs)
	if err := sim.Fire("NOTIFY", nil, ""); err != nil {
		wrong("%v", err)
	}
	for events, _ := app.Backlog(); events == 0 && ctx.Err() == nil; events, _ = app.Backlog() {
		<-time.After(time.Millisecond)
	}
	began := time.Now()
	stop()
	if err := <-ended; err != nil {
		wrong("Serve: %v", err)
	}
	within("draining", began, idle/2, idle+slack)
	if handled < idle/2 || handled > idle+slack {
		wrong("a handler is said to have run for %v", handled)
	}
}

// command checks that a caller waits as long as his context says.
func command(ctx context.Context, client *esl.Client) {
	ctx, cancel := context.WithTimeout(ctx, idle/2)
	defer cancel()
	began := time.Now()
	if _, err := client.BgAPI(ctx, "msleep 4000"); !errors.Is(err, context.DeadlineExceeded) {
		wrong("a command with a deadline: %v", err)
	}
	within("a command with a deadline", began, idle/3, idle/2+slack)
}

// dead checks that a half-open connection is noticed, and how long it is said to
// have been gone.
func dead(sim *esltest.Server, ups <-chan esl.Up, downs <-chan error) {
	began := time.Now()
	if err := sim.Inject(esltest.Fault{Kind: esltest.FaultHalfOpen}); err != nil {
		wrong("%v", err)
	}
	select {
	case err := <-downs:
		if !errors.Is(err, esl.ErrIdle) {
			wrong("a half-open connection ended with %v", err)
		}
		within("noticing a half-open connection", began, idle/2, 2*idle+slack)
	case <-time.After(5*idle + slack):
		wrong("a half-open connection is not noticed")
	}
	sim.Heal()
	sim.CutConnections()
	select {
	case up := <-ups:
		if took := time.Since(began); up.Down < 0 || up.Down > took {
			wrong("the connection is said to have been gone for %v of %v", up.Down, took)
		}
	case <-time.After(10*idle + slack):
		wrong("the connection does not return")
	}
}

// mute checks the time that a peer has for its greeting, on both sides.
func mute(ctx context.Context) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		wrong("%v", err)
		return
	}
	defer func() { _ = l.Close() }()
	began := time.Now()
	if _, err := esl.Dial(ctx, l.Addr().String(), esl.DialConfig{Timeout: idle}); err == nil {
		wrong("a mute peer is a connection")
	}
	within("dialling a mute peer", began, idle/2, idle+slack)

	answers, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		wrong("%v", err)
		return
	}
	srv := &outbound.Server{
		HandshakeTimeout: idle, MaxRate: 1000, Logger: slog.New(slog.DiscardHandler),
		Handler: outbound.HandlerFunc(func(context.Context, *outbound.Session) error { return nil }),
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(answers) }()
	nc, err := net.Dial("tcp", answers.Addr().String())
	if err != nil {
		wrong("%v", err)
		return
	}
	began = time.Now()
	_, _ = io.Copy(io.Discard, nc) // the server's connect, then its end
	within("a handshake that is not made", began, idle/2, idle+slack)
	_ = nc.Close()
	_ = srv.Close()
	<-served
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	stop := jumping()
	before := time.Now().Round(0) // without its monotonic reading
	shifted := false
	for range 1000 {
		if d := time.Since(before); d > time.Minute || d < -time.Second {
			shifted = true
			break
		}
		<-time.After(time.Millisecond)
	}
	if !shifted {
		wrong("the wall clock does not jump: nothing is shown")
	}
	both := make(chan struct{})
	go func() { defer close(both); mute(ctx) }()
	consume(ctx)
	<-both
	stop()
	if failed.Load() {
		os.Exit(1)
	}
}
