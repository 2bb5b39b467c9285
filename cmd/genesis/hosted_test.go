//go:build unix

package main

import (
	"os"
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
	app.signal(syscall.SIGTERM)
	if code := app.wait(); code == 0 {
		t.Error("exit code 0 after a second signal, although the program had not ended")
	}
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

// alive tells whether a process runs; one that nobody has waited for yet does not.
func alive(pid string) bool {
	state, err := os.ReadFile("/proc/" + pid + "/stat")
	return err == nil && !strings.Contains(string(state), ") Z ")
}
