package program_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/consumer"
	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/program"
)

// TestEveryEventOnceInOrder is the stress test: 50,000 events, nothing lost, in
// order per call.
func TestEveryEventOnceInOrder(t *testing.T) {
	const events = 50_000
	file := journal(t)
	host(t, actor(t, "record", file), feed(events, 300))
	checkOnce(t, entries(t, file), events)
}

// TestRestartUnderLoad starts the program anew 20 times while events pour in.
func TestRestartUnderLoad(t *testing.T) {
	const restarts = 20
	file := journal(t)
	p := actor(t, "record", file)
	fed := 0
	host(t, p, func(ctx context.Context, h esl.Handler) error {
		due := make(chan struct{}, 1)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range restarts {
				<-due
				if err := p.Restart(ctx); err != nil {
					t.Error(err)
				}
			}
		}()
		for fed = 1; fed < 2_000_000; fed++ {
			h.HandleEvent(ctx, event("DTMF", callName(fed%100), fed))
			if fed%2000 == 0 {
				select {
				case due <- struct{}{}:
				case <-done:
					return nil
				}
			}
		}
		return nil
	})
	got := entries(t, file)
	checkOnce(t, got, fed)
	pids := map[int]bool{}
	for _, e := range got {
		pids[e.pid] = true
	}
	if len(pids) < restarts/2 {
		t.Errorf("only %d processes handled %d events over %d restarts", len(pids), fed, restarts)
	}
}

// TestCrashLosesNothingUnread has the program die every 500 events. It reads no
// further than it handles, so that not one event is lost or comes twice.
func TestCrashLosesNothingUnread(t *testing.T) {
	losesNothingUnread(t, 5000, "careful", "500")
}

// losesNothingUnread gives so many events to a program that dies again and again, every few
// events: each comes once.
func losesNothingUnread(t *testing.T, events int, name, every string) {
	t.Helper()
	file := journal(t)
	p := actor(t, name, file, every)
	p.Backoff = time.Millisecond
	host(t, p, func(ctx context.Context, h esl.Handler) error {
		if err := feed(events, 50)(ctx, h); err != nil {
			return err
		}
		eventually(t, "all events", func() bool { return len(entries(t, file)) == events })
		return nil
	})
	checkOnce(t, entries(t, file), events)
}

func TestProgramThatNeverReads(t *testing.T) {
	for _, name := range []string{"never-reads", "ignores", "closes-stdin", "dies-at-once"} {
		t.Run(name, func(t *testing.T) {
			p := actor(t, name)
			p.Stop = program.Stop{Close: 50 * time.Millisecond, Interrupt: 50 * time.Millisecond, Terminate: 50 * time.Millisecond}
			app := consumer.New()
			app.QueueEvents, app.DrainTimeout = 100, 10*time.Millisecond
			var n notes
			app.Logger, p.Logger = n.logger(), n.logger()
			fed := 0
			hostWith(t, app, p, func(ctx context.Context, h esl.Handler) error {
				ctx, cancel := context.WithCancel(ctx)
				defer cancel()
				finished := make(chan struct{})
				go func() {
					defer close(finished)
					for fed = 0; fed < 1_000_000 && ctx.Err() == nil; fed++ {
						h.HandleEvent(ctx, event("DTMF", callName(fed%50), fed))
					}
				}()
				// The queue takes events again once a quarter of it is free.
				eventually(t, "intake to stop", func() bool { n, _ := app.Backlog(); return n > 75 })
				cancel()
				<-finished
				return nil
			})
			if fed > 10_000 {
				t.Errorf("%d events were taken by a program that does not read", fed)
			}
		})
	}
}

func TestProgramThatEndsIsStartedAgain(t *testing.T) {
	p := actor(t, "dies-at-once")
	p.Backoff = 5 * time.Millisecond
	var starts, ends atomic.Int64
	p.OnRunning = func(on bool) {
		if on {
			starts.Add(1)
		} else {
			ends.Add(1)
		}
	}
	var n notes
	p.Logger = n.logger()
	host(t, p, func(context.Context, esl.Handler) error {
		eventually(t, "five starts", func() bool { return ends.Load() >= 5 })
		return nil
	})
	if starts.Load() != ends.Load() {
		t.Errorf("%d starts, %d ends", starts.Load(), ends.Load())
	}
	if !n.contain("exit status 7") {
		t.Error("the log does not say how the program ended")
	}
}

