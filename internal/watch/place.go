package watch

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"github.com/fsnotify/fsnotify"
)

// place is a directory that is watched with all below it.
type place struct {
	dir  string
	info fs.FileInfo
}

// watcher is one run of Dir. What notify tells bears names without symbolic links, so that each file has one name.
type watcher struct {
	dir, program string // as they were given
	log          *slog.Logger

	notify *fsnotify.Watcher
	places []place   // the first is dir
	names  [2]string // the program: in dir, and the file that it leads to
	stale  bool      // notify may no longer see all there is
	gone   bool      // dir is not there
}

// start watches what has to be there.
func (w *watcher) start() error {
	places, err := w.find()
	if err != nil {
		return err
	}
	return w.watch(places)
}

// look watches anew when there are other directories than those watched, and reports whether it did. Who watches a
// directory is not told that it, one above it or a link on the way has been replaced: that takes looking.
func (w *watcher) look() (again bool, err error) {
	names := w.names
	places, err := w.find()
	if err == nil && !w.stale && names == w.names && slices.EqualFunc(places, w.places, same) {
		return false, nil
	}
	if err == nil {
		err = w.watch(places)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err == nil, err
	}
	if !w.gone {
		w.log.Warn("the directory is gone, waiting for its return", "directory", w.dir)
	}
	w.stale, w.gone = true, true
	return false, nil
}

// same holds for the same directory. A new one may have got the identity of one removed just before: notify tells of
// that.
func same(a, b place) bool { return a.dir == b.dir && os.SameFile(a.info, b.info) }

// find returns the directories to watch as they are now: dir, and the one of the file that the program leads to.
func (w *watcher) find() ([]place, error) {
	dir, err := follow(w.dir)
	if err != nil {
		return nil, failed(w.dir, err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, failed(w.dir, err)
	}
	places := []place{{dir, info}}
	if w.program == "" {
		return places, nil
	}
	w.names[0] = filepath.Join(dir, filepath.Base(w.program))
	file, err := follow(w.program)
	switch {
	case err == nil:
		w.names[1] = file
	case w.names[1] == "":
		return places, nil
	} // else it is being replaced, and is awaited where it was
	other := filepath.Dir(w.names[1])
	if info, err := os.Stat(other); err == nil && other != dir {
		places = append(places, place{other, info})
	}
	return places, nil
}

// follow returns the whole name of what path leads to.
func follow(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(path)
}

// watch watches places and nothing else.
func (w *watcher) watch(places []place) error {
	next, err := fsnotify.NewWatcher()
	if err != nil {
		return failed(w.dir, err)
	}
	for i, place := range places {
		err := w.add(next, place.dir)
		if err != nil && i == 0 {
			_ = next.Close() // nothing was told
			return err
		}
		w.unseen(err) // without the other one, most changes are seen
	}
	if w.notify != nil {
		_ = w.notify.Close() // what it has still to tell is told by watching anew
	}
	w.notify, w.places, w.stale, w.gone = next, places, false, false
	return nil
}

func (w *watcher) isPlace(name string) bool {
	return slices.ContainsFunc(w.places, func(p place) bool { return p.dir == name })
}

func (w *watcher) isProgram(name string) bool {
	return w.program != "" && slices.Contains(w.names[:], name)
}
