package watch

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Options say what counts as a change.
type Options struct {
	// Quiet is how long nothing must change before a change is told. Default 100 ms.
	Quiet time.Duration
	// Match reports whether a change of this file counts; nil for every file.
	Match func(path string) bool
}

// maxWait bounds how long a change is held back while more of them come.
const maxWait = 2 * time.Second

// ignored are directories that hold no sources.
var ignored = []string{"node_modules", "__pycache__", "venv", "target", "dist", "build", "bin", "vendor"}

// Tree calls changed, with the paths, some time after files in root or below have
// been written, made, renamed or removed, one call for all that change together,
// until ctx ends; then it returns nil. While changed runs, changes are collected.
// ready, if not nil, is closed once changes are seen.
func Tree(ctx context.Context, root string, opts Options, ready chan<- struct{}, changed func(paths []string)) error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch: %w", err)
	}
	defer w.Close()
	if _, err := addTree(w, root); err != nil {
		return fmt.Errorf("watch: %w", err)
	}
	if ready != nil {
		close(ready)
	}
	if opts.Quiet <= 0 {
		opts.Quiet = 100 * time.Millisecond
	}
	c := collector{opts: opts, w: w, paths: map[string]bool{}}
	for {
		select {
		case <-ctx.Done():
			return nil
		case ev, ok := <-w.Events:
			if !ok {
				return nil
			}
			c.take(ev)
		case err, ok := <-w.Errors:
			if !ok {
				return nil
			}
			// Too many changes at once: what changed is unknown, that it did is not.
			if err != nil && c.matches(root) {
				c.note(root)
			}
		case <-c.due():
			changed(c.flush())
		}
	}
}

// collector gathers changes until it is quiet.
type collector struct {
	opts  Options
	w     *fsnotify.Watcher
	paths map[string]bool
	first time.Time
	timer <-chan time.Time
}

func (c *collector) take(ev fsnotify.Event) {
	if ev.Op == fsnotify.Chmod || ignoredFile(ev.Name) {
		return
	}
	if ev.Has(fsnotify.Create) {
		if info, err := os.Stat(ev.Name); err == nil && info.IsDir() {
			if ignoredDir(filepath.Base(ev.Name)) {
				return
			}
			// Files may have come into it before it was watched.
			files, _ := addTree(c.w, ev.Name)
			for _, file := range files {
				if c.matches(file) && !ignoredFile(file) {
					c.note(file)
				}
			}
			return
		}
	}
	if c.matches(ev.Name) {
		c.note(ev.Name)
	}
}

func (c *collector) matches(path string) bool { return c.opts.Match == nil || c.opts.Match(path) }

func (c *collector) note(path string) {
	now := time.Now()
	if len(c.paths) == 0 {
		c.first = now
	}
	c.paths[path] = true
	wait := min(c.opts.Quiet, max(c.first.Add(maxWait).Sub(now), 0))
	c.timer = time.After(wait)
}

func (c *collector) due() <-chan time.Time { return c.timer }

func (c *collector) flush() []string {
	paths := make([]string, 0, len(c.paths))
	for path := range c.paths {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	clear(c.paths)
	c.timer = nil
	return paths
}

// addTree watches a directory and those below, and returns the files there.
func addTree(w *fsnotify.Watcher, root string) (files []string, err error) {
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil && path == root:
			return err
		case err != nil:
			return nil // gone already
		case !entry.IsDir():
			files = append(files, path)
			return nil
		case path != root && ignoredDir(entry.Name()):
			return filepath.SkipDir
		}
		return w.Add(path)
	})
	return files, err
}

func ignoredDir(name string) bool {
	return strings.HasPrefix(name, ".") || slices.Contains(ignored, name)
}

// ignoredFile knows what editors and interpreters leave behind.
func ignoredFile(path string) bool {
	name := filepath.Base(path)
	return strings.HasPrefix(name, ".") || strings.HasPrefix(name, "#") || strings.HasSuffix(name, "~") ||
		strings.HasSuffix(name, ".swp") || strings.HasSuffix(name, ".tmp") || strings.HasSuffix(name, ".pyc") || name == "4913"
}
