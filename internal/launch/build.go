package launch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// ErrBuild is the go tool refusing the source; what is wrong has been written already, as the tool prints it.
var ErrBuild = errors.New("the build failed")

// Build compiles a Source into dir with the go tool and returns the path of the executable. What the tool prints goes
// to stderr. Ending ctx ends the build.
func (t Target) Build(ctx context.Context, dir string, stderr io.Writer) (string, error) {
	if _, err := exec.LookPath("go"); err != nil {
		return "", fmt.Errorf("building %s takes the go tool, which is not in PATH", t.Path)
	}
	where, what := t.Path, "."
	if filepath.Ext(t.Path) == ".go" {
		where, what = filepath.Dir(t.Path), filepath.Base(t.Path)
	}
	out := filepath.Join(dir, strings.TrimSuffix(filepath.Base(t.Path), ".go"))
	if runtime.GOOS == "windows" {
		out += ".exe"
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-o", out, what)
	cmd.Dir = where
	cmd.Stdout, cmd.Stderr = stderr, stderr
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case errors.As(err, &exit):
		return "", ErrBuild
	case err != nil:
		return "", err
	}
	return out, nil
}

// Watched is the directory whose files make up the target: where a change calls for a restart.
func (t Target) Watched() string {
	if t.Kind == Source && filepath.Ext(t.Path) != ".go" {
		return t.Path
	}
	return filepath.Dir(t.Path)
}
