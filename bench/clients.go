package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/percipia/eslgo"
	"github.com/percipia/eslgo/command"
)

// The roles of processes that take events through eslgo. It runs in one of its own, because how often a program collects
// garbage is a setting of the whole process: esl changes it where a connection is flooded, and eslgo leaves it as Go has
// it. The second one has what esl gives itself.
const (
	eslgoClient = "client-eslgo"
	roomyESLGo  = "client-eslgo-roomy"
)

// takeOrder has such a process take so many events from an address. It answers twice: once it has subscribed, and with
// the processor time, in nanoseconds, and the allocations that they took.
const takeOrder = "take %s %d"

// remote takes events in another process, which is started when it is needed.
type remote struct {
	role, testdata string
	process        *process
}

func (r *remote) stop() {
	if r.process != nil {
		r.process.stop()
		r.process = nil
	}
}

// receive is a receiver. A process that fails is not used again.
func (r *remote) receive(_ context.Context, s *stream) (took taken, err error) {
	defer func() {
		if err != nil {
			r.stop()
		}
	}()
	if r.process == nil {
		if r.process, err = start(r.role, r.testdata, 0); err != nil {
			return taken{}, err
		}
	}
	if err := r.process.order(takeOrder, s.fs.addr, s.events()); err != nil {
		return taken{}, err
	}
	if _, err := r.process.answer(); err != nil {
		return taken{}, err
	}
	begun, err := s.begin()
	if err != nil {
		return taken{}, err
	}
	answer, err := r.process.answer()
	if err != nil {
		return taken{}, err
	}
	took.time = time.Since(begun)
	_, err = fmt.Sscan(answer, &took.busy, &took.objects)
	return took, err
}

// clientMain takes events as often as standard input orders it.
func clientMain() error {
	fmt.Println("no address")
	orders := bufio.NewScanner(os.Stdin)
	for orders.Scan() {
		var addr string
		var events int64
		if _, err := fmt.Sscanf(orders.Text(), takeOrder, &addr, &events); err != nil {
			return fmt.Errorf("%s: %w", orders.Text(), err)
		}
		took, err := spend(func() error { return theirs(context.Background(), addr, events) })
		if err != nil {
			fmt.Println("error", strings.ReplaceAll(err.Error(), "\n", " "))
			continue
		}
		fmt.Println(int64(took.busy), took.objects)
	}
	return orders.Err()
}

// theirs takes so many events through eslgo, which calls a handler on a new goroutine for
// every event, in no order. It says on standard output when they may come.
func theirs(ctx context.Context, addr string, events int64) error {
	opts := eslgo.DefaultInboundOptions
	opts.Logger = eslgo.NilLogger{}
	conn, err := opts.Dial(addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	var seen atomic.Int64
	done := make(chan struct{})
	conn.RegisterEventListener(eslgo.EventListenAll, func(ev *eslgo.Event) {
		sink.Add(int64(readFiveOfTheirs(ev) & 1))
		if seen.Add(1) == events {
			close(done)
		}
	})
	if _, err := conn.SendCommand(ctx, command.Event{Format: "plain", Listen: []string{"ALL"}}); err != nil {
		return err
	}
	fmt.Println("subscribed")
	select {
	case <-done:
		return nil
	case <-time.After(time.Minute):
		return fmt.Errorf("eslgo: %d of %d events after a minute", seen.Load(), events)
	}
}

func readFiveOfTheirs(ev *eslgo.Event) int {
	n, _ := strconv.Atoi(ev.GetHeader("Event-Date-Timestamp"))
	return n + len(ev.GetName()) + len(ev.GetHeader("Unique-ID")) + len(ev.GetHeader("Caller-Destination-Number")) +
		len(ev.GetHeader("Event-Date-GMT")) + len(ev.GetHeader("Answer-State"))
}
