package launch_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/genesis-esl/genesis/internal/launch"
)

const mainSource = "package main\n\nfunc main() {}\n"

// write fills a new directory with files and returns it.
func write(t *testing.T, mode os.FileMode, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestResolve(t *testing.T) {
	dir := write(t, 0o644, map[string]string{
		"app/main.go":     mainSource,
		"lib/lib.go":      "package lib\n",
		"two/a.go":        "package a\n",
		"two/b.go":        "package b\n",
		"empty/notes.txt": "nothing to run\n",
		"plain.txt":       "text\n",
		"one.go":          mainSource,
	})
	scripts := write(t, 0o755, map[string]string{
		"app.sh": "#!/bin/sh\n", "env.py": "#! /usr/bin/env python3\nprint()\n", "binary": "\x7fELF\x00\x01", "long": "\xff\xfe" + strings.Repeat("x", 600),
		"forgot.sh": "echo\n", "void": "", "other.sh": "#!/no/such/interpreter -x\n", "dos.sh": "#!/bin/sh\r\n",
	})
	script := filepath.Join(scripts, "app.sh")
	tests := []struct {
		path string
		kind launch.Kind
		err  string
	}{
		{path: filepath.Join(dir, "app"), kind: launch.Source},
		{path: filepath.Join(dir, "one.go"), kind: launch.Source},
		{path: script, kind: launch.Foreign},
		{path: filepath.Join(scripts, "env.py"), kind: launch.Foreign},
		{path: filepath.Join(scripts, "binary"), kind: launch.Foreign},
		{path: filepath.Join(scripts, "long"), kind: launch.Foreign},
		{path: filepath.Join(scripts, "forgot.sh"), err: "begins with a line such as #!/bin/sh"},
		{path: filepath.Join(scripts, "void"), err: "begins with a line"},
		{path: filepath.Join(scripts, "dos.sh"), err: `there is no "/bin/sh\r"`},
		{path: filepath.Join(scripts, "other.sh"), err: `there is no "/no/such/interpreter"`},
		{path: filepath.Join(dir, "none"), err: "no such file or directory"},
		{path: filepath.Join(dir, "lib"), err: "package lib cannot be run"},
		{path: filepath.Join(dir, "lib", "lib.go"), err: "package lib cannot be run"},
		{path: filepath.Join(dir, "two"), err: "more than one package: a and b"},
		{path: filepath.Join(dir, "empty"), err: "without Go files"},
		{path: filepath.Join(dir, "plain.txt"), err: "chmod +x"},
		{path: "", err: "the path is empty: a Go package directory, a .go file or an executable is allowed"},
		{path: os.DevNull, err: "neither a file nor a directory"},
	}
	for _, tt := range tests {
		t.Run(filepath.Base(tt.path), func(t *testing.T) {
			target, err := launch.Resolve(tt.path)
			if tt.err == "" {
				if err != nil || target.Kind != tt.kind || !filepath.IsAbs(target.Path) {
					t.Fatalf("Resolve = %+v, %v; want kind %d", target, err, tt.kind)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.err) || strings.Contains(err.Error(), "\n") {
				t.Fatalf("Resolve: %v, want one line with %q", err, tt.err)
			}
		})
	}
}

// The test binary itself is built from this module, so it stands for any app of a user's.
func TestResolveBinaryOfThisLibrary(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	target, err := launch.Resolve(self)
	if err != nil || target.Kind != launch.Binary {
		t.Fatalf("Resolve = %+v, %v; want a binary", target, err)
	}
}

func TestBuild(t *testing.T) {
	dir := write(t, 0o644, map[string]string{
		"good/go.mod":  "module good\n",
		"good/main.go": mainSource,
		"bad/go.mod":   "module bad\n",
		"bad/main.go":  "package main\n\nfunc main() { undefined() }\n",
		"one.go":       mainSource,
	})
	for _, path := range []string{"good", "one.go"} {
		target, err := launch.Resolve(filepath.Join(dir, path))
		if err != nil {
			t.Fatal(err)
		}
		bin, err := target.Build(t.Context(), t.TempDir(), os.Stderr)
		if err != nil {
			t.Fatalf("building %s: %v", path, err)
		}
		if err := exec.Command(bin).Run(); err != nil {
			t.Errorf("running what was built of %s: %v", path, err)
		}
	}
	target, err := launch.Resolve(filepath.Join(dir, "bad"))
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	if _, err := target.Build(t.Context(), t.TempDir(), &said); !errors.Is(err, launch.ErrBuild) {
		t.Errorf("building source with an error: %v, want ErrBuild", err)
	}
	if !strings.Contains(said.String(), "main.go:3:15: undefined: undefined") {
		t.Errorf("the go tool's own words are missing from %q", said.String())
	}
}

func TestChildExitCode(t *testing.T) {
	for script, want := range map[string]int{"exit 0": 0, "exit 78": 78, "kill -KILL $$": 137} {
		child, err := launch.Start(launch.Command{Path: "/bin/sh", Args: []string{"-c", script}})
		if err != nil {
			t.Fatal(err)
		}
		if code, err := child.Wait(); code != want || err != nil {
			t.Errorf("%q: exit code %d, %v; want %d", script, code, err, want)
		}
	}
}

func TestChildSignal(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	child, err := launch.Start(launch.Command{
		Path:   "/bin/sh",
		Args:   []string{"-c", `trap "exit 3" TERM; echo ready; while :; do sleep 0.05; done`},
		Stdout: w,
	})
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Read(make([]byte, 16)); err != nil {
		t.Fatal(err)
	}
	child.Signal(syscall.SIGTERM)
	if code, err := child.Wait(); code != 3 || err != nil {
		t.Errorf("after SIGTERM: exit code %d, %v; want the trap's 3", code, err)
	}
	child.Signal(syscall.SIGTERM) // ended: must not disturb anything
}

// A child that is not ready for a signal yet is killed by it: that is a stop on request.
func TestChildKilledByTheSignal(t *testing.T) {
	for _, sig := range []os.Signal{syscall.SIGTERM, os.Interrupt} {
		child, err := launch.Start(launch.Command{Path: "/bin/sleep", Args: []string{"1000"}})
		if err != nil {
			t.Fatal(err)
		}
		child.Signal(sig)
		if code, err := child.Wait(); code != 0 || err != nil {
			t.Errorf("killed by the %v that it was told to stop with: exit code %d, %v; want 0", sig, code, err)
		}
	}
}

func TestStartFailure(t *testing.T) {
	if _, err := launch.Start(launch.Command{Path: filepath.Join(t.TempDir(), "none")}); err == nil {
		t.Error("starting a file that does not exist: no error")
	}
}
