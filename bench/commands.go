package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/genesis-esl/genesis/esl"
)

const (
	pingMessage = "api uptime\n\n"
	pingers     = 64
)

// placement is where the two ends of a connection run. A round trip is as long as it takes to wake either of them, and
// that depends on where they are more than on what they do.
type placement struct {
	name         string
	ours, theirs []int // processors; none: as many as there are, and the system chooses
}

func placements() ([]placement, error) {
	all, err := processors()
	if err != nil {
		return nil, err
	}
	where := []placement{{name: "any"}}
	if len(all) > 0 {
		where = append(where, placement{"one for both ends", all[:1], all[:1]})
	}
	if len(all) > 1 {
		where = append(where, placement{"one for each end", all[:1], all[1:2]})
	}
	return where, nil
}

// compareCommands measures round trips: FreeSWITCH's end answers each message with
// the same bytes, whoever sends it.
func compareCommands(ctx context.Context, s settings) error {
	where, err := placements()
	if err != nil {
		return err
	}
	var t table
	t.row("commands over one connection", "processors", "per second", "µs each", "noise", "compared")
	var objects samples
	for _, at := range where {
		trips, err := measureCommands(ctx, s, at)
		if err != nil {
			return err
		}
		trips.rows(&t, at.name)
		objects = append(objects, trips.objects...)
	}
	t.print()
	fmt.Printf("\n%.1f allocations a command.\n", objects.median())
	return nil
}

// roundTrips are how many a second there were, in the ways that are compared.
type roundTrips struct {
	raw, handed, sequential, parallel samples
	objects                           samples // allocations of a command
}

// measureCommands measures with each end in its place.
func measureCommands(ctx context.Context, s settings, at placement) (trips roundTrips, err error) {
	fs, err := start("freeswitch", s.testdata, 1)
	if err != nil {
		return trips, err
	}
	defer fs.stop()
	if len(at.ours) > 0 {
		release, err := at.take(fs.cmd.Process.Pid)
		if err != nil {
			return trips, err
		}
		defer release()
	}
	bare, err := enter(fs.addr, "noevents")
	if err != nil {
		return trips, err
	}
	defer bare.Close()
	listened, err := enter(fs.addr, "noevents")
	if err != nil {
		return trips, err
	}
	defer listened.Close()
	listening := listen(listened)
	conn, err := esl.Dial(ctx, fs.addr, esl.DialConfig{})
	if err != nil {
		return trips, err
	}
	defer conn.Close()
	for round := range s.rounds + 1 {
		if round == 1 {
			trips = roundTrips{} // the first time is for warming up
		}
		if _, err := trips.raw.add(s.each, func() error { return pingBare(bare) }); err != nil {
			return trips, err
		}
		if _, err := trips.handed.add(s.each, listening.ping); err != nil {
			return trips, err
		}
		before := allocations()
		n, err := trips.sequential.add(s.each, func() error { return ping(ctx, conn) })
		if err != nil {
			return trips, err
		}
		trips.objects = append(trips.objects, float64(allocations()-before)/float64(n))
		rate, err := pingTogether(ctx, conn, s.each)
		if err != nil {
			return trips, err
		}
		trips.parallel = append(trips.parallel, rate)
	}
	return trips, nil
}

// take moves the ends to their places; release lets this one go where it will again.
func (at placement) take(theirs int) (release func(), err error) {
	all, err := processors()
	if err != nil {
		return nil, err
	}
	if err := pin(theirs, at.theirs); err != nil {
		return nil, err
	}
	if err := pin(os.Getpid(), at.ours); err != nil {
		return nil, err
	}
	before := runtime.GOMAXPROCS(len(at.ours)) // as Go would have it from the start
	return func() {
		runtime.GOMAXPROCS(before)
		_ = pin(os.Getpid(), all) // it worked a moment ago
	}, nil
}

func (r *roundTrips) rows(t *table, processors string) {
	line := func(name string, rates samples, compared string) {
		rate := rates.median()
		t.row(name, processors, number(rate), fmt.Sprintf("%.1f", 1e6/rate), rates.noise(), compared)
		processors = ""
	}
	slower := func(rates samples) string { return fmt.Sprintf("%+.0f%% time", 100*(r.raw.over(rates).median()-1)) }
	line("bare TCP ping-pong of the same bytes", r.raw, "")
	line("the same, another goroutine reads", r.handed, slower(r.handed))
	line("Conn.Send, one after the other", r.sequential, slower(r.sequential))
	line(fmt.Sprintf("Conn.Send, %d goroutines", pingers), r.parallel, times(r.parallel, r.sequential)+" of sequential")
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
