package testbed

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/genesis-esl/genesis/internal/ports"
)

// startTimeout is how long a redis-server may take to answer.
const startTimeout = time.Minute

// Redis is a real redis-server on a port of its own, with its data in a temporary directory.
type Redis struct {
	// Addr is where it listens, host:port.
	Addr string

	dir  string
	args []string
	cmd  *exec.Cmd
}

// StartRedis starts the real server, with further arguments, until the test ends. Where there is none, the test is left
// out with one line, except in CI, which must have it.
func StartRedis(t *testing.T, args ...string) *Redis {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("CI needs redis-server in PATH")
		}
		t.Skip("no redis-server in PATH: the real server was not there, only miniredis is tested")
	}
	addr, release := ports.Hold("127.0.0.1:0")
	t.Cleanup(release)
	s := &Redis{Addr: addr, dir: t.TempDir(), args: args}
	s.Start(t)
	t.Cleanup(s.Kill)
	return s
}

// Options are those of a client that gives up with its context and does not try again by itself.
func (s *Redis) Options() *redis.Options {
	return &redis.Options{Addr: s.Addr, ContextTimeoutEnabled: true, MaxRetries: -1}
}

// Start starts the server again after Kill, and waits until it answers.
func (s *Redis) Start(t *testing.T) {
	t.Helper()
	_, port, err := net.SplitHostPort(s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	s.cmd = exec.Command("redis-server", append([]string{
		"--port", port, "--bind", "127.0.0.1", "--dir", s.dir, "--save", "", "--daemonize", "no", "--loglevel", "warning",
	}, s.args...)...)
	s.cmd.Stderr = os.Stderr
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(s.Options())
	defer func() { _ = client.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	for err := errors.New("not asked"); err != nil; err = client.Ping(ctx).Err() {
		if ctx.Err() != nil {
			t.Fatalf("redis-server does not answer: %v", err)
		}
	}
}

// Kill ends the server as a crash does.
func (s *Redis) Kill() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}
