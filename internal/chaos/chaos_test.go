package chaos_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
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
	"github.com/genesis-esl/genesis/internal/faultproxy"
)

func TestMain(m *testing.M) {
	flag.Parse()
	// Cells wait for silences and deadlines more than for the processor.
	if err := flag.Set("test.parallel", "16"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

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

// readAll reads a body of a bounded size.
func readAll(r io.Reader) ([]byte, error) { return io.ReadAll(io.LimitReader(r, 4<<20)) }

// sumOf adds up the samples of a metric whose labels are among those of the series.
func sumOf(metrics, series string) (sum float64) {
	name, labels, _ := strings.Cut(strings.TrimSuffix(series, "}"), "{")
	for line := range strings.Lines(metrics) {
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), name)
		if !ok || rest == "" || rest[0] != '{' && rest[0] != ' ' || !strings.Contains(rest, labels) {
			continue
		}
		value, err := strconv.ParseFloat(rest[strings.LastIndexByte(rest, ' ')+1:], 64)
		if err != nil {
			return math.NaN()
		}
		sum += value
	}
	return sum
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
	w := newWorld(t, 0)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	var answered atomic.Int64
	wg.Go(func() { w.produce(ctx, "") })
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
	w.flow()
	w.account()
	w.stop()
	lost := w.created.Load() - w.delivered.Load()
	t.Logf("%d cuts: %d events created, %d delivered, %d lost, at most %d announced as missed; %d commands answered",
		cuts, w.created.Load(), w.delivered.Load(), lost, w.missed.Load(), answered.Load())
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
	w := newWorld(t, 0)
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
