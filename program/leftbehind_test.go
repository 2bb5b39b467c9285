package program_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/consumer"
	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/internal/ports"
	"github.com/genesis-esl/genesis/program"
)

// once returns a host for a shell script whose first process does what text says, and
// whose others read their stdin to its end.
func once(t *testing.T, text string) *program.Consumer {
	t.Helper()
	p := actor(t, "")
	p.Path, p.Args = "/bin/sh", []string{"-c", "mkdir " + filepath.Join(t.TempDir(), "begun") + " 2>/dev/null || exec cat >/dev/null; " + text}
	return p
}

// starting counts the starts of a program.
func starting(p *program.Consumer) *atomic.Int64 {
	starts := new(atomic.Int64)
	p.OnRunning = func(on bool) {
		if on {
			starts.Add(1)
		}
	}
	return starts
}

// TestStopWhileCommandsWait stops a host whose program has written commands that wait
// for a FreeSWITCH which is not there.
func TestStopWhileCommandsWait(t *testing.T) {
	tests := []struct {
		name, actor, command string
		commands             int
		until                string // is in the log once all have been written
	}{
		{"ended", "says", `{"api": "status"}`, 3, "is started again"},
		{"running", "say", `{"bgapi": "status"}`, 1100, "all written"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			nobody, release := ports.Hold("127.0.0.1:0")
			defer release()
			p := actor(t, tt.actor, append(slices.Repeat([]string{tt.command}, tt.commands), "all written")...)
			p.CommandTimeout = time.Hour
			var n notes
			p.Logger = n.logger()
			app := consumer.New()
			app.Logger = p.Logger
			if err := p.Register(app); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			done := make(chan error, 1)
			go func() {
				done <- p.Run(ctx, func(ctx context.Context) error {
					return app.Serve(ctx, esl.ClientConfig{Addr: nobody})
				})
			}()
			eventually(t, "the commands", func() bool { return n.contain(tt.until) })
			cancel()
			timer := time.NewTimer(patience)
			defer timer.Stop()
			select {
			case err := <-done:
				if err != nil {
					t.Error(err)
				}
			case <-timer.C:
				t.Fatal("it does not stop")
			}
			if !n.contain("were not carried out") {
				t.Error("the log does not tell of the commands")
			}
		})
	}
}

// TestRestartWhileCommandsRun has a program end while what it asked for goes on in
// FreeSWITCH: the next one is started all the same, and all has been asked for.
func TestRestartWhileCommandsRun(t *testing.T) {
	tests := []struct {
		command string
		times   int
	}{{"api", 1}, {"bgapi", 1005}}
	for _, tt := range tests {
		t.Run(tt.command, func(t *testing.T) {
			p := once(t, fmt.Sprintf(`i=0; while [ $i -lt %d ]; do echo '{"%s": "msleep 3600000"}'; i=$((i+1)); done; exit 1`, tt.times, tt.command))
			p.CommandTimeout = time.Hour
			starts := starting(p)
			fs := serveExample(t, p)
			eventually(t, "another start", func() bool { return starts.Load() > 1 })
			eventually(t, "all commands", func() bool {
				sent := 0
				for _, command := range fs.Commands() {
					if command == tt.command+" msleep 3600000" {
						sent++
					}
				}
				return sent == tt.times
			})
		})
	}
}

// TestCommandsAndOutputBeforeTheEnd has a program write commands that take longer than
// it lives, then one more and a line of output.
func TestCommandsAndOutputBeforeTheEnd(t *testing.T) {
	p := once(t, `for i in 1 2 3; do echo '{"api": "msleep 700"}'; sleep 0.05; done; echo '{"api": "create_uuid last"}'; sleep 0.05; echo last words`)
	var n notes
	p.Logger = n.logger()
	starts := starting(p)
	fs := serveExample(t, p)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := fs.WaitCommand(ctx, "api create_uuid last"); err != nil {
		t.Errorf("the last command was not carried out: %v", err)
	}
	eventually(t, "the next start", func() bool { return starts.Load() > 1 })
	before, _, _ := strings.Cut(n.String(), "is started again")
	if !strings.Contains(before, "last words") {
		t.Error("the last line of output is not in the log")
	}
}
