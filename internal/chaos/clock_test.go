package chaos_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestClockJumps lets the wall clock of the process jump by hours, many times a
// second, while a connection idles, dies, commands wait, peers are mute and a
// handler is drained: nothing may take another time for that. The process is one
// with a package time whose wall clock can be shifted.
func TestClockJumps(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	build := exec.Command("go", "build", "-overlay", jumpingTime(t, dir), "-o", filepath.Join(dir, "clock"), "./testdata/clock")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if out, err := exec.Command(filepath.Join(dir, "clock")).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// jumpingTime writes a package time with the variable WallShift, and the file that
// tells the go command to take it.
func jumpingTime(t *testing.T, dir string) (overlay string) {
	t.Helper()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	original := filepath.Join(strings.TrimSpace(string(root)), "src", "time", "time.go")
	source, err := os.ReadFile(original)
	if err != nil {
		t.Fatal(err)
	}
	text := string(source)
	for _, change := range [][2]string{
		{"import (", "import (\n\t\"sync/atomic\""},
		{"\tsec, nsec, mono := runtimeNow()\n\tif mono == 0 {", "\tsec, nsec, mono := runtimeNow()\n\tsec += WallShift.Load()\n\tif mono == 0 {"},
	} {
		if strings.Count(text, change[0]) != 1 {
			t.Fatalf("this Go's time.Now is not the one that this test knows how to change: there is no single %q", change[0])
		}
		text = strings.Replace(text, change[0], change[1], 1)
	}
	changed := filepath.Join(dir, "time.go")
	if err := os.WriteFile(changed, []byte(text+"\nvar WallShift atomic.Int64 // seconds\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	list, err := json.Marshal(map[string]map[string]string{"Replace": {original: changed}})
	if err != nil {
		t.Fatal(err)
	}
	overlay = filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlay, list, 0o600); err != nil {
		t.Fatal(err)
	}
	return overlay
}

// wallClock names what takes the monotonic reading off a time, or makes a time
// without one, and the files in which that measures nothing of ours.
var wallClock = map[string][]string{
	"Unix":      {"program/attend.go", "program/outbound.go", "program/process.go"}, // deadlines long past
	"UnixNano":  nil,
	"UnixMilli": {"call/queue/redis.go"},               // since when a slot is held, told to other hosts
	"UnixMicro": {"esl/event.go", "call/telemetry.go"}, // what FreeSWITCH says
	"Round":     nil,                                   // to zero
}

// TestNothingKeepsWallClockTime: in the packages that ship, no time is kept in a form
// that jumps with the wall clock. It covers what TestClockJumps does not run.
func TestNothingKeepsWallClockTime(t *testing.T) {
	files := token.NewFileSet()
	seen := 0
	err := filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := filepath.ToSlash(strings.TrimPrefix(path, "../../"))
		if entry.IsDir() && (strings.HasPrefix(entry.Name(), ".") && path != "../.." || slices.Contains(notShipped, name)) {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		seen++
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if selector, ok := call.Fun.(*ast.SelectorExpr); ok {
				if selector.Sel.Name == "Round" && (len(call.Args) != 1 || !isZero(call.Args[0])) {
					return true
				}
				if allowed, watched := wallClock[selector.Sel.Name]; watched && !slices.Contains(allowed, name) {
					t.Errorf("%s: %s takes a time's monotonic reading off it", files.Position(selector.Pos()), selector.Sel.Name)
				}
			}
			return true
		})
		return nil
	})
	if err != nil || seen < 100 {
		t.Errorf("%d files, %v", seen, err)
	}
}

func isZero(e ast.Expr) bool {
	literal, ok := e.(*ast.BasicLit)
	return ok && literal.Value == "0"
}

var notShipped = []string{"esl/esltest", "internal", "bench", "examples", "deploy", "bin", "docs"}
