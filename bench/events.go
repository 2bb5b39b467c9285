package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/genesis-esl/genesis/consumer"
	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/observability"
)

// stream is a measurement: so many rounds of a payload over a fresh connection.
type stream struct {
	fs     *process
	load   *payload
	atOnce int // bytes of a write, or eachEvent
	rounds int
}

func (s *stream) events() int64 { return int64(s.rounds * s.load.events) }

// begin has the events sent.
func (s *stream) begin() (time.Time, error) { return s.beginAll(1) }

// beginAll has them sent to each of the last connections.
func (s *stream) beginAll(connections int) (time.Time, error) {
	return time.Now(), s.fs.order("stream %s %d %d %d", s.load.name, s.rounds, s.atOnce, connections)
}

// receiver is a way to take events.
type receiver func(context.Context, *stream) (taken, error)

// taken is what it took.
type taken struct {
	time    time.Duration
	busy    time.Duration // of processors, at the end that takes
	objects uint64        // allocated there
}

// here measures what takes events in this process, and says how long it took.
func here(take func(context.Context, *stream) (time.Duration, error)) receiver {
	return func(ctx context.Context, s *stream) (taken, error) {
		var took time.Duration
		all, err := spend(func() (err error) { took, err = take(ctx, s); return err })
		all.time = took
		return all, err
	}
}

// spend does something in a process that has no garbage, and says what that took of it.
func spend(do func() error) (taken, error) {
	runtime.GC()
	objects, busy := allocations(), processorTime()
	err := do()
	busy = processorTime() - busy
	return taken{busy: busy, objects: allocations() - objects}, err
}

// sink keeps what handlers read from being optimised away.
var sink atomic.Int64

// readFive does what a handler does: it reads the name and five headers, one of
// them an integer, one URL-encoded.
func readFive(ev *esl.Event) int {
	n, _ := strconv.Atoi(ev.Get("Event-Date-Timestamp"))
	return n + len(ev.Name()) + len(ev.UUID()) + len(ev.Get("Caller-Destination-Number")) +
		len(ev.Get("Event-Date-GMT")) + len(ev.Get("Answer-State"))
}

// discard reads the bytes, as many at a time as there are, and does nothing with them.
func discard(_ context.Context, s *stream) (time.Duration, error) {
	return stripped(s, func(nc net.Conn, left int) error {
		for buf := make([]byte, 256<<10); left > 0; {
			n, err := nc.Read(buf)
			if err != nil {
				return err
			}
			left -= n
		}
		return nil
	})
}

// copyAway is discard with the standard library's own means, which reads 8 KB at a time.
func copyAway(_ context.Context, s *stream) (time.Duration, error) {
	return stripped(s, func(nc net.Conn, left int) error {
		_, err := io.CopyN(io.Discard, nc, int64(left))
		return err
	})
}

// stripped measures what reads so many bytes off the bare socket.
func stripped(s *stream, read func(nc net.Conn, left int) error) (time.Duration, error) {
	nc, err := enter(s.fs.addr, "event plain ALL")
	if err != nil {
		return 0, err
	}
	defer nc.Close()
	begun, err := s.begin()
	if err != nil {
		return 0, err
	}
	err = read(nc, s.rounds*s.load.bytes)
	return time.Since(begun), err
}

// enter logs in by hand and sends one more command.
func enter(addr, cmd string) (net.Conn, error) {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	want := len(esl.AppendAuthRequest(nil)) + 2*len(accepted)
	if _, err := fmt.Fprintf(nc, "auth ClueCon\n\n%s\n\n", cmd); err != nil {
		return nil, err
	}
	buf := make([]byte, want)
	for got := 0; got < want; {
		n, err := nc.Read(buf[got:])
		if err != nil {
			return nil, err
		}
		got += n
	}
	return nc, nil
}

// ours takes events through esl.Client.
func ours(hooks *esl.Hooks) receiver {
	return here(func(ctx context.Context, s *stream) (time.Duration, error) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		var begun, ended time.Time
		seen, read := int64(0), 0
		client, err := esl.NewClient(s.config(hooks, &begun))
		if err != nil {
			return 0, err
		}
		defer client.Close()
		err = client.Serve(ctx, esl.HandlerFunc(func(_ context.Context, ev *esl.Event) {
			read += readFive(ev)
			if seen++; seen == s.events() {
				ended = time.Now()
				cancel()
			}
		}))
		sink.Add(int64(read))
		return ended.Sub(begun), err
	})
}

// config connects to the other end and has events sent once everything is set up.
func (s *stream) config(hooks *esl.Hooks, begun *time.Time) esl.ClientConfig {
	return esl.ClientConfig{
		Addr: s.fs.addr, Events: []string{"ALL"}, Format: s.load.format, Hooks: hooks,
		OnUp: func(context.Context, esl.Up) { *begun, _ = s.begin() },
	}
}

// routed takes events through consumer, in order per call, calls in parallel.
func routed(workers int, o *observability.Observability) receiver {
	return here(func(ctx context.Context, s *stream) (time.Duration, error) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		var begun, ended time.Time
		var seen atomic.Int64
		app := consumer.New()
		app.Workers = workers
		var hooks *esl.Hooks
		if o != nil {
			hooks = o.Hooks()
			app.Hooks = &consumer.Hooks{
				Routed: o.EventsRouted,
				HandlerEnd: func(ctx context.Context, h *consumer.Handled) {
					o.HandlerEnd(ctx, h.Name, h.Duration, string(h.Failure), h.Err)
				},
				Dropped: o.EventsDropped,
			}
		}
		app.HandleFunc("*", func(_ context.Context, ev *esl.Event) error {
			if readFive(ev) < 0 {
				return fmt.Errorf("cannot be")
			}
			if seen.Add(1) == s.events() {
				ended = time.Now()
				cancel()
			}
			return nil
		})
		err := app.Serve(ctx, s.config(hooks, &begun))
		return ended.Sub(begun), err
	})
}
