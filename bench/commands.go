package main

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/genesis-esl/genesis/esl"
)

const (
	pingMessage = "api uptime\n\n"
	pingers     = 64
)

// compareCommands measures round trips: FreeSWITCH's end answers each message with
// the same bytes, whoever sends it.
func compareCommands(ctx context.Context, s settings) error {
	fs, err := start("freeswitch", s.testdata, 1)
	if err != nil {
		return err
	}
	defer fs.stop()
	bare, err := enter(fs.addr, "noevents")
	if err != nil {
		return err
	}
	defer bare.Close()
	listened, err := enter(fs.addr, "noevents")
	if err != nil {
		return err
	}
	defer listened.Close()
	listening := listen(listened)
	conn, err := esl.Dial(ctx, fs.addr, esl.DialConfig{})
	if err != nil {
		return err
	}
	defer conn.Close()

	var raw, handed, sequential, parallel, objects samples
	for range s.rounds + 1 {
		if _, err := raw.add(s.each, func() error { return pingBare(bare) }); err != nil {
			return err
		}
		if _, err := handed.add(s.each, listening.ping); err != nil {
			return err
		}
		before := allocations()
		n, err := sequential.add(s.each, func() error { return ping(ctx, conn) })
		if err != nil {
			return err
		}
		objects = append(objects, float64(allocations()-before)/float64(n))

		rate, err := pingTogether(ctx, conn, s.each)
		if err != nil {
			return err
		}
		parallel = append(parallel, rate)
	}
	raw, handed, sequential, parallel = raw[1:], handed[1:], sequential[1:], parallel[1:] // the first time is for warming up
	var t table
	t.row("commands over one connection", "per second", "µs each", "noise", "compared")
	line := func(name string, rates samples, compared string) {
		rate := rates.median()
		t.row(name, number(rate), fmt.Sprintf("%.1f", 1e6/rate), rates.noise(), compared)
	}
	slower := func(rates samples) string { return fmt.Sprintf("%+.0f%% time", 100*(raw.over(rates).median()-1)) }
	line("bare TCP ping-pong of the same bytes", raw, "")
	line("the same, another goroutine reads", handed, slower(handed))
	line("Conn.Send, one after the other", sequential, slower(sequential))
	line(fmt.Sprintf("Conn.Send, %d goroutines", pingers), parallel, times(parallel, sequential)+" of sequential")
	t.print()
	fmt.Printf("\n%.1f allocations a command.\n", objects.median())
	return nil
}

// add appends how often a second do can be run, one time after the other for about d. It returns how often it was.
func (s *samples) add(d time.Duration, do func() error) (n int, err error) {
	n, took, err := repeat(d, do)
	if err == nil {
		*s = append(*s, float64(n)/took.Seconds())
	}
	return n, err
}

// repeat runs do for about d.
func repeat(d time.Duration, do func() error) (n int, took time.Duration, err error) {
	begun := time.Now()
	for took < d {
		for range 100 {
			if err := do(); err != nil {
				return n, took, err
			}
		}
		n += 100
		took = time.Since(begun)
	}
	return n, took, nil
}

// pingBare writes the message and reads as many bytes as its answer has.
func pingBare(nc net.Conn) error {
	if _, err := nc.Write([]byte(pingMessage)); err != nil {
		return err
	}
	var buf [256]byte
	for got := 0; got < len(uptime); {
		n, err := nc.Read(buf[:])
		if err != nil {
			return err
		}
		got += n
	}
	return nil
}

// listener is a bare connection that is read all the time, as it takes to hear of events too: who sends waits for what
// the goroutine that reads hands over.
type listener struct {
	nc      net.Conn
	answers chan int
}

func listen(nc net.Conn) *listener {
	l := &listener{nc: nc, answers: make(chan int, 1)}
	go func() {
		defer close(l.answers)
		for buf := make([]byte, 256); ; {
			n, err := nc.Read(buf)
			if err != nil {
				return
			}
			l.answers <- n
		}
	}()
	return l
}

func (l *listener) ping() error {
	if _, err := l.nc.Write([]byte(pingMessage)); err != nil {
		return err
	}
	for got := 0; got < len(uptime); {
		n, ok := <-l.answers
		if !ok {
			return net.ErrClosed
		}
		got += n
	}
	return nil
}

func ping(ctx context.Context, conn *esl.Conn) error {
	_, err := conn.Send(ctx, esl.Line("api uptime"))
	return err
}

// pingTogether sends commands from many goroutines and returns the rate.
func pingTogether(ctx context.Context, conn *esl.Conn, d time.Duration) (float64, error) {
	var wg sync.WaitGroup
	counts, errs := make([]int, pingers), make([]error, pingers)
	begun := time.Now()
	for i := range pingers {
		wg.Go(func() {
			counts[i], _, errs[i] = repeat(d, func() error { return ping(ctx, conn) })
		})
	}
	wg.Wait()
	took := time.Since(begun)
	total := 0
	for i, n := range counts {
		if errs[i] != nil {
			return 0, errs[i]
		}
		total += n
	}
	return float64(total) / took.Seconds(), nil
}
