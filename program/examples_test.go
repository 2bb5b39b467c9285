package program_test

import (
	"context"
	"encoding/csv"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/consumer"
	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/esl/esltest"
	"github.com/genesis-esl/genesis/program"
)

// languages are the examples: folder, ending, and what it takes to run them.
var languages = []struct {
	name, ending string
	needs        []string
}{
	{"bash", "sh", []string{"bash", "jq"}},
	{"python", "py", []string{"python3"}},
	{"node", "mjs", []string{"node"}},
}

// needs leaves a test out where a tool is missing. In CI, which installs them, that is a
// failure.
func needs(t *testing.T, tools ...string) {
	t.Helper()
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err == nil {
			continue
		}
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is not installed, and CI is to run this", tool)
		}
		t.Skipf("%s is not installed", tool)
	}
}

// eachLanguage runs a test for each language that this machine knows.
func eachLanguage(t *testing.T, app string, test func(t *testing.T, path string)) {
	for _, l := range languages {
		t.Run(l.name, func(t *testing.T) {
			needs(t, l.needs...)
			path, err := filepath.Abs(filepath.Join("..", "examples", "programs", l.name, app+"."+l.ending))
			if err != nil {
				t.Fatal(err)
			}
			test(t, path)
		})
	}
}

// serveExample hosts a consumer example with the simulator.
func serveExample(t *testing.T, p *program.Consumer) *esltest.Server {
	t.Helper()
	fs := esltest.NewServer()
	t.Cleanup(fs.Close)
	app := consumer.New()
	app.Logger = p.Logger
	if err := p.Register(app); err != nil {
		t.Fatal(err)
	}
	up := make(chan struct{}, 10)
	app.OnUp(func(context.Context, esl.Up) { up <- struct{}{} })
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- p.Run(ctx, func(ctx context.Context) error {
			return app.Serve(ctx, esl.ClientConfig{Addr: fs.Addr()})
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-up:
	case <-timer.C:
		t.Fatal("no connection")
	}
	return fs
}

func TestExampleCalls(t *testing.T) {
	eachLanguage(t, "calls", func(t *testing.T, path string) {
		n := new(notes)
		fs := serveExample(t, &program.Consumer{Path: path, Logger: n.logger()})
		if out := fs.API(t.Context(), "originate loopback/9196 &park"); !strings.HasPrefix(out, "+OK") {
			t.Fatal(out)
		}
		fs.API(t.Context(), "hupall")
		eventually(t, "the call's end in the log", func() bool {
			return slices.ContainsFunc(n.lines("stdout"), func(l string) bool {
				return strings.HasPrefix(l, "CHANNEL_HANGUP_COMPLETE ") && strings.Contains(l, "9196")
			})
		})
		if errs := n.lines("stderr"); len(errs) > 0 {
			t.Errorf("it wrote to stderr: %q", errs)
		}
	})
}

func TestExampleCDR(t *testing.T) {
	eachLanguage(t, "cdr", func(t *testing.T, path string) {
		file := filepath.Join(t.TempDir(), "cdr.csv")
		n := new(notes)
		fs := serveExample(t, &program.Consumer{Path: path, Args: []string{file}, Logger: n.logger()})
		const calls = 5
		for range calls {
			if out := fs.API(t.Context(), "originate loopback/9196 &park"); !strings.HasPrefix(out, "+OK") {
				t.Fatal(out)
			}
		}
		fs.API(t.Context(), "hupall USER_BUSY")
		var rows [][]string
		eventually(t, "the records", func() bool {
			text, err := os.ReadFile(file)
			if err != nil {
				return false
			}
			rows, err = csv.NewReader(strings.NewReader(string(text))).ReadAll()
			return err == nil && len(rows) == 2*calls
		})
		for _, row := range rows {
			if len(row) != 6 || strings.Count(row[0], "-") != 4 || row[2] != "9196" {
				t.Errorf("a record reads %q", row)
			}
		}
		if errs := n.lines("stderr"); len(errs) > 0 {
			t.Errorf("it wrote to stderr: %q", errs)
		}
	})
}

func TestExampleIVR(t *testing.T) {
	eachLanguage(t, "ivr", func(t *testing.T, path string) {
		n := new(notes)
		p := &program.Outbound{Path: path, Logger: n.logger()}
		o := newOffice(t, p, "async full")
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		by, err := esl.Dial(ctx, o.fs.Addr(), esl.DialConfig{})
		if err != nil {
			t.Fatal(err)
		}
		defer by.Close()
		if _, err := by.Send(ctx, esl.Line("event plain CHANNEL_EXECUTE CHANNEL_HANGUP_COMPLETE")); err != nil {
			t.Fatal(err)
		}
		for key, cause := range map[string]string{"1": "NORMAL_CLEARING", "2": "USER_BUSY"} {
			o.call(t)
			for {
				ev, err := by.ReadEvent(ctx)
				if err != nil {
					t.Fatalf("%s: %v", key, err)
				}
				if ev.Name() == "CHANNEL_EXECUTE" && ev.Get("Application") == "play_and_get_digits" {
					o.fs.API(ctx, "uuid_recv_dtmf "+ev.UUID()+" "+key)
				}
				if ev.Name() == "CHANNEL_HANGUP_COMPLETE" && ev.Get("Call-Direction") == "inbound" {
					if got := ev.Get("Hangup-Cause"); got != cause {
						t.Errorf("key %s: hung up with %s, want %s", key, got, cause)
					}
					break
				}
			}
			if err := o.end(t); err != nil {
				t.Errorf("the session ended with %v", err)
			}
		}
		if !n.contain("call from ") {
			t.Error("the program's line is not in the log")
		}
		if errs := n.lines("stderr"); len(errs) > 0 {
			t.Errorf("it wrote to stderr: %q", errs)
		}
	})
}
