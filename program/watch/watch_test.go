package watch_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/genesis-esl/genesis/program/watch"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second

// start watches a new directory and returns it with what is told.
func start(t *testing.T, opts watch.Options) (dir string, told <-chan []string) {
	t.Helper()
	dir = t.TempDir()
	changes, ready, done := make(chan []string, 100), make(chan struct{}), make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	go func() { done <- watch.Tree(ctx, dir, opts, ready, func(paths []string) { changes <- paths }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	<-ready
	return dir, changes
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// until waits for a change of path; what else is told may be in allowed only.
func until(t *testing.T, told <-chan []string, path string) {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		select {
		case paths := <-told:
			if slices.Contains(paths, path) {
				return
			}
		case <-timer.C:
			t.Fatalf("nobody told of %s", path)
		}
	}
}

func TestChangesAreTold(t *testing.T) {
	dir, told := start(t, watch.Options{Quiet: 10 * time.Millisecond})
	file := filepath.Join(dir, "app.py")
	write(t, file, "one")
	until(t, told, file)
	write(t, file, "two")
	until(t, told, file)
	if err := os.Rename(file, file+"2"); err != nil {
		t.Fatal(err)
	}
	until(t, told, file+"2")
	deep := filepath.Join(dir, "new", "deeper", "x.py")
	write(t, deep, "x")
	until(t, told, deep)
	write(t, deep, "y")
	until(t, told, deep)
	if err := os.Remove(deep); err != nil {
		t.Fatal(err)
	}
	until(t, told, deep)
}

func TestManyWritesAreOneChange(t *testing.T) {
	dir, told := start(t, watch.Options{Quiet: 200 * time.Millisecond})
	for range 20 {
		write(t, filepath.Join(dir, "a"), "text")
		write(t, filepath.Join(dir, "b"), "text")
	}
	paths := <-told
	if len(paths) != 2 || len(told) > 0 {
		t.Errorf("told of %q", paths)
	}
}

func TestWhatIsLeftOut(t *testing.T) {
	dir, told := start(t, watch.Options{Quiet: 10 * time.Millisecond, Match: func(path string) bool { return filepath.Ext(path) != ".csv" }})
	for _, name := range []string{".git/index", "node_modules/x/y.js", "__pycache__/a.pyc", ".hidden", "app.py~", "#app.py#", "data.csv", "x.swp"} {
		write(t, filepath.Join(dir, name), "x")
	}
	last := filepath.Join(dir, "last")
	write(t, last, "x")
	paths := <-told
	if !slices.Equal(paths, []string{last}) {
		t.Errorf("told of %q", paths)
	}
}

func TestNoSuchDirectory(t *testing.T) {
	err := watch.Tree(t.Context(), filepath.Join(t.TempDir(), "none"), watch.Options{}, nil, func([]string) {})
	if err == nil {
		t.Error("no error")
	}
}
