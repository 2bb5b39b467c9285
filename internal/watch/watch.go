// Package watch tells when files below a directory have changed.
package watch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Settle is how long files must have been left alone before a change is told: an editor or a build writes several.
const Settle = 100 * time.Millisecond

// lookEvery is how often it is looked whether the directories are still the ones that are watched.
const lookEvery = 5 * Settle

// ignored are directories in which nothing that matters changes.
var ignored = map[string]bool{"node_modules": true, "vendor": true, "bin": true, "dist": true, "build": true, "target": true, "__pycache__": true}

// Option changes what Dir does.
type Option func(*watcher)

// Program names a file in the directory whose changes are told whatever it is called. When it is a symbolic link, the
// directory of the file that it leads to is watched too.
func Program(path string) Option { return func(w *watcher) { w.program = path } }

// Logger gets what is not watched, and why; slog.Default() without it.
func Logger(log *slog.Logger) Option { return func(w *watcher) { w.log = log } }

// Dir calls changed after each change below dir, once files have settled, until ctx ends; then it returns nil. Directories
// that begin with a dot and those for build output are left out, and so are editors' temporary files, records and logs.
// New directories are watched too; one that may not be read is left out, and that is logged. While changed runs, further
// changes wait and are told together. When dir is removed, moved or replaced, what comes to stand in its place is watched.
func Dir(ctx context.Context, dir string, changed func(), opts ...Option) error {
	w := &watcher{dir: dir, log: slog.Default()}
	for _, opt := range opts {
		opt(w)
	}
	if err := w.start(); err != nil {
		return err
	}
	defer func() { _ = w.notify.Close() }() // nothing is left to lose
	settled := time.NewTimer(Settle)
	settled.Stop()
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-w.notify.Errors:
			// Too many changes at a time, or a directory moved and removed before it was seen to.
			w.log.Warn("changes may have gone unseen, watching anew", "directory", dir, "error", err)
			w.stale = true
		case ev := <-w.notify.Events:
			if w.matters(ev) {
				settled.Reset(Settle)
			}
		case <-look.C:
			again, err := w.look()
			if err != nil {
				return err
			}
			if again {
				settled.Reset(Settle)
			}
		case <-settled.C:
			if !w.stale { // else it is told when all there is is watched again
				changed()
			}
		}
	}
}

// matters tells whether an event is a change to tell. It has new directories watched.
func (w *watcher) matters(ev fsnotify.Event) bool {
	if ev.Has(fsnotify.Remove) || ev.Has(fsnotify.Rename) {
		w.stale = w.stale || w.isPlace(ev.Name)
	}
	name := filepath.Base(ev.Name)
	if ev.Op == fsnotify.Chmod || !w.isProgram(ev.Name) && (temporary(name) || ignored[name]) {
		return false
	}
	if ev.Has(fsnotify.Create) {
		w.unseen(w.add(w.notify, ev.Name)) // a file is fine
	}
	return true
}

// add watches a directory and those below it, but for those that may not be read.
func (w *watcher) add(to *fsnotify.Watcher, root string) error {
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			return nil
		}
		if err == nil {
			name := entry.Name()
			if path != root && (strings.HasPrefix(name, ".") || ignored[name]) {
				return filepath.SkipDir
			}
			err = to.Add(path)
		}
		if err == nil {
			return nil
		}
		err = failed(path, err)
		if path != root && (errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist)) {
			w.unseen(err)
			return filepath.SkipDir
		}
		return err
	})
}

// failed names the directory that cannot be watched, once.
func failed(dir string, err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	return fmt.Errorf("watching %s: %w", dir, err)
}

// unseen logs why a directory is not watched, unless it is gone again.
func (w *watcher) unseen(err error) {
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		w.log.Warn("changes in a directory will not be seen", "error", err)
	}
}

// written are the endings of what apps write while they run, next to their sources often enough: it must not restart them.
var written = map[string]bool{
	".csv": true, ".log": true, ".out": true, ".pid": true, ".lock": true, ".tmp": true, ".db": true, ".db-journal": true,
	".db-wal": true, ".db-shm": true, ".sqlite": true, ".sqlite3": true, ".wav": true, ".mp3": true, ".pyc": true, ".swp": true,
}

// temporary knows what editors leave behind and apps write.
func temporary(name string) bool {
	return strings.HasPrefix(name, ".") || strings.HasPrefix(name, "#") || strings.HasSuffix(name, "~") || name == "4913" ||
		written[filepath.Ext(name)]
}
