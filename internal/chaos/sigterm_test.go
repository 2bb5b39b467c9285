package chaos_test

import (
	"context"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/esl/esltest"
)

// TestTerminateAtAnyMoment stops the real command under load at moments between
// its start and full work: it ends with exit code 0, or by the signal when that
// came before the command could catch it, and within its deadline.
func TestTerminateAtAnyMoment(t *testing.T) {
	random := seeded(t)
	binary := filepath.Join(t.TempDir(), "genesis")
	if out, err := exec.Command("go", "build", "-o", binary, "../../cmd/genesis").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	srv := esltest.NewServer()
	ctx, cancel := context.WithCancel(context.Background())
	w := &world{t: t, srv: srv}
	var load sync.WaitGroup
	load.Go(func() { w.produce(ctx, "") })
	t.Cleanup(func() { cancel(); load.Wait(); srv.Close() })
	host, port, err := net.SplitHostPort(srv.Addr())
	if err != nil {
		t.Fatal(err)
	}
	for range 8 {
		command := exec.Command(binary, "consumer", "--host", host, "--port", port, "--observability-port", "0", "--observability-host", "127.0.0.1")
		command.Stdout, command.Stderr = io.Discard, io.Discard
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- command.Wait() }()
		running := time.Duration(random.IntN(400)) * time.Millisecond
		select {
		case err := <-ended:
			t.Fatalf("it ended by itself: %v", err)
		case <-time.After(running):
		}
		if err := command.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		err := receive(t, ended, "the end of the process")
		status := command.ProcessState.Sys().(syscall.WaitStatus)
		if err != nil && status.Signal() != syscall.SIGTERM {
			t.Errorf("stopped after %v: %v", running, err)
		}
		if status.Signaled() && running > 200*time.Millisecond {
			t.Errorf("the signal after %v was not caught", running)
		}
	}
}
