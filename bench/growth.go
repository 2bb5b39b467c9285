package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/genesis-esl/genesis/esl"
)

// compareGrowth measures how the rate changes with the number of connections that
// share it.
func compareGrowth(ctx context.Context, s settings) error {
	payloads, err := loadPayloads(s.testdata)
	if err != nil {
		return err
	}
	fs, err := start("freeswitch", s.testdata, 1)
	if err != nil {
		return err
	}
	defer fs.stop()
	load, counts := payloads["mix"], []int{1, 10, 100}
	total, rates := 20_000, make([]samples, len(counts))
	for round := -1; round < s.rounds; round++ {
		for i, n := range counts {
			run := &stream{fs: fs, load: load, atOnce: s.writes.most(), rounds: load.rounds(total / n)}
			rate, err := manyConnections(ctx, run, n)
			if err != nil {
				return err
			}
			if round < 0 {
				total = max(total, int(rate*s.each.Seconds()))
				continue
			}
			rates[i] = append(rates[i], rate)
		}
	}
	var t table
	t.row("connections", "events/s in all", "noise", "of 1 connection")
	for i, n := range counts {
		t.row(fmt.Sprint(n), number(rates[i].median()), rates[i].noise(), percent(rates[i], rates[0]))
	}
	t.print()
	return nil
}

// manyConnections has n connections take the stream each, and returns events a
// second of all.
func manyConnections(ctx context.Context, run *stream, n int) (float64, error) {
	conns := make([]*esl.Conn, n)
	for i := range conns {
		conn, err := esl.Dial(ctx, run.fs.addr, esl.DialConfig{})
		if err != nil {
			return 0, err
		}
		defer conn.Close()
		if _, err := conn.Send(ctx, esl.Line("event plain ALL")); err != nil {
			return 0, err
		}
		conns[i] = conn
	}
	begun, err := run.beginAll(n)
	if err != nil {
		return 0, err
	}
	var wg sync.WaitGroup
	var failure atomic.Pointer[error]
	for _, conn := range conns {
		wg.Go(func() {
			batch, read := make([]*esl.Event, 256), 0
			for left := run.events(); left > 0; {
				n, err := conn.ReadEvents(ctx, batch)
				if err != nil {
					failure.Store(&err)
					return
				}
				for _, ev := range batch[:n] {
					read += readFive(ev)
				}
				left -= int64(n)
			}
			sink.Add(int64(read))
		})
	}
	wg.Wait()
	if err := failure.Load(); err != nil {
		return 0, *err
	}
	return float64(run.events()*int64(n)) / time.Since(begun).Seconds(), nil
}
