package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestReadmeNamesEveryFlag(t *testing.T) {
	text := readme(t)
	app := newApp(io.Discard, io.Discard)
	check := func(command string, flags []cli.Flag) {
		for _, flag := range flags {
			if name := flag.Names()[0]; !strings.Contains(text, "`--"+name+"`") {
				t.Errorf("%s --%s is not in the README", command, name)
			}
			for _, variable := range variablesOf(flag) {
				if !strings.Contains(text, "`"+variable+"`") {
					t.Errorf("%s: variable %s is not in the README", command, variable)
				}
			}
		}
	}
	check("genesis", app.Flags)
	for _, command := range app.Commands {
		if command.Name == "consumer" || command.Name == "outbound" {
			check(command.Name, command.Flags)
		}
	}
}

func TestReadmeAppsBuild(t *testing.T) {
	programs := regexp.MustCompile("(?s)```go\n(package main\n.*?)```").FindAllStringSubmatch(readme(t), -1)
	if len(programs) != 2 {
		t.Fatalf("%d apps in the README, want a consumer and an outbound app", len(programs))
	}
	for _, program := range programs {
		file := filepath.Join(t.TempDir(), "main.go")
		if err := os.WriteFile(file, []byte(program[1]), 0o644); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("go", "build", "-o", os.DevNull, file).CombinedOutput(); err != nil {
			t.Errorf("%v\n%s\n%s", err, out, program[1])
		}
	}
}

// What the README says of the simulator works as it stands there, in a clone.
func TestReadmeSimulates(t *testing.T) {
	commands := regexp.MustCompile(`(?m)^genesis (simulate --.*?)\s+#`).FindAllStringSubmatch(readme(t), -1)
	if len(commands) == 0 {
		t.Fatal("the README does not show the simulator")
	}
	t.Chdir("../..")
	for _, command := range commands {
		sim := startGenesis(t, append(strings.Fields(command[1]), "--port", "0")...)
		sim.stderr.match(t, `msg="?(simulating FreeSWITCH|replaying)"? .*address=`)
		sim.stop()
	}
}
