package deploy_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/esl/esltest"
)

// planted is a secret that must come out nowhere.
const planted = "hunter2xyzzy"

// running is the real command, and where it serves its probes.
type running struct {
	url    string
	stderr *logs
	cmd    *exec.Cmd
}

// startCommand runs the command with secrets all around it.
func startCommand(t *testing.T, ctx context.Context, args ...string) *running {
	t.Helper()
	cmd := exec.CommandContext(ctx, binary(t), append([]string{"--json", "--loglevel", "trace"}, args...)...)
	cmd.Env = append(os.Environ(),
		"GENESIS_OBSERVABILITY_HOST=127.0.0.1", "GENESIS_OBSERVABILITY_PORT=0",
		"DATABASE_URL=postgres://app:"+planted+"@db/app", "API_TOKEN="+planted, "REDIS_PASSWORD="+planted,
		"OTEL_RESOURCE_ATTRIBUTES=deployment.environment=lab",
	)
	r := &running{stderr: new(logs), cmd: cmd}
	pipe, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	address := make(chan string, 1)
	go func() {
		defer close(address)
		lines := bufio.NewScanner(pipe)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			_, _ = r.stderr.Write(append(lines.Bytes(), '\n'))
			var record struct{ Message, Address string }
			if json.Unmarshal(lines.Bytes(), &record) == nil && record.Message == "observability" {
				address <- "http://" + record.Address
			}
		}
	}()
	r.url = <-address
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		for range address { // until everything is read
		}
		_ = cmd.Wait()
	})
	return r
}

func (r *running) get(t *testing.T, path, accept string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", r.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", accept)
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// TestCommandKeepsSecrets runs the real command with a secret as its password, in its
// environment and in the variables of a call, and searches all that it serves and
// logs.
func TestCommandKeepsSecrets(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	fs := esltest.NewUnstartedServer(esltest.Config{Password: planted, Heartbeat: beats, Pace: 20})
	if err := fs.Start(); err != nil {
		t.Fatal(err)
	}
	defer fs.Close()
	host, port, _ := strings.Cut(fs.Addr(), ":")
	r := startCommand(t, ctx, "consumer", "--host", host, "--port", port, "--password", planted)
	l := &lab{t: t, ctx: ctx}
	missing := l.until(20*time.Second, func() []string {
		if body := r.get(t, "/ready", ""); !strings.Contains(body, `"ready"`) {
			return []string{body}
		}
		return nil
	})
	if missing != nil {
		t.Fatalf("not ready: %v\n%s", missing, r.stderr)
	}
	conn, err := esl.Dial(ctx, fs.Addr(), esl.DialConfig{Password: planted})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.BgAPI(ctx, "originate {sip_auth_password="+planted+"}loopback/9196/default &park()"); err != nil {
		t.Fatal(err)
	}
	if err := fs.Restart(); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/", "/health", "/ready", "/info", "/metrics", "/debug/vars", "/.env"} {
		for _, accept := range []string{"*/*", "application/health+json", "application/openmetrics-text"} {
			if body := r.get(t, path, accept); strings.Contains(body, planted) {
				t.Errorf("the secret is in %s as %s:\n%s", path, accept, body)
			}
		}
	}
	if text := r.stderr.String(); strings.Contains(text, planted) || !strings.Contains(text, "connected to FreeSWITCH") {
		t.Errorf("the secret is in the log, or the log is empty:\n%s", text)
	}
}

// TestWrongPasswordIsNotShown is the case in which one is tempted to show it.
func TestWrongPasswordIsNotShown(t *testing.T) {
	fs := esltest.NewServer()
	defer fs.Close()
	host, port, _ := strings.Cut(fs.Addr(), ":")
	cmd := exec.CommandContext(t.Context(), binary(t), "--loglevel", "trace", "consumer", "--host", host, "--port", port,
		"--password", planted, "--observability-port", "0")
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 78 {
		t.Errorf("%v, want exit code 78", err)
	}
	if strings.Contains(string(out), planted) || !strings.Contains(string(out), "authentication failed") {
		t.Errorf("output:\n%s", out)
	}
}
