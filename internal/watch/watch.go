// Package watch tells when files below a directory have changed.
package watch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Settle is how long files must have been left alone before a change is told: an editor or a build writes several.
const Settle = 100 * time.Millisecond

// ignored are directories in which nothing that matters changes.
var ignored = map[string]bool{"node_modules": true, "vendor": true, "bin": true, "dist": true, "build": true, "target": true, "__pycache__": true}

// Dir calls changed after each change below dir, once files have settled, until ctx ends; then it returns nil. Directories
// that begin with a dot and those for build output are left out, and so are editors' temporary files, records and logs.
// New directories are watched too. While changed runs, further changes wait and are told together.
func Dir(ctx context.Context, dir string, changed func()) error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watching %s: %w", dir, err)
	}
	defer func() { _ = w.Close() }() // nothing is left to lose
	if err := add(w, dir); err != nil {
		return fmt.Errorf("watching %s: %w", dir, err)
	}
	settled := time.NewTimer(Settle)
	settled.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-w.Errors:
			if !errors.Is(err, fsnotify.ErrEventOverflow) {
				return fmt.Errorf("watching %s: %w", dir, err)
			}
			settled.Reset(Settle) // some changes have gone unnoticed
		case ev := <-w.Events:
			name := filepath.Base(ev.Name)
			if ev.Op == fsnotify.Chmod || temporary(name) || ignored[name] {
				continue
			}
			if ev.Has(fsnotify.Create) {
				_ = add(w, ev.Name) // a file, or gone again
			}
			settled.Reset(Settle)
		case <-settled.C:
			changed()
		}
	}
}

// add watches a directory and those below it.
func add(w *fsnotify.Watcher, root string) error {
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !entry.IsDir() {
			return nil
		}
		name := entry.Name()
		if path != root && (strings.HasPrefix(name, ".") || ignored[name]) {
			return filepath.SkipDir
		}
		return w.Add(path)
	})
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