// TestProgramThatIsKilledAtEachPoint has the program killed again and again, at one
// point of its work each, under load; the host goes on.
func TestProgramThatIsKilledAtEachPoint(t *testing.T) {
	for _, point := range deaths {
		t.Run(point, func(t *testing.T) {
			before := openFiles(t)
			p := actor(t, "dies-at", point)
			p.Backoff = time.Millisecond
			p.CommandTimeout = 10 * time.Millisecond // there is no FreeSWITCH
			var ends atomic.Int64
			p.OnRunning = func(on bool) {
				if !on {
					ends.Add(1)
				}
			}
			app := consumer.New()
			app.QueueEvents, app.DrainTimeout = 100, time.Millisecond
			app.Logger = p.Logger
			hostWith(t, app, p, func(ctx context.Context, h esl.Handler) error {
				ctx, cancel := context.WithCancel(ctx)
				defer cancel()
				done := make(chan error, 1)
				go func() { done <- feed(20_000, 50)(ctx, h) }()
				eventually(t, "three deaths", func() bool { return ends.Load() >= 3 })
				cancel()
				return <-done
			})
			if after := openFiles(t); after > before {
				t.Errorf("%d files are open, before it were %d", after, before)
			}
		})
	}
}

// openFiles counts open file descriptors, where the system tells.
func openFiles(t *testing.T) int {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(files)
}

func TestMissingProgram(t *testing.T) {
	p := &program.Consumer{Path: filepath.Join(t.TempDir(), "none"), Backoff: time.Millisecond}
	var n notes
	p.Logger = n.logger()
	host(t, p, func(context.Context, esl.Handler) error {
		eventually(t, "a line in the log", func() bool { return n.contain("no such file") })
		return nil
	})
	if p.Running() {
		t.Error("says that it is running")
	}
}

func TestGarbageIsLoggedNotExecuted(t *testing.T) {
	p := actor(t, "garbage")
	var n notes
	p.Logger = n.logger()
	host(t, p, func(context.Context, esl.Handler) error {
		eventually(t, "the last line", func() bool { return slices.Contains(n.lines("stdout"), "after all that") })
		return nil
	})
	out := n.lines("stdout")
	for _, want := range []string{"plain text", `{"not": "a command"}`, `{"api": "status"`, `["api", "status"]`, "{\"api\": \"invalid \ufffd\"}"} {
		if !slices.Contains(out, want) {
			t.Errorf("the log lacks %q", want)
		}
	}
	if !n.contain("bytes_left_out") {
		t.Error("the log does not tell of the long lines")
	}
	stderr := n.lines("stderr")
	if len(stderr) < 2 || stderr[len(stderr)-1] != "last words" || len(strings.Join(stderr, "")) != 100_000+len("last words") {
		t.Errorf("stderr came as %d lines", len(stderr))
	}
}

func TestWhatAProgramLeavesBehindIsEnded(t *testing.T) {
	p := actor(t, "leaves-child")
	var n notes
	p.Logger = n.logger()
	var child string
	host(t, p, func(context.Context, esl.Handler) error {
		eventually(t, "the child", func() bool {
			lines := n.lines("stdout")
			if len(lines) > 0 {
				child = lines[0]
			}
			return child != ""
		})
		return nil
	})
	eventually(t, "the child to be gone", func() bool {
		state, err := os.ReadFile("/proc/" + child + "/stat")
		return err != nil || strings.Contains(string(state), ") Z ")
	})
}

func TestEnvironment(t *testing.T) {
	t.Setenv("ESL_PASSWORD", "secret")
	t.Setenv("GENESIS_SECRET", "secret")
	t.Setenv("LC_ALL", "C.UTF-8")
	t.Setenv("ALSO", "passed")
	p := actor(t, "environment")
	p.Env = append(p.Env, "ALSO", "SET=here=now")
	var n notes
	p.Logger = n.logger()
	host(t, p, func(context.Context, esl.Handler) error {
		eventually(t, "the environment", func() bool { return len(n.lines("stdout")) >= 6 && n.contain("SET=here") })
		return nil
	})
	got := n.lines("stdout")
	for _, want := range []string{"LC_ALL=C.UTF-8", "ALSO=passed", "SET=here=now", "GENESIS_PROTOCOL=1", "GENESIS_MODE=consumer",
		"GENESIS_VERSION=test", "PATH=" + os.Getenv("PATH")} {
		if !slices.Contains(got, want) {
			t.Errorf("the program lacks %s", want)
		}
	}
	if n.contain("secret") {
		t.Errorf("the program got a secret: %q", got)
	}
}

func TestFiltersAndNames(t *testing.T) {
	file := journal(t)
	p := actor(t, "record", file)
	p.Events = []string{"DTMF", "sofia::register"}
	p.Filters = []string{"Unique-ID=b", "unique-id=c"}
	host(t, p, func(ctx context.Context, h esl.Handler) error {
		n := 0
		for _, call := range []string{"a", "b", "c"} {
			for _, name := range []string{"DTMF", "HEARTBEAT", "CUSTOM"} {
				n++
				h.HandleEvent(ctx, event(name, call, n))
			}
		}
		return nil
	})
	got := entries(t, file)
	if len(got) != 2 || got[0].n+got[1].n != 4+7 {
		t.Errorf("the program got %v", got)
	}
	p = actor(t, "record", file)
	p.Filters = []string{"nonsense"}
	if err := p.Register(consumer.New()); err == nil || !strings.Contains(err.Error(), `"nonsense"`) {
		t.Errorf("a bad filter gives %v", err)
	}
}
