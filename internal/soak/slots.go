package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/genesis-esl/genesis/call/queue"
	"github.com/genesis-esl/genesis/internal/launch"
	"github.com/genesis-esl/genesis/internal/ports"
)

// slots is how many each queue has.
const slots = 5

// counter is a queue whose slots are counted by those who hold them.
type counter struct {
	name   string
	queues *queue.Queues
	close  func() error

	mu                         sync.Mutex
	held, most, given, tooMany int
	fence                      memory
	fenceTwice, lost           int
}

// newCounters opens a queue in memory, and one in Redis where there is a redis-server to start.
func newCounters() ([]*counter, error) {
	inMemory, err := newInMemory()
	if err != nil {
		return nil, err
	}
	all := []*counter{inMemory}
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return all, nil
	}
	inRedis, err := newRedis(path)
	if err != nil {
		return nil, err
	}
	return append(all, inRedis), nil
}

func newInMemory() (*counter, error) {
	queues, err := queue.New(queue.Config{Limit: slots})
	return &counter{name: "memory", fence: memory{size: 1000}, queues: queues, close: func() error { return nil }}, err
}

// newRedis starts a redis-server with its data nowhere.
func newRedis(path string) (*counter, error) {
	addr, release := ports.Hold("127.0.0.1:0")
	_, port, _ := net.SplitHostPort(addr)
	// Ctrl-C is for the soak alone, which has slots to give back first.
	server, err := launch.Start(launch.Command{Path: path, Env: os.Environ(), Stdout: os.Stderr, Args: []string{
		"--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", os.TempDir(), "--loglevel", "warning"}})
	if err != nil {
		release()
		return nil, err
	}
	client := redis.NewClient(&redis.Options{Addr: addr, ContextTimeoutEnabled: true})
	stop := func() error {
		err := client.Close()
		server.Signal(os.Kill)
		<-server.Done()
		release()
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for err = client.Ping(ctx).Err(); err != nil && ctx.Err() == nil; err = client.Ping(ctx).Err() {
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("redis-server does not answer: %w", err), stop())
	}
	backend, err := queue.NewRedis(client, queue.RedisConfig{Prefix: "soak"})
	if err != nil {
		return nil, errors.Join(err, stop())
	}
	queues, err := queue.New(queue.Config{Limit: slots, Backend: backend})
	if err != nil {
		return nil, errors.Join(err, stop())
	}
	return &counter{name: "Redis", fence: memory{size: 1000}, queues: queues, close: stop}, nil
}

// acquire takes a slot. The function that it returns gives it back.
func (c *counter) acquire(ctx context.Context) (release func(context.Context) error, err error) {
	slot, err := c.queues.Acquire(ctx, "soak", queue.Timeout(time.Minute))
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.given++
	c.held++
	c.most = max(c.most, c.held)
	if c.held > slots {
		c.tooMany++
	}
	if !c.fence.add(fmt.Sprint(slot.Fence())) {
		c.fenceTwice++
	}
	return func(ctx context.Context) error {
		c.mu.Lock()
		c.held--
		if slot.Err() != nil {
			c.lost++
		}
		c.mu.Unlock()
		return slot.Release(ctx)
	}, nil
}

// all takes every slot at once and gives them back: none has been lost.
func (c *counter) all(ctx context.Context) error {
	var releases []func(context.Context) error
	var failed error
	for range slots {
		release, err := c.acquire(ctx)
		if err != nil {
			failed = fmt.Errorf("queue in %s: slot %d of %d cannot be had when nobody holds one: %w", c.name, len(releases)+1, slots, err)
			break
		}
		releases = append(releases, release)
	}
	for _, release := range releases {
		failed = errors.Join(failed, release(ctx))
	}
	return failed
}

func (c *counter) complaints() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []string
	add := func(n int, what string) {
		if n > 0 {
			all = append(all, fmt.Sprintf("queue in %s: %d %s", c.name, n, what))
		}
	}
	add(c.tooMany, "slots given beyond the limit")
	add(c.fenceTwice, "fences given twice")
	add(c.lost, "slots lost while held")
	add(c.held, "slots still held at the end")
	return all
}

func (c *counter) stop(ctx context.Context) error {
	return errors.Join(c.queues.Close(ctx), c.close())
}
