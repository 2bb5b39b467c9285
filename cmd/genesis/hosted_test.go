//go:build unix

package main

import (
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A second signal leaves nothing of a hosted program behind, even of one that neither reads nor listens to signals.
func TestSecondSignalEndsPrograms(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.sh")
	write(t, path, "#!/bin/sh\ntrap '' INT TERM\nsleep 1000 &\necho \"pids $$ $!.\"\nwhile :; do sleep 1; done\n", 0o755)
	app := startGenesis(t, "consumer", "--port", freePort(t), path)
	pids := strings.Fields(app.stderr.match(t, `pids (\d+ \d+)\.`))
	leader, err := strconv.Atoi(pids[0])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			_ = syscall.Kill(-leader, syscall.SIGKILL)
		}
	})
	app.signal(syscall.SIGTERM)
	app.stderr.match(t, "msg=stopping")
	if code := app.insist(syscall.SIGTERM); code == 0 {
		t.Error("exit code 0 after a second signal, although the program had not ended")
	}
	awaitEnd(t, pids...)
}

// awaitEnd waits until no process of these runs.
func awaitEnd(t *testing.T, pids ...string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for _, pid := range pids {
		for alive(pid) {
			if time.Now().After(deadline) {
				t.Fatalf("process %s goes on", pid)
			}
			<-time.After(10 * time.Millisecond)
		}
	}
}

// A terminal's Ctrl-C ends the reader of a log (`genesis ... 2>&1 | tee log`) as well, and it may be the first to go: the
// stop is graceful all the same.
func TestStopsGracefullyWithoutItsLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.sh")
	write(t, path, "#!/bin/sh\necho \"pid $$.\"\nwhile read -r line; do :; done\nsleep 1\n", 0o755)
	for _, both := range []bool{false, true} {
		stderr, stdout := pipeTo(t), (*os.File)(nil)
		if both {
			stdout = stderr.w
		}
		app := startGenesisOnBoth(t, stdout, stderr.w, "consumer", "--simulate", path)
		pid := stderr.match(t, newStream(), `pid (\d+)\.`)
		stderr.close()
		app.stop()
		awaitEnd(t, pid)
	}
}

// Who writes to a reader that has seen enough is done, be it the app that prints or one of its own.
func TestEndsWithTheReaderOfItsOutput(t *testing.T) {
	for _, args := range [][]string{{}, {"../../examples/consumer"}} {
		stdout := pipeTo(t)
		app := startGenesisOn(t, stdout.w, append([]string{"consumer", "--simulate"}, args...)...)
		stdout.match(t, newStream(), `.\n`)
		stdout.close()
		if code := app.wait(); code != 0 {
			t.Errorf("consumer %v: exit code %d when nobody reads its output, want 0", args, code)
		}
		log := app.stderr.String()
		if !strings.Contains(log, "msg=stopped") {
			t.Errorf("consumer %v: no graceful stop:\n%s", args, log)
		}
		if len(args) == 0 && strings.Contains(log, "level=ERROR") { // an app's own handlers may say that they failed
			t.Errorf("the app that prints complains:\n%s", log)
		}
	}
}

// A terminal that closes sends SIGHUP, and so does the shell in it: the stop is graceful, and nothing is left behind.
func TestStopsWithItsTerminal(t *testing.T) {
	heedSIGHUP(t)
	path := filepath.Join(t.TempDir(), "app.sh")
	write(t, path, "#!/bin/sh\nsleep 1000 &\necho \"pids $$ $!.\"\nwhile read -r line; do :; done\nsleep 1\n", 0o755)
	for _, app := range []struct{ path, log, started string }{
		{path, "stderr", `pids (\d+ \d+)\.`}, {"../../examples/consumer", "stdout", `(.)\n`},
	} {
		p := startGenesis(t, "consumer", "--simulate", app.path)
		started := map[string]*stream{"stdout": p.stdout, "stderr": p.stderr}[app.log].match(t, app.started)
		p.signal(syscall.SIGHUP)
		p.stderr.match(t, "msg=stopping")
		p.signal(syscall.SIGHUP) // which is no second signal
		if code := p.wait(); code != 0 || !strings.Contains(p.stderr.String(), "msg=stopped") {
			t.Errorf("%s: exit code %d after SIGHUP, want a graceful stop and 0", app.path, code)
		}
		if app.log == "stderr" {
			awaitEnd(t, strings.Fields(started)...)
		}
	}
}

// heedSIGHUP has processes that are started now get SIGHUP, even when these tests run under nohup.
func heedSIGHUP(t *testing.T) {
	heard := make(chan os.Signal, 1)
	signal.Notify(heard, syscall.SIGHUP)
	t.Cleanup(func() { signal.Stop(heard) })
}

// nohup has a process outlive its terminal.
func TestIgnoresSIGHUPWhenToldTo(t *testing.T) {
	signal.Ignore(syscall.SIGHUP) // which processes that are started now inherit
	app := startGenesis(t, "consumer", "--simulate", "../../examples/consumer")
	signal.Reset(syscall.SIGHUP)
	app.stdout.match(t, `.\n`)
	app.signal(syscall.SIGHUP)
	before := len(app.stdout.String())
	app.stdout.until(t, "more events", func(text string) bool { return strings.Count(text[before:], "\n") > 2 })
	if log := app.stderr.String(); strings.Contains(log, "msg=stopping") {
		t.Errorf("stopped by an ignored signal:\n%s", log)
	}
	app.stop()
}

// The example in Python says that its file is what follows --.
func TestProgramsGetArguments(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil && os.Getenv("CI") == "" {
		t.Skip("python3 is not installed")
	}
	file := filepath.Join(t.TempDir(), "records.csv")
	app := startGenesis(t, "consumer", "--simulate", "../../examples/programs/python/cdr.py", "--", file)
	deadline := time.Now().Add(patience)
	for {
		if text, err := os.ReadFile(file); err == nil && strings.Contains(string(text), "NORMAL_CLEARING") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("no record in the file named")
		}
		<-time.After(10 * time.Millisecond)
	}
	app.stop()
}

// pipe is what a command writes to, and its reader.
type pipe struct{ r, w *os.File }

func pipeTo(t *testing.T) pipe {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = r.Close(), w.Close() }) // closed already when all goes well
	return pipe{r, w}
}

// match reads into a stream until an expression is there.
func (p pipe) match(t *testing.T, into *stream, expression string) string {
	t.Helper()
	go func() { _, _ = io.Copy(into, p.r) }() // ends with close
	return into.match(t, expression)
}

// close leaves nobody to read what is written.
func (p pipe) close() { _, _ = p.w.Close(), p.r.Close() }

// alive tells whether a process runs; one that nobody has waited for yet does not.
func alive(pid string) bool {
	state, err := os.ReadFile("/proc/" + pid + "/stat")
	return err == nil && !strings.Contains(string(state), ") Z ")
}
