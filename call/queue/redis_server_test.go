package queue_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// redisServer is a real redis-server on a port of its own, with its data in a temporary directory.
type redisServer struct {
	addr string
	port string
	dir  string
	args []string
	cmd  *exec.Cmd
}

// startRedis starts the real server. Where there is none, the test is left out with one line, except in CI, which
// must have it.
func startRedis(t *testing.T, args ...string) *redisServer {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("CI needs redis-server in PATH")
		}
		t.Skip("no redis-server in PATH: the real server was not there, only miniredis is tested")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &redisServer{addr: l.Addr().String(), dir: t.TempDir(), args: args}
	s.port = strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	_ = l.Close()
	s.start(t)
	t.Cleanup(s.kill)
	return s
}

// start runs the server and waits until it answers.
func (s *redisServer) start(t *testing.T) {
	t.Helper()
	args := append([]string{
		"--port", s.port, "--bind", "127.0.0.1", "--dir", s.dir, "--save", "", "--daemonize", "no", "--loglevel", "warning",
	}, s.args...)
	s.cmd = exec.Command("redis-server", args...)
	s.cmd.Stderr = os.Stderr
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(redisOptions(s.addr))
	defer client.Close()
	ctx := testContext(t)
	for err := fmt.Errorf("not asked"); err != nil; {
		if ctx.Err() != nil {
			t.Fatalf("redis-server does not answer: %v", err)
		}
		err = client.Ping(ctx).Err()
	}
}

// kill ends the server as a crash does.
func (s *redisServer) kill() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}

// cluster makes the server a Redis Cluster of one node; it was started with cluster-enabled.
func (s *redisServer) cluster(t *testing.T) *redis.ClusterClient {
	t.Helper()
	node := redis.NewClient(redisOptions(s.addr))
	defer node.Close()
	if err := node.ClusterAddSlotsRange(testContext(t), 0, 16383).Err(); err != nil {
		t.Fatal(err)
	}
	for info := ""; !strings.Contains(info, "cluster_state:ok"); {
		var err error
		if info, err = node.ClusterInfo(testContext(t)).Result(); err != nil {
			t.Fatal(err)
		}
	}
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{s.addr}, ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// save writes a snapshot, to which the server goes back when it is killed.
func (s *redisServer) save(t *testing.T) {
	t.Helper()
	client := redis.NewClient(redisOptions(s.addr))
	defer client.Close()
	if err := client.Save(testContext(t)).Err(); err != nil {
		t.Fatal(err)
	}
}
