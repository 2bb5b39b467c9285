package queue_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/genesis-esl/genesis/call/queue"
	"github.com/genesis-esl/genesis/internal/testbed"
)

// The test binary plays a process with one caller when these are set: it joins, says so, waits, says that it holds
// the slot, and releases it when it reads a line; again and again until its standard input ends.
const (
	roleVariable  = "GENESIS_QUEUE_TEST_ROLE"
	redisVariable = "GENESIS_QUEUE_TEST_REDIS"
	queueVariable = "GENESIS_QUEUE_TEST_QUEUE"
	processLimit  = 2
)

func playRole(role string) int {
	err := playCaller(os.Getenv(redisVariable), os.Getenv(queueVariable), role == "many")
	if err != nil {
		fmt.Fprintln(os.Stderr, "caller:", err)
		return 1
	}
	return 0
}

func playCaller(addr, name string, many bool) error {
	client := redis.NewClient(redisOptions(addr))
	defer client.Close()
	backend, err := queue.NewRedis(client, queue.RedisConfig{Lease: testLease})
	if err != nil {
		return err
	}
	limit := 1
	if many {
		limit = processLimit
	}
	q, err := queue.New(queue.Config{Backend: backend, Limit: limit})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	in := bufio.NewReader(os.Stdin)
	for {
		ticket, err := q.Join(ctx, name)
		if err != nil {
			return err
		}
		fmt.Println("waiting")
		slot, err := ticket.Wait(ctx)
		if err != nil {
			return err
		}
		fmt.Println("held")
		_, err = in.ReadString('\n')
		if errors.Is(slot.Err(), queue.ErrLost) {
			fmt.Println("lost")
			return nil
		}
		if err := slot.Release(ctx); err != nil {
			return err
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		fmt.Println("released")
	}
}

// process is a copy of the test binary that plays a caller.
type process struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines chan string // closed when it has ended
}

func startProcess(t *testing.T, role, addr, name string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(os.Args[0]), lines: make(chan string, 16)}
	p.cmd.Env = append(os.Environ(), roleVariable+"="+role, redisVariable+"="+addr, queueVariable+"="+name)
	p.cmd.Stderr = os.Stderr
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.lines)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			p.lines <- lines.Text()
		}
		_ = p.cmd.Wait()
	}()
	t.Cleanup(p.kill)
	return p
}

// expect waits for the process to say line.
func (p *process) expect(t *testing.T, line string) {
	t.Helper()
	select {
	case got, ok := <-p.lines:
		if !ok || got != line {
			t.Errorf("the process says %q, want %q", got, line)
		}
	case <-time.After(patience):
		t.Errorf("the process does not say %q", line)
	}
}

// tell lets it release what it holds.
func (p *process) tell() { _, _ = io.WriteString(p.in, "\n") }

// kill is kill -9; it returns when the process is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	for range p.lines {
	}
}

// TestProcessesInOrder has four processes wait behind a fifth; the holder and the second of the waiters are killed.
func TestProcessesInOrder(t *testing.T) {
	t.Parallel()
	server := testbed.StartRedis(t)
	var callers []*process
	for range 5 {
		p := startProcess(t, "one", server.Addr, t.Name())
		p.expect(t, "waiting")
		if len(callers) == 0 {
			p.expect(t, "held")
		}
		callers = append(callers, p)
	}
	start := time.Now()
	callers[0].kill()
	callers[2].kill()
	for _, i := range []int{1, 3, 4} {
		callers[i].expect(t, "held")
		if i == 1 && time.Since(start) > 3*testLease {
			t.Errorf("a killed owner's slot was free after %s", time.Since(start))
		}
		for _, other := range callers {
			select {
			case line, ok := <-other.lines:
				if ok {
					t.Errorf("another process says %q", line)
				}
			default:
			}
		}
		_ = callers[i].in.Close()
	}
}

// TestProcessesNeverBeyondTheLimit lets processes compete while some of them are killed holding a slot.
func TestProcessesNeverBeyondTheLimit(t *testing.T) {
	t.Parallel()
	server := testbed.StartRedis(t)
	var held, most atomic.Int32
	var wg sync.WaitGroup
	hold := func() {
		now := held.Add(1)
		for m := most.Load(); now > m && !most.CompareAndSwap(m, now); m = most.Load() {
		}
	}
	for i := range 4 {
		wg.Go(func() {
			p := startProcess(t, "many", server.Addr, t.Name())
			for round := range 6 {
				p.expect(t, "waiting")
				p.expect(t, "held")
				hold()
				if i == 0 && round%2 == 1 {
					p.kill()
					held.Add(-1)
					p = startProcess(t, "many", server.Addr, t.Name())
					continue
				}
				held.Add(-1)
				p.tell()
				p.expect(t, "released")
			}
			_ = p.in.Close() // it has joined again: it releases at once and ends
		})
	}
	wg.Wait()
	if most.Load() > processLimit {
		t.Errorf("%d held at once, the limit is %d", most.Load(), processLimit)
	}
}
