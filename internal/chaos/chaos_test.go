package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/esl/esltest"
	"github.com/genesis-esl/genesis/internal/faultproxy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second

// setting reads a number from the environment.
func setting(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s=%q: a number is allowed", name, text)
	}
	return n
}

func seeded(t *testing.T) *rand.Rand {
	t.Helper()
	seed := setting(t, "CHAOS_SEED", uint64(time.Now().UnixNano()))
	t.Logf("CHAOS_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// openFiles counts this process's file descriptors.
func openFiles(t *testing.T) int {
	t.Helper()
	fds, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	return len(fds)
}

// until waits for a condition that no channel announces.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !holds(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

func receive[T any](t *testing.T, from <-chan T, what string) T {
	t.Helper()
	select {
	case value := <-from:
		return value
	case <-time.After(patience):
		t.Fatalf("%s: nothing within %v", what, patience)
		panic("unreachable")
	}
}

// world is a client, a FreeSWITCH, and a network between them that fails.
type world struct {
	t      *testing.T
	srv    *esltest.Server
	proxy  *faultproxy.Proxy
	client *esl.Client
	ups    chan esl.Up
	stop   func()
	closed bool // the test has closed the client

	missed    atomic.Uint64 // the sum of what OnUp announced
	unknown   atomic.Bool
	delivered atomic.Uint64
	newest    atomic.Int64 // the largest number handled
	last      [4]int       // of each call, the handler's
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, ups: make(chan esl.Up, 100_000)}
	w.srv = esltest.NewUnstartedServer(esltest.Config{Heartbeat: 20 * time.Millisecond})
	if err := w.srv.Start(); err != nil {
		t.Fatal(err)
	}
	proxy, err := faultproxy.New(w.srv.Addr())
	if err != nil {
		t.Fatal(err)
	}
	w.proxy = proxy
	w.client, err = esl.NewClient(esl.ClientConfig{
		Addr: proxy.Addr(), Events: []string{"NOTIFY"},
		Backoff:     esl.Backoff{Min: time.Millisecond, Max: 4 * time.Millisecond},
		DialTimeout: 2 * time.Second, IdleTimeout: 300 * time.Millisecond,
		OnUp: func(_ context.Context, up esl.Up) {
			w.missed.Add(up.MissedAtMost)
			if up.MissedUnknown || up.Restarted {
				w.unknown.Store(true)
			}
			w.ups <- up
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	end := make(chan error, 1)
	go func() { end <- w.client.Serve(ctx, esl.HandlerFunc(w.handle)) }()
	w.stop = sync.OnceFunc(func() {
		cancel()
		if err := receive(t, end, "Serve"); err != nil && !w.closed {
			t.Errorf("Serve: %v", err)
		}
		w.client.Close()
		w.proxy.Close()
		w.srv.Close()
	})
	t.Cleanup(w.stop)
	receive(t, w.ups, "the first Up")
	return w
}

// handle holds events to their order, each once. Numbers rise without end in every
// call, so one that comes again or too late is not larger than the last.
func (w *world) handle(_ context.Context, e *esl.Event) {
	if e.Name() != "NOTIFY" {
		return
	}
	call, _ := strconv.Atoi(e.Get("Call"))
	number, err := strconv.Atoi(e.Get("Number"))
	if err != nil || number <= w.last[call] {
		w.t.Errorf("call %d: event %q behind %d", call, e.Get("Number"), w.last[call])
		return
	}
	w.last[call] = number
	w.newest.Store(max(w.newest.Load(), int64(number)))
	w.delivered.Add(1)
}

// fire creates event number n of a call.
func (w *world) fire(call, n int) error {
	return w.srv.Fire("NOTIFY", []esl.Header{{Name: "Call", Value: strconv.Itoa(call)}, {Name: "Number", Value: strconv.Itoa(n)}}, "")
}

// produce creates events until ctx ends and returns how many.
func (w *world) produce(ctx context.Context) (created uint64) {
	pace := time.NewTicker(200 * time.Microsecond)
	defer pace.Stop()
	for n := 1; ctx.Err() == nil; n++ {
		for call := range w.last {
			if w.fire(call, n) == nil {
				created++
			}
		}
		<-pace.C
	}
	return created
}

// ask sends commands until ctx ends. Each must get its own answer, or an error that
// says what happened, and in time.
func (w *world) ask(ctx context.Context, who int) (answered int) {
	const limit = 3 * time.Second
	for i := 0; ctx.Err() == nil; i++ {
		question := fmt.Sprintf("%d-%d", who, i)
		send := w.client.API
		if i%3 == 0 {
			send = w.client.BgAPI
		}
		began := time.Now()
		patient := limit
		if i%7 == 0 {
			patient = time.Millisecond // a caller that leaves its place behind
		}
		limited, cancel := context.WithTimeout(ctx, patient)
		answer, err := send(limited, "eval "+question)
		cancel()
		switch {
		case err == nil && strings.TrimSpace(answer) == question:
			answered++
		case err == nil:
			w.t.Errorf("%q was answered with %q", question, answer)
		case errors.Is(err, esl.ErrDisconnected), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		default:
			if refused := (*esl.ReplyError)(nil); errors.As(err, &refused) {
				w.t.Errorf("%q was refused: %v", question, err)
			}
		}
		if took := time.Since(began); took > patient+2*time.Second {
			w.t.Errorf("%q took %v with %v to wait (%v)", question, took, patient, err)
		}
	}
	return answered
}

// TestRandomCuts is a conversation under load whose connections are cut at random,
// by default a thousand times.
func TestRandomCuts(t *testing.T) {
	cuts := int(setting(t, "CHAOS_CUTS", 1000))
	random := seeded(t)
	files := openFiles(t)
	w := newWorld(t)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	var created atomic.Uint64
	var answered atomic.Int64
	wg.Go(func() { created.Store(w.produce(ctx)) })
	for who := range 3 {
		wg.Go(func() { answered.Add(int64(w.ask(ctx, who))) })
	}
	for range cuts {
		w.shape(random)
		for len(w.ups) > 0 {
			<-w.ups
		}
		if w.proxy.Cut(faultproxy.End(random.IntN(2))) == 0 {
			until(t, "a connection to cut", func() bool { return w.proxy.Connections() > 0 })
			w.proxy.Cut(faultproxy.FIN)
		}
		w.proxy.Thaw()
		receive(t, w.ups, "the connection's return")
	}
	w.proxy.CutAfter(0)
	w.proxy.Split(0)
	w.proxy.Merge(0)
	cancel()
	wg.Wait()
	// Once an event of now has come, all before it have, or never will.
	marker := 1_000_000_000
	until(t, "a last event", func() bool {
		marker++
		if err := w.fire(0, marker); err != nil {
			t.Fatal(err)
		}
		created.Add(1)
		return w.newest.Load() > 1_000_000_000
	})
	w.stop()
	lost := created.Load() - w.delivered.Load()
	t.Logf("%d cuts: %d events created, %d delivered, %d lost, at most %d announced as missed; %d commands answered",
		cuts, created.Load(), w.delivered.Load(), lost, w.missed.Load(), answered.Load())
	if lost > w.missed.Load() && !w.unknown.Load() {
		t.Errorf("%d events lost, at most %d announced", lost, w.missed.Load())
	}
	if answered.Load() == 0 || w.delivered.Load() == 0 {
		t.Error("nothing was done under load")
	}
	until(t, "all file descriptors closed", func() bool { return openFiles(t) <= files+2 })
}

// shape changes how the network carries what it carries.
func (w *world) shape(random *rand.Rand) {
	w.proxy.Split(0)
	w.proxy.Merge(0)
	w.proxy.CutAfter(0)
	w.proxy.Thaw()
	switch random.IntN(6) {
	case 0:
		w.proxy.Split(1 + random.IntN(64))
	case 1:
		w.proxy.Merge(time.Duration(random.IntN(2000)) * time.Microsecond)
	case 2:
		// Past what connecting takes, so that it can succeed at all.
		w.proxy.CutAfter(3000 + random.IntN(4000))
	case 3:
		w.proxy.Freeze()
	}
}

// TestCutAtEveryByte ends connections after each number of bytes that greeting,
// authentication and subscription take, so that every step of them is cut in every
// place. The client must come through as soon as the network lets it.
func TestCutAtEveryByte(t *testing.T) {
	w := newWorld(t)
	step := 1 + int(setting(t, "CHAOS_STEP", 12))
	for n := 1; n < 1200; n += step {
		made := w.proxy.Made()
		w.proxy.CutAfter(n)
		w.proxy.Cut(faultproxy.End(n % 2))
		until(t, "an attempt", func() bool { return w.proxy.Made() > made })
		w.proxy.CutAfter(0)
		w.proxy.Cut(faultproxy.FIN)
		for len(w.ups) > 0 {
			<-w.ups
		}
		w.proxy.Cut(faultproxy.FIN)
		receive(t, w.ups, fmt.Sprintf("the connection's return after a cut at byte %d", n))
	}
}
