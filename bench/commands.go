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
	conn, err := esl.Dial(ctx, fs.addr, esl.DialConfig{})
	if err != nil {
		return err
	}
	defer conn.Close()

	var raw, sequential, parallel, objects samples
	for range s.rounds + 1 {
		n, took, err := repeat(s.each, func() error { return pingBare(bare) })
		if err != nil {
			return err
		}
		raw = append(raw, float64(n)/took.Seconds())

		before := allocations()
		n, took, err = repeat(s.each, func() error { return ping(ctx, conn) })
		if err != nil {
			return err
		}
		objects = append(objects, float64(allocations()-before)/float64(n))
		sequential = append(sequential, float64(n)/took.Seconds())

		rate, err := pingTogether(ctx, conn, s.each)
		if err != nil {
			return err
		}
		parallel = append(parallel, rate)
	}
	raw, sequential, parallel = raw[1:], sequential[1:], parallel[1:] // the first time is for warming up
	var t table
	t.row("commands over one connection", "per second", "µs each", "noise", "compared")
	line := func(name string, rates samples, compared string) {
		rate := rates.median()
		t.row(name, number(rate), fmt.Sprintf("%.1f", 1e6/rate), rates.noise(), compared)
	}
	line("bare TCP ping-pong of the same bytes", raw, "")
	line("Conn.Send, one after the other", sequential,
		fmt.Sprintf("%+.0f%% time", 100*(raw.over(sequential).median()-1)))
	line(fmt.Sprintf("Conn.Send, %d goroutines", pingers), parallel, times(parallel, sequential)+" of sequential")
	t.print()
	fmt.Printf("\n%.1f allocations a command.\n", objects.median())
	return nil
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
