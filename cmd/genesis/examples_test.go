package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What `make run` does.
func TestExampleConsumer(t *testing.T) {
	app := startGenesis(t, "consumer", "--simulate", "../../examples/consumer")
	url := app.url()
	if body := await(t, url+"/ready", http.StatusOK, 10*time.Second); body != `{"status": "ready"}` {
		t.Errorf("/ready: %q", body)
	}
	await(t, url+"/health", http.StatusOK, 10*time.Second)
	call := app.stdout.match(t, `([0-9a-f-]{36}) 1001 calls 9196`)
	app.stdout.match(t, call+" 1001 is answered")
	app.stdout.match(t, call+" 1001 hangs up after 3s: NORMAL_CLEARING")
	if n := metrics(t, url, "genesis_events_received_total", "event_name")["CHANNEL_ANSWER"]; n == 0 {
		t.Error("/metrics counts no CHANNEL_ANSWER")
	}
	app.stop()
}

func TestExampleOutbound(t *testing.T) {
	app := startGenesis(t, "outbound", "--simulate", "--port", "0", "../../examples/outbound")
	app.stderr.match(t, "msg=connecting .*extension=1000")
	await(t, app.url()+"/ready", http.StatusOK, 10*time.Second)
	app.stop()
}

func TestWrongModeIsNoticed(t *testing.T) {
	app := startGenesis(t, "consumer", "../../examples/outbound")
	if code := app.wait(); code != 78 || !strings.Contains(app.stderr.String(), "genesis outbound") {
		t.Errorf("exit code %d: %s", code, app.stderr)
	}
}

// An outbound app of a version; its module is the one under test.
const attending = `package main

import (
	"context"
	"fmt"

	"github.com/genesis-esl/genesis"
	"github.com/genesis-esl/genesis/outbound"
)

func main() {
	genesis.Run(outbound.HandlerFunc(func(ctx context.Context, s *outbound.Session) error {
		fmt.Println("version VERSION attends")
		if _, err := s.Execute(ctx, "sleep", "4000"); err != nil {
			return err
		}
		fmt.Println("version VERSION is done")
		return nil
	}))
}
`

func TestDevOutboundKeepsCalls(t *testing.T) {
	dir, err := os.MkdirTemp("testdata", "app-") // below this module, so that the app finds the library
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	t.Setenv("GENESIS_SHUTDOWN_TIMEOUT", "") // as good as absent
	source := filepath.Join(dir, "main.go")
	version := func(n int) string { return strings.ReplaceAll(attending, "VERSION", fmt.Sprint(n)) }
	write(t, source, version(1), 0o644)
	app := startGenesis(t, "outbound", "dev", "--port", "0", dir)
	addr := app.stderr.match(t, `msg="awaiting FreeSWITCH".* address=(\S+)`)
	startGenesis(t, "simulate", "--port", "0", "--outbound", addr, "--calls-per-second", "2", "--call-duration", "1h")
	app.stdout.match(t, "version 1 attends")
	write(t, source, version(2), 0o644)
	app.stdout.match(t, "version 2 attends")
	app.stdout.until(t, "the calls of version 1 to be finished by it", func(text string) bool {
		return strings.Count(text, "version 1 is done") == strings.Count(text, "version 1 attends")
	})
	app.stdout.match(t, "version 2 is done")
	app.stop()
	app.stderr.match(t, "a second signal ends them at once.*timeout=1h")
	if text := app.stdout.String(); strings.Count(text, "version 2 is done") != strings.Count(text, "version 2 attends") {
		t.Errorf("calls in progress were not finished:\n%s", text)
	}
}

// Every example starts with the command that its first lines name, gets ready, and stops when told to.
func TestExamplesRun(t *testing.T) {
	mains, err := filepath.Glob("../../examples/*/main.go")
	if err != nil || len(mains) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	for _, file := range mains {
		dir := filepath.Dir(file)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			mode := "consumer"
			if command := "--simulate ./examples/" + filepath.Base(dir) + "\n"; strings.Contains(string(text), "genesis outbound "+command) {
				mode = "outbound"
			} else if !strings.Contains(string(text), "genesis consumer "+command) {
				t.Fatal("it does not say which command runs it")
			}
			args := []string{mode, "--simulate"}
			if mode == "outbound" {
				args = append(args, "--port", "0")
			}
			app := startGenesis(t, append(args, dir)...)
			await(t, app.url()+"/ready", http.StatusOK, 10*time.Second)
			app.stop()
			if log := app.stderr.String(); strings.Contains(log, "panic") {
				t.Errorf("it panicked:\n%s", log)
			}
		})
	}
}
