package main

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/genesis-esl/genesis/internal/ports"
)

// patience bounds every wait in these tests.
const patience = 2 * time.Minute

// stream keeps what a process writes, for others to wait on.
type stream struct {
	mu   sync.Mutex
	text bytes.Buffer
	news chan struct{} // closed and replaced at each write
}

func newStream() *stream { return &stream{news: make(chan struct{})} }

func (s *stream) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.news)
	s.news = make(chan struct{})
	return s.text.Write(p)
}

func (s *stream) String() string {
	text, _ := s.snapshot()
	return text
}

func (s *stream) snapshot() (string, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String(), s.news
}

// until waits until the text satisfies ok.
func (s *stream) until(t *testing.T, what string, ok func(text string) bool) {
	t.Helper()
	deadline := time.After(patience)
	for {
		text, news := s.snapshot()
		if ok(text) {
			return
		}
		select {
		case <-news:
		case <-deadline:
			t.Fatalf("waited in vain for %s in:\n%s", what, text)
		}
	}
}

// match waits for an expression and returns its first group.
func (s *stream) match(t *testing.T, expression string) string {
	t.Helper()
	re := regexp.MustCompile(expression)
	var found []string
	s.until(t, expression, func(text string) bool {
		found = re.FindStringSubmatch(text)
		return found != nil
	})
	return found[len(found)-1]
}

// process is a running genesis, stdout and stderr apart.
type process struct {
	t              *testing.T
	cmd            *exec.Cmd
	stdout, stderr *stream
	ended          chan struct{}
}

// startGenesis starts the command. Probes are on a free port of the loopback address.
func startGenesis(t *testing.T, args ...string) *process {
	t.Helper()
	return startGenesisOn(t, nil, args...)
}

// startGenesisOn has the command's stdout be a file, unless it is nil.
func startGenesisOn(t *testing.T, stdout *os.File, args ...string) *process {
	t.Helper()
	return startGenesisOnBoth(t, stdout, nil, args...)
}

// startGenesisOnBoth has the command's stdout and stderr be files, each unless it is nil.
func startGenesisOnBoth(t *testing.T, stdout, stderr *os.File, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(os.Args[0], args...), stdout: newStream(), stderr: newStream(), ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), asGenesis+"=1", "GENESIS_OBSERVABILITY_HOST=127.0.0.1", "GENESIS_OBSERVABILITY_PORT=0")
	p.cmd.Stdout, p.cmd.Stderr = p.stdout, p.stderr
	if stdout != nil {
		p.cmd.Stdout = stdout
	}
	if stderr != nil {
		p.cmd.Stderr = stderr
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // the exit code tells
		close(p.ended)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.ended
		if t.Failed() {
			t.Logf("genesis %s\nstderr:\n%s", strings.Join(args, " "), p.stderr)
		}
	})
	return p
}

// wait returns the exit code.
func (p *process) wait() int {
	p.t.Helper()
	select {
	case <-p.ended:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		p.t.Fatalf("genesis %s did not end", p.cmd.Args[1:])
		return -1
	}
}

// stop ends the process as a supervisor does, and wants exit code 0.
func (p *process) stop() {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	if code := p.wait(); code != 0 {
		p.t.Errorf("genesis %s: exit code %d after SIGTERM, want 0", p.cmd.Args[1:], code)
	}
}

func (p *process) signal(sig os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Fatal(err)
	}
}

// insist sends a signal again until the process has ended, and returns the exit code: only what comes a while
// after the first signal is a second one.
func (p *process) insist(sig os.Signal) int {
	p.t.Helper()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	patient := time.After(patience)
	for {
		select {
		case <-p.ended:
			return p.cmd.ProcessState.ExitCode()
		case <-again.C:
			_ = p.cmd.Process.Signal(sig) // it may end just now
		case <-patient:
			p.t.Fatalf("genesis %s did not end", p.cmd.Args[1:])
		}
	}
}

// url is where the probes of this process are.
func (p *process) url() string {
	p.t.Helper()
	return "http://" + p.stderr.match(p.t, `msg=observability .*address=(\S+)`)
}

// get asks once.
func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// await asks until the answer has a status, within a limit, and returns its body.
func await(t *testing.T, url string, status int, limit time.Duration) string {
	t.Helper()
	began := time.Now()
	for {
		got, body := get(t, url)
		if got == status {
			return body
		}
		if time.Since(began) > limit {
			t.Fatalf("%s: %d %s after %v, want %d", url, got, body, limit, status)
		}
		<-time.After(10 * time.Millisecond)
	}
}

// metrics scrapes url and sums up each metric by one of its labels ("" for all).
func metrics(t *testing.T, url, name, label string) map[string]float64 {
	t.Helper()
	_, text := get(t, url+"/metrics")
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatalf("/metrics: %v", err)
	}
	sums := map[string]float64{}
	for _, m := range families[name].GetMetric() {
		value := ""
		for _, pair := range m.GetLabel() {
			if pair.GetName() == label {
				value = pair.GetValue()
			}
		}
		sums[value] += m.GetCounter().GetValue() + m.GetGauge().GetValue()
	}
	return sums
}

// port is the port of host:port.
func port(addr string) string { return addr[strings.LastIndex(addr, ":")+1:] }

// freePort returns a port of 127.0.0.1 that is the test's, whether somebody listens there or not.
func freePort(t *testing.T) string {
	t.Helper()
	addr, release := ports.Hold("127.0.0.1:0")
	t.Cleanup(release)
	return port(addr)
}

// awaitCall waits until an outbound app has a call.
func (p *process) awaitCall() {
	p.t.Helper()
	deadline := time.Now().Add(patience)
	for url := p.url(); metrics(p.t, url, "genesis_connections_active", "type")["outbound"] != 1; {
		if time.Now().After(deadline) {
			p.t.Fatal("no call came")
		}
		<-time.After(10 * time.Millisecond)
	}
}
