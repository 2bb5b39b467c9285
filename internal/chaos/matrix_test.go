package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"weak"

	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/esl/esltest"
	"github.com/genesis-esl/genesis/internal/faultproxy"
	"github.com/genesis-esl/genesis/internal/headroom"
)

// faults go wrong once, and are over when their function returns, or when the cell is
// healed; some leave the connection as it was.
var faults = map[string]struct {
	strike   func(*world)
	survives bool // the connection does
}{
	"FIN":                {func(w *world) { w.proxy.Cut(faultproxy.FIN) }, false},
	"RST":                {func(w *world) { w.proxy.Cut(faultproxy.RST) }, false},
	"half-open":          {halfOpen, false},
	"stall":              {func(w *world) { w.proxy.Freeze(); w.srv.Beat(); w.proxy.Thaw() }, true},
	"split writes":       {func(w *world) { w.proxy.Split(1) }, true},
	"merged writes":      {func(w *world) { w.proxy.Merge(time.Millisecond) }, true},
	"garbage":            {func(w *world) { w.proxy.Inject([]byte("\n\nContent-Length: what\n\n")); w.proxy.Cut(faultproxy.FIN) }, false},
	"truncation":         {func(w *world) { w.proxy.Inject([]byte("Content-Length: 999\n\nabc")); w.proxy.Cut(faultproxy.FIN) }, false},
	"server's cut":       {func(w *world) { w.srv.CutConnections() }, false},
	"restart":            {func(w *world) { w.must(w.srv.Restart()) }, false},
	"notice":             {func(w *world) { w.srv.Shutdown(); w.must(w.srv.Resume()) }, false},
	"lost events":        {injected(esltest.Fault{Kind: esltest.FaultLostEvents, Count: 1}), false},
	"no heartbeats":      {injected(esltest.Fault{Kind: esltest.FaultNoHeartbeat, Count: 3}), true},
	"heartbeats at once": {func(w *world) { w.srv.Beat(); w.srv.Beat() }, true},
	"refusals":           {func(w *world) { w.proxy.Refuse(true); w.proxy.Cut(faultproxy.RST); w.proxy.Refuse(false) }, false},
	"rejection":          {refused(esltest.FaultACL), false},
	"wrong password":     {refused(esltest.FaultPassword), false},
	"slow reader":        {slowReader, true},
	"slow handler":       {func(w *world) { w.fireAll("slow", "slow") }, true},
	"panicking handler":  {func(w *world) { w.fireAll("panics", "ends", "fails", "") }, true},
	"clock jumps":        {func(w *world) { w.proxy.Jump(true); w.srv.Beat(); w.fireAll("", "", ""); w.srv.Beat() }, true},
}

func injected(f esltest.Fault) func(*world) { return func(w *world) { w.must(w.srv.Inject(f)) } }

// refused cuts the connection and turns the next two attempts away.
func refused(kind esltest.FaultKind) func(*world) {
	return func(w *world) {
		w.must(w.srv.Inject(esltest.Fault{Kind: kind, Count: 2}))
		w.proxy.Cut(faultproxy.RST)
	}
}

// halfOpen lets nothing pass until the client has noticed by itself, and so have its
// probes; one that is connecting gives up and tries again.
func halfOpen(w *world) {
	made, held := w.proxy.Made(), w.proxy.Held() > 0
	w.proxy.Freeze()
	until(w.t, "the silence is noticed", func() bool { return !w.client.Connected() && (!held || w.proxy.Made() > made) })
	w.healthy(false)
	w.proxy.Cut(faultproxy.FIN)
	w.proxy.Thaw()
}

// slowReader keeps the handlers from returning until the client has stopped reading.
func slowReader(w *world) {
	w.gate.Lock()
	defer w.gate.Unlock()
	until(w.t, "the client stops reading", func() bool {
		w.fireAll("", "", "", "")
		return w.stalled.Load() || !w.client.Connected()
	})
}

// fireAll creates an event for each of the handlers in each call.
func (w *world) fireAll(handlers ...string) {
	for _, handler := range handlers {
		for call := range calls {
			_ = w.fire(call, handler) // FreeSWITCH may be gone
		}
	}
}

// phase is a state of the client in which a fault is to meet it.
type phase struct {
	// enter puts the client into it. What it returns is called after the fault: it
	// waits for an answer of one's own, or an error that tells.
	enter func(*world, context.Context) (leave func() error)
	away  bool // there is no connection
}

var phases = map[string]phase{
	"idle":      {func(*world, context.Context) func() error { return func() error { return nil } }, false},
	"streaming": {producing(""), false},
	"command pending": {func(w *world, ctx context.Context) func() error {
		return pending(ctx, func(ctx context.Context) (string, error) { return w.client.API(ctx, "msleep 50") }, "")
	}, false},
	"job pending": {func(w *world, ctx context.Context) func() error {
		return pending(ctx, func(ctx context.Context) (string, error) { return w.client.BgAPI(ctx, "eval mine") }, "mine")
	}, false},
	"subscribing to more": {func(w *world, ctx context.Context) func() error {
		return pending(ctx, func(ctx context.Context) (string, error) {
			return "", w.client.Subscribe(ctx, "TRAP", "my::event")
		}, "")
	}, false},
	"handler slow":      {producing("slow", "", "", "", "", "", "", ""), false},
	"handler panicking": {producing("panics", "", "ends", "", "fails", ""), false},
	"reconnecting": {func(w *world, _ context.Context) func() error {
		w.proxy.Cut(faultproxy.FIN)
		return func() error { return nil }
	}, true},
	"dialling":       {held(0), true},
	"authenticating": {held(len(greeting)), true},
	"subscribing":    {held(len(greeting) + len(accepted)), true},
}

