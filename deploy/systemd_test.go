package deploy_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/genesis-esl/genesis"
	"github.com/genesis-esl/genesis/esl/esltest"
)

// service is a systemd unit: what each key is set to, in order.
type service map[string][]string

func unit(t *testing.T) service {
	t.Helper()
	s := service{}
	for line := range strings.Lines(read(t, "systemd/genesis@.service")) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(line, "#") {
			s[key] = append(s[key], value)
		}
	}
	return s
}

// line is the command line that systemd makes of GENESIS_ARGS, without the command.
func (s service) line(args string) []string {
	words := strings.Fields(s["ExecStart"][0])[1:]
	at := slices.Index(words, "$GENESIS_ARGS")
	return slices.Replace(words, at, at+1, strings.Fields(args)...)
}

// environ sets the variables of the unit, with its credentials in a directory.
func (s service) environ(t *testing.T, credentials string) {
	t.Helper()
	for _, assignment := range s["Environment"] {
		name, value, _ := strings.Cut(assignment, "=")
		t.Setenv(name, strings.ReplaceAll(value, "%d", credentials))
	}
}

// TestUnitRunsAnyApp runs what the unit would: a consumer logs in with the password
// of the unit, whatever the arguments, and an outbound app does not stumble over it.
func TestUnitRunsAnyApp(t *testing.T) {
	s, dir := unit(t), t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "esl_password"), []byte(planted+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	app := filepath.Join(dir, "app.sh")
	if err := os.WriteFile(app, []byte("#!/bin/sh\nexec cat >/dev/null\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	s.environ(t, dir)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, args := range []string{"consumer", "consumer " + app, "consumer " + app + " -- --foo"} {
		fs := esltest.NewUnstartedServer(esltest.Config{Password: planted})
		if err := fs.Start(); err != nil {
			t.Fatal(err)
		}
		t.Setenv("ESL_PORT", fs.Addr()[strings.LastIndex(fs.Addr(), ":")+1:])
		r := startCommand(t, ctx, s.line(args)...)
		l := &lab{t: t, ctx: ctx}
		if missing := l.until(20*time.Second, func() []string {
			if !strings.Contains(r.stderr.String(), "connected to FreeSWITCH") {
				return []string{r.stderr.String()}
			}
			return nil
		}); missing != nil {
			t.Errorf("GENESIS_ARGS=%q does not log in: %s", args, missing)
		}
		fs.Close()
	}
	t.Setenv("ESL_APP_PORT", "0")
	for _, args := range []string{"outbound", "outbound " + app, "outbound " + app + " -- --foo"} {
		if r := startCommand(t, ctx, s.line(args)...); r.url == "" {
			t.Errorf("GENESIS_ARGS=%q does not start: %s", args, r.stderr)
		}
	}
	if s["MemoryDenyWriteExecute"] != nil {
		t.Error("programs that compile as they run, such as Node's, cannot run under MemoryDenyWriteExecute")
	}
}

// TestUnitRestartsWhatCrashed has an app panic: that is no reason to leave it down.
func TestUnitRestartsWhatCrashed(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"go.mod": "module app\n", "main.go": "package main\n\nfunc main() { panic(\"crash\") }\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), binary(t), "consumer", dir)
	_ = cmd.Run() // the exit code tells
	final := strings.Fields(unit(t)["RestartPreventExitStatus"][0])
	if code := cmd.ProcessState.ExitCode(); code <= 0 || slices.Contains(final, strconv.Itoa(code)) {
		t.Errorf("an app that crashes ends with %d, and the unit does not start it again after %v", code, final)
	}
	if !slices.Contains(final, strconv.Itoa(genesis.ExitConfig)) {
		t.Errorf("a wrong setting is tried again and again: only after %v it is not", final)
	}
}
