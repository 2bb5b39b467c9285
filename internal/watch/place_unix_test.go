//go:build unix

package watch_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/genesis-esl/genesis/internal/watch"
)

// link makes a symbolic link, or has one lead elsewhere.
func link(t *testing.T, to, name string) {
	t.Helper()
	if err := os.Symlink(to, name+"~"); err != nil {
		t.Fatal(err)
	}
	rename(t, name+"~", name)
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}

func TestTheProgramCountsWhateverItIsCalled(t *testing.T) {
	for _, name := range []string{"a.out", "build", "bin", ".app", "app.db"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			program := filepath.Join(dir, name)
			told := startIn(t, dir, watch.Program(program))
			settle(told)
			for range 2 {
				write(t, program, "x")
				await(t, told, "the program")
			}
		})
	}
}

func TestTheProgramIsALink(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	program, between := filepath.Join(top, "dir", "app"), filepath.Join(top, "between")
	first, second, third := filepath.Join(top, "one", "a.out"), filepath.Join(top, "two", "b.out"), filepath.Join(top, "two", "c.out")
	for _, file := range []string{program, first, second, third} {
		write(t, file, "x")
	}
	link(t, first, between)
	link(t, filepath.Join("..", "between"), program)
	told := startIn(t, filepath.Dir(program), watch.Program(program))
	settle(told)
	step := func(what string, change func()) {
		t.Helper()
		change()
		await(t, told, what)
		settle(told)
	}
	step("the file that it leads to", func() { write(t, first, "y") })
	step("what stands beside it", func() { write(t, filepath.Join(top, "one", "library.sh"), "y") })
	step("another file in another directory", func() { link(t, second, between) })
	step("a change there", func() { write(t, second, "y") })
	step("another file in the same directory", func() { link(t, third, between) })
	step("a change to it", func() { write(t, third, "y") })
	step("its removal", func() { remove(t, third) })
	step("its return", func() { write(t, third, "z") })
	step("the removal of its directory", func() { remove(t, filepath.Dir(third)) })
	step("the return of its directory", func() { write(t, third, "z") })
	step("a change after that", func() { write(t, third, "y") })
}

func TestTheDirectoryIsReplaced(t *testing.T) {
	ways := map[string]func(t *testing.T, top, dir string){
		"removed": func(t *testing.T, _, dir string) { remove(t, dir) },
		"moved and removed": func(t *testing.T, top, dir string) {
			rename(t, dir, filepath.Join(top, "old"))
			remove(t, filepath.Join(top, "old"))
		},
		"moved":              func(t *testing.T, top, dir string) { rename(t, dir, filepath.Join(top, "old")) },
		"one above is moved": func(t *testing.T, top, _ string) { rename(t, filepath.Join(top, "up"), filepath.Join(top, "old")) },
		"a link leads elsewhere": func(t *testing.T, top, dir string) {
			write(t, filepath.Join(top, "other", "x"), "x")
			rename(t, dir, filepath.Join(top, "old"))
			link(t, filepath.Join(top, "other"), dir)
		},
	}
	for name, replace := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			top := t.TempDir()
			dir := filepath.Join(top, "up", "app")
			deep := filepath.Join(dir, "deeper", "x")
			write(t, deep, "x")
			told := startIn(t, dir)
			settle(told)
			replace(t, top, dir)
			write(t, deep, "x")
			await(t, told, "the directory replaced")
			settle(told)
			for range 2 {
				write(t, deep, "y")
				await(t, told, "a change in what stands in its place")
			}
		})
	}
}

// What happens while changed runs waits, so that a directory that has been moved is gone before its watch is ended.
func TestADirectoryIsMovedAndRemovedMeanwhile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	began, told, done := make(chan struct{}, 1000), make(chan struct{}), make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		done <- watch.Dir(ctx, dir, func() {
			began <- struct{}{}
			select {
			case told <- struct{}{}:
			case <-ctx.Done():
			}
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	sub := filepath.Join(dir, "sub", "x")
	until(t, told, "the first file", func() { write(t, sub, "x") })
	settle(told)
	for len(began) > 0 {
		<-began
	}
	write(t, sub, "y")
	await(t, began, "a change")
	for range 3 {
		write(t, sub, "z")
	}
	rename(t, filepath.Dir(sub), filepath.Join(dir, "old"))
	remove(t, filepath.Join(dir, "old"))
	await(t, told, "the change")
	settle(told)
	write(t, sub, "x")
	await(t, told, "a change after that")
}

func TestTheDirectoryComesBackLater(t *testing.T) {
	t.Parallel()
	log, lines := logged()
	dir, told := start(t, watch.Logger(log))
	remove(t, dir)
	awaitLine(t, lines, "gone", dir)
	settle(told)
	write(t, filepath.Join(dir, "app.py"), "x")
	await(t, told, "the return of the directory")
	settle(told)
	write(t, filepath.Join(dir, "app.py"), "y")
	await(t, told, "a change there")
	if len(lines) > 0 {
		t.Errorf("logged again: %s", <-lines)
	}
}

func TestTheDirectoryIsALink(t *testing.T) {
	t.Parallel()
	dir, other := filepath.Join(t.TempDir(), "dir"), t.TempDir()
	link(t, other, dir)
	told := startIn(t, dir)
	settle(told)
	write(t, filepath.Join(other, "app.py"), "x")
	await(t, told, "a change where the link leads")
}