// What FreeSWITCH says first, and to the right password.
const (
	greeting = "Content-Type: auth/request\n\n"
	accepted = "Content-Type: command/reply\nReply-Text: +OK accepted\n\n"
)

// held makes the client connect anew, and get n bytes of an answer.
func held(n int) func(*world, context.Context) func() error {
	return func(w *world, _ context.Context) func() error {
		w.proxy.Hold(n)
		w.proxy.Cut(faultproxy.FIN)
		until(w.t, "an attempt to connect", func() bool { return w.proxy.Held() > 0 })
		return func() error { w.proxy.Release(); return nil }
	}
}

// producing creates events all the while.
func producing(handlers ...string) func(*world, context.Context) func() error {
	return func(w *world, ctx context.Context) func() error {
		ctx, cancel := context.WithCancel(ctx)
		done := make(chan struct{})
		go func() { defer close(done); w.produce(ctx, handlers...) }()
		return func() error { cancel(); <-done; return nil }
	}
}

// pending runs a command; its answer must be its own, or an error that tells, in time.
func pending(ctx context.Context, do func(context.Context) (string, error), want string) func() error {
	const limit = 5 * time.Second
	ctx, cancel := context.WithTimeout(ctx, limit)
	done := make(chan error, 1)
	go func() {
		began := time.Now()
		answer, err := do(ctx)
		if err == nil && want != "" && strings.TrimSpace(answer) != want {
			err = errors.New("another's answer: " + answer)
		}
		for _, tells := range []error{esl.ErrDisconnected, esl.ErrAccessDenied, esl.ErrAuthentication, context.DeadlineExceeded} {
			if errors.Is(err, tells) {
				err = nil
			}
		}
		if took := time.Since(began); err == nil && took > limit+2*time.Second {
			err = fmt.Errorf("it took %v, of %v", took, limit)
		}
		done <- err
	}()
	return func() error { defer cancel(); return <-done }
}

// cellQueue is how many events may wait in the app of a cell.
const cellQueue = 64

// cell lets a fault strike in a phase. Whatever happens, pending commands end, the
// client comes back, its events flow in order and once, its commands work, and its
// health and metrics know.
func cell(t *testing.T, in phase, strike func(*world), survives bool) weak.Pointer[esl.Client] {
	w := newWorld(t, cellQueue)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	leave := in.enter(w, ctx)
	strike(w)
	if err := leave(); err != nil {
		t.Error(err)
	}
	w.srv.Heal()
	w.flow()
	answer, err := w.client.BgAPI(ctx, "eval fine")
	for errors.Is(err, esl.ErrDisconnected) && ctx.Err() == nil { // the loss was not yet noticed
		answer, err = w.client.BgAPI(ctx, "eval fine")
	}
	if strings.TrimSpace(answer) != "fine" || err != nil {
		t.Errorf("afterwards: %q, %v", answer, err)
	}
	w.flow() // on a connection that is not about to be lost
	// A byte at a time takes longer, where it is slow to wake a goroutine, than heartbeats
	// are apart: what is under way would never have arrived.
	w.proxy.Split(0)
	w.account()
	if told := w.told.Load(); survives && !in.away && told != 1 {
		t.Errorf("the connection was made %d times", told)
	}
	w.stop()
	return weak.Make(w.client)
}

// TestEveryFaultInEveryPhase: see cell, and the other functions that it calls. After
// all of them nothing is left: no memory, no file, and nothing, a timer included, that
// still refers to a client.
func TestEveryFaultInEveryPhase(t *testing.T) {
	headroom.Take(headroom.Flood) // one of the faults brings a flood
	files, before := openFiles(t), heap()
	var mu sync.Mutex
	var clients []weak.Pointer[esl.Client]
	t.Run("cells", func(t *testing.T) {
		for _, fault := range faultsInOrder() {
			for name, phase := range phases {
				t.Run(name+", "+fault, func(t *testing.T) {
					t.Parallel()
					client := cell(t, phase, faults[fault].strike, faults[fault].survives)
					mu.Lock()
					defer mu.Unlock()
					clients = append(clients, client)
				})
			}
		}
		everyFaultWhileShuttingDown(t)
		everyFaultInASession(t)
		everyFaultInTheHandshake(t)
	})
	until(t, "all file descriptors closed", func() bool { return openFiles(t) <= files+2 })
	until(t, "all clients forgotten", func() bool {
		runtime.GC()
		for _, client := range clients {
			if client.Value() != nil {
				return false
			}
		}
		return true
	})
	if after := heap(); after > before+16<<20 {
		t.Errorf("%d MiB of memory are in use, %d were", after>>20, before>>20)
	}
}

// faultsInOrder begins with those that have to be waited for.
func faultsInOrder() []string {
	names := slices.Sorted(maps.Keys(faults))
	slices.SortStableFunc(names, func(a, b string) int {
		waits := func(name string) int {
			if name == "half-open" {
				return 0
			}
			return 1
		}
		return waits(a) - waits(b)
	})
	return names
}

// heap is the memory in use, without the garbage.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
