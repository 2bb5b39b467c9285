//go:build unix

package esl_test

import (
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/esl"
)

// stoppedLimit is how long a connection of TestStoppedProcess may be silent.
const stoppedLimit = 400 * time.Millisecond

// TestStoppedProcess stops a process for longer than its connections may be silent, as Ctrl-Z, a
// debugger or docker pause does, while events come. They have not been silent: when it goes on it
// gets all of them.
func TestStoppedProcess(t *testing.T) {
	const connections, beats = 30, 12
	if addr := os.Getenv("ESL_TEST_STOPPED"); addr != "" {
		readWhatComes(t, addr, connections, beats)
		return
	}
	l := listen(t)
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestStoppedProcess$")
	cmd.Env = append(os.Environ(), "ESL_TEST_STOPPED="+l.Addr().String(), "GORACE=atexit_sleep_ms=0")
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var peers []*peer
	for range connections {
		peers = append(peers, accept(t, l))
	}
	for beat := range beats {
		if signal := map[int]os.Signal{2: syscall.SIGSTOP, 8: syscall.SIGCONT}[beat]; signal != nil {
			if err := cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
		}
		for _, far := range peers {
			_, _ = far.nc.Write(event("HEARTBEAT")) // the process tells what came
		}
		pause := time.NewTimer(stoppedLimit / 4)
		<-pause.C
	}
	for _, far := range peers {
		far.fin()
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v: %s", err, &out)
	}
}

// readWhatComes is the process that is stopped.
func readWhatComes(t *testing.T, addr string, connections, events int) {
	var reading sync.WaitGroup
	for range connections {
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		c := esl.NewConn(nc, esl.ConnConfig{IdleTimeout: stoppedLimit})
		reading.Go(func() {
			for n := 0; ; n++ {
				if _, err := c.ReadEvent(within(t)); err != nil {
					if n != events || !errors.Is(err, io.EOF) {
						t.Errorf("ended after %d events of %d: %v", n, events, err)
					}
					return
				}
			}
		})
	}
	reading.Wait()
}
