package launch

import (
	"bytes"
	"debug/buildinfo"
	"errors"
	"fmt"
	"go/build"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"unicode/utf8"
)

// Library is the module whose apps know how to run themselves.
const Library = "github.com/genesis-esl/genesis"

// Kind is what a path turned out to be.
type Kind uint8

const (
	// Source is a Go package directory or a .go file: it has to be built.
	Source Kind = iota + 1
	// Binary is an executable built on this library: it connects by itself.
	Binary
	// Foreign is any other executable: it has to be hosted.
	Foreign
)

// Target is a path that can be run.
type Target struct {
	Kind Kind
	// Path is absolute.
	Path string
}

// Resolve finds out what path is. Its errors are one line for the person who typed the path.
func Resolve(path string) (Target, error) {
	if path == "" {
		return Target{}, errors.New("the path is empty: a Go package directory, a .go file or an executable is allowed")
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Target{}, fmt.Errorf("%s: no such file or directory", path)
	}
	if err != nil {
		return Target{}, err
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return Target{}, err
	}
	switch {
	case info.IsDir():
		return Target{Kind: Source, Path: abs}, checkMain(path)
	case !info.Mode().IsRegular():
		return Target{}, fmt.Errorf("%s: neither a file nor a directory", path)
	case filepath.Ext(path) == ".go":
		return Target{Kind: Source, Path: abs}, checkMainFile(path)
	case info.Mode().Perm()&0o111 == 0 && runtime.GOOS != "windows":
		return Target{}, fmt.Errorf("%s: not executable (chmod +x %s makes it so)", path, path)
	case builtOnLibrary(abs):
		return Target{Kind: Binary, Path: abs}, nil
	default:
		return Target{Kind: Foreign, Path: abs}, checkScript(path)
	}
}

// checkScript fails for a text that the system cannot run: it has to begin with a line that names its interpreter.
func checkScript(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil // who may run it need not be able to read it
	}
	defer func() { _ = f.Close() }() // read only
	head := make([]byte, 512)
	n, _ := io.ReadFull(f, head) // of a short file there is less
	head = head[:n]
	line, script := strings.CutPrefix(string(head), "#!")
	switch {
	case !script && !utf8.Valid(head[:max(0, n-utf8.UTFMax)]) || bytes.IndexByte(head, 0) >= 0:
		return nil // a binary: whether it fits, the system knows
	case !script:
		return fmt.Errorf("%s: cannot be run: a script begins with a line such as #!/bin/sh", path)
	}
	line, _, _ = strings.Cut(line, "\n")
	interpreter := strings.TrimLeft(line, " \t")
	if end := strings.IndexAny(interpreter, " \t"); end >= 0 {
		interpreter = interpreter[:end]
	}
	if _, err := os.Stat(interpreter); err != nil {
		return fmt.Errorf("%s: cannot be run: there is no %q, which its first line names", path, interpreter)
	}
	return nil
}

// checkMain fails unless dir holds a package main for this platform.
func checkMain(dir string) error {
	pkg, err := build.ImportDir(dir, 0)
	var noGo *build.NoGoError
	var multiple *build.MultiplePackageError
	switch {
	case errors.As(err, &noGo):
		return fmt.Errorf("%s: a directory without Go files; give a Go package, a .go file or an executable", dir)
	case errors.As(err, &multiple):
		return fmt.Errorf("%s: holds more than one package: %s and %s", dir, multiple.Packages[0], multiple.Packages[1])
	case err != nil && pkg.Name == "":
		return fmt.Errorf("%s: %w", dir, err)
	}
	return mustBeMain(dir, pkg.Name) // what else is wrong, the go tool says better
}

// checkMainFile fails for a file of another package, which the go tool builds into something that cannot be run.
func checkMainFile(path string) error {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.PackageClauseOnly)
	if err != nil {
		return nil // the go tool says better
	}
	return mustBeMain(path, file.Name.Name)
}

func mustBeMain(path, name string) error {
	if name != "main" {
		return fmt.Errorf("%s: package %s cannot be run; it takes a package main", path, name)
	}
	return nil
}

// builtOnLibrary reports whether an executable's Go build info names this library, as its own module or as a dependency.
func builtOnLibrary(path string) bool {
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return false
	}
	if info.Main.Path == Library || strings.HasPrefix(info.Path, Library+"/") {
		return true
	}
	return slices.ContainsFunc(info.Deps, func(m *debug.Module) bool { return m.Path == Library })
}
