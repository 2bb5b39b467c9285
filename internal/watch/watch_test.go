package watch_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/genesis-esl/genesis/internal/watch"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second

// start watches a new directory until the test ends. It returns once changes are
// seen.
func start(t *testing.T, opts ...watch.Option) (dir string, told <-chan struct{}) {
	t.Helper()
	dir = t.TempDir()
	return dir, startIn(t, dir, opts...)
}

// startIn watches a directory that is there.
func startIn(t *testing.T, dir string, opts ...watch.Option) (told <-chan struct{}) {
	t.Helper()
	changes, done := make(chan struct{}, 1000), make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	go func() { done <- watch.Dir(ctx, dir, func() { changes <- struct{}{} }, opts...) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	until(t, changes, "the first file", func() { write(t, filepath.Join(dir, "first"), "x") })
	return changes
}

// until makes a change again and again until it is told: the watch is being set up.
func until(t *testing.T, told <-chan struct{}, what string, change func()) {
	t.Helper()
	again := time.NewTicker(2 * watch.Settle)
	defer again.Stop()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		change()
		select {
		case <-told:
			return
		case <-again.C:
		}
	}
	t.Fatalf("nobody told of %s", what)
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

func await(t *testing.T, told <-chan struct{}, what string) {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-told:
	case <-timer.C:
		t.Fatalf("nobody told of %s", what)
	}
}

// settle waits until nothing is told any more.
func settle(told <-chan struct{}) {
	const long = 3 * watch.Settle
	quiet := time.NewTimer(long)
	defer quiet.Stop()
	for {
		select {
		case <-told:
			quiet.Reset(long)
		case <-quiet.C:
			return
		}
	}
}

// logged is a logger and its lines.
func logged() (*slog.Logger, <-chan string) {
	lines := make(lineWriter, 1000)
	return slog.New(slog.NewTextHandler(lines, nil)), lines
}

type lineWriter chan string

func (w lineWriter) Write(p []byte) (int, error) {
	w <- string(p)
	return len(p), nil
}

// awaitLine waits for a line that has all of the words.
func awaitLine(t *testing.T, lines <-chan string, words ...string) {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case line := <-lines:
		for _, word := range words {
			if !strings.Contains(line, word) {
				t.Errorf("logged %q, want %q in it", line, word)
			}
		}
	case <-timer.C:
		t.Fatalf("nothing is logged, want %q", words)
	}
}

func TestChangesAreTold(t *testing.T) {
	dir, told := start(t)
	file := filepath.Join(dir, "app.py")
	write(t, file, "one")
	await(t, told, "a new file")
	write(t, file, "two")
	await(t, told, "a change")
	if err := os.Rename(file, file+"2"); err != nil {
		t.Fatal(err)
	}
	await(t, told, "a new name")
	deep := filepath.Join(dir, "new", "deeper", "x.py")
	write(t, deep, "x")
	await(t, told, "a file in a new directory")
	write(t, deep, "y")
	await(t, told, "a change there")
	if err := os.Remove(deep); err != nil {
		t.Fatal(err)
	}
	await(t, told, "a removal")
}

func TestManyWritesAreOneChange(t *testing.T) {
	dir, told := start(t)
	for range 20 {
		write(t, filepath.Join(dir, "a"), "text")
		write(t, filepath.Join(dir, "b"), "text")
	}
	await(t, told, "the changes")
	if len(told) > 3 {
		t.Errorf("told %d times more", len(told))
	}
}

func TestWhatIsLeftOut(t *testing.T) {
	dir, told := start(t)
	for _, name := range []string{".git/index", "node_modules/x/y.js", ".hidden", "app.py~", "#app.py#", "calls.csv", "app.log", "x.swp", "x.db-wal"} {
		write(t, filepath.Join(dir, name), "x")
	}
	quiet := time.NewTimer(5 * watch.Settle)
	defer quiet.Stop()
	// Making the directories themselves may be told, once.
	for n := 0; ; {
		select {
		case <-told:
			if n++; n > 1 {
				t.Fatal("told of what is left out")
			}
			for _, name := range []string{".git/index", "node_modules/x/y.js", "calls.csv", "app.log"} {
				write(t, filepath.Join(dir, name), "y")
			}
		case <-quiet.C:
			return
		}
	}
}

func TestNoSuchDirectory(t *testing.T) {
	if err := watch.Dir(t.Context(), filepath.Join(t.TempDir(), "none"), func() {}); err == nil {
		t.Error("no error")
	}
}
