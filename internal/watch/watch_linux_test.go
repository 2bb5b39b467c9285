package watch_test

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/genesis-esl/genesis/internal/watch"
)

// asAnybody takes from this thread, which ends with the goroutine, what lets root read everything.
func asAnybody(t *testing.T) {
	runtime.LockOSThread()
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		t.Error(err)
	}
	data[0].Effective &^= 1<<unix.CAP_DAC_OVERRIDE | 1<<unix.CAP_DAC_READ_SEARCH
	if err := unix.Capset(&header, &data[0]); err != nil {
		t.Error(err)
	}
}

func TestDirectoriesThatMayNotBeRead(t *testing.T) {
	dir := t.TempDir()
	private, later := filepath.Join(dir, "private"), filepath.Join(dir, "later")
	if err := os.Mkdir(private, 0); err != nil {
		t.Fatal(err)
	}
	log, lines := logged()
	changes, done := make(chan struct{}, 1000), make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		asAnybody(t)
		done <- watch.Dir(ctx, dir, func() { changes <- struct{}{} }, watch.Logger(log))
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	awaitLine(t, lines, private, "permission denied")
	until(t, changes, "a file beside it", func() { write(t, filepath.Join(dir, "app.py"), "x") })
	if err := os.Mkdir(later, 0); err != nil {
		t.Fatal(err)
	}
	awaitLine(t, lines, later, "permission denied")
	settle(changes)
	write(t, filepath.Join(dir, "app.py"), "y")
	await(t, changes, "a file beside both")
}

func TestTheDirectoryMayNotBeRead(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		asAnybody(t)
		done <- watch.Dir(t.Context(), dir, func() {})
	}()
	if err := <-done; err == nil || err.Error() != "watching "+dir+": permission denied" {
		t.Errorf("%v, want an error that names the directory", err)
	}
}
