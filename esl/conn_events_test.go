package esl_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/esl"
)

// readNames reads n events and returns their names.
func readNames(t *testing.T, c *esl.Conn, n int) string {
	t.Helper()
	var names []string
	for range n {
		e, err := c.ReadEvent(within(t))
		if err != nil {
			t.Fatalf("after %v: %v", names, err)
		}
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

// TestStreamOfEverything: log lines, notices, unknown types and broken events
// between events and replies; nothing stops the stream, nothing changes its order.
func TestStreamOfEverything(t *testing.T) {
	var j journal
	c, far := connected(t, esl.ConnConfig{Hooks: &esl.Hooks{Dropped: j.hooks().Dropped}})
	asked := start(func() (string, error) { return c.API(within(t), "status") })
	far.next()
	far.send(
		event("CHANNEL_CREATE"),
		esl.AppendLog(nil, []esl.Header{{Name: "Log-Level", Value: "7"}}, "a line\n"),
		[]byte("Content-Type: text/from-the-future\nContent-Length: 4\n\nwhat"),
		[]byte("Content-Type: text/event-json\nContent-Length: 8\n\nnot json"),
		[]byte("Content-Type: text/event-xml\nContent-Length: 7\n\n<event>"),
		event("CHANNEL_ANSWER"),
		esl.AppendAPIResponse(nil, "UP"),
		esl.AppendLingerNotice(nil, "u", "n", 5),
		[]byte("\n\r\n"),
		event("CHANNEL_HANGUP"),
	)
	if got := receive(t, asked, "the reply"); got.value != "UP" {
		t.Errorf("got %q, %v", got.value, got.err)
	}
	if got, want := readNames(t, c, 5), "CHANNEL_CREATE LOG CHANNEL_ANSWER SERVER_DISCONNECTED CHANNEL_HANGUP"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := j.String(), "dropped unknown_content_type 1\ndropped malformed 1\ndropped malformed 1"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	far.fin()
	if err := ended(t, c); strings.Contains(err.Error(), "said") {
		t.Errorf("a linger notice was taken for the reason: %v", err)
	}
}

func TestReadEventsCancelled(t *testing.T) {
	c, far := connected(t, esl.ConnConfig{})
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(context.Background())
	done := start(func() (*esl.Event, error) { return c.ReadEvent(ctx) })
	cancel(cause)
	if got := receive(t, done, "ReadEvent"); !errors.Is(got.err, cause) || got.value != nil {
		t.Errorf("got %v, %v", got.value, got.err)
	}
	far.send(event("HEARTBEAT"))
	if got := readNames(t, c, 1); got != "HEARTBEAT" {
		t.Errorf("got %s", got)
	}
}

// TestWriteTimeout: a peer that does not read ends the connection, not the caller's
// patience.
func TestWriteTimeout(t *testing.T) {
	c, _ := connected(t, esl.ConnConfig{WriteTimeout: 50 * time.Millisecond})
	big := esl.Line("api eval " + strings.Repeat("x", 1<<20))
	var waiting []<-chan outcome[*esl.Reply]
	for range 16 {
		waiting = append(waiting, start(func() (*esl.Reply, error) { return c.Send(context.Background(), big) }))
	}
	for _, w := range waiting {
		if got := receive(t, w, "a command"); !errors.Is(got.err, esl.ErrDisconnected) {
			t.Errorf("got %v", got.err)
		}
	}
	var timeout interface{ Timeout() bool }
	if err := ended(t, c); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("the connection ended with %v, want a timeout", err)
	}
}

// flood sends events until the peer's socket is full or the connection ends.
func flood(far *peer, n int) <-chan outcome[int] {
	return start(func() (int, error) {
		for i := range n {
			if _, err := far.nc.Write(event("CHANNEL_STATE", esl.Header{Name: "Event-Sequence", Value: fmt.Sprint(i + 1)})); err != nil {
				return i, err
			}
		}
		return n, nil
	})
}

// TestQueueBlocks: a full queue stops the reading, the hook says so once each way,
// and every event arrives, in order.
func TestQueueBlocks(t *testing.T) {
	const events = 5000
	stalled := make(chan bool, events)
	taken := 0
	c, far := connected(t, esl.ConnConfig{
		Hooks: &esl.Hooks{
			Stalled: func(full bool) { stalled <- full },
			Events:  func(batch []*esl.Event) { taken += len(batch) },
		},
		Queue:       esl.QueueLimits{Events: 10},
		IdleTimeout: 100 * time.Millisecond,
	})
	sent := flood(far, events)
	if !receive(t, stalled, "the stall") {
		t.Fatal("resumed before it stalled")
	}
	// A connection that stopped reading is not idle, however long it takes.
	idle := time.NewTimer(300 * time.Millisecond)
	defer idle.Stop()
	select {
	case <-c.Done():
		t.Fatalf("ended while stalled: %v", c.Err())
	case <-idle.C:
	}
	batch := make([]*esl.Event, events)
	for next := uint64(1); next <= events; {
		n, err := c.ReadEvents(within(t), batch)
		if err != nil {
			t.Fatalf("at %d: %v", next, err)
		}
		if next == 1 && n > 64 {
			t.Errorf("%d events waited in a queue for ten, want no more than go into an empty one at a time", n)
		}
		for _, e := range batch[:n] {
			if e.Sequence() != next {
				t.Fatalf("got event %d, want %d", e.Sequence(), next)
			}
			next++
		}
	}
	if taken != events {
		t.Errorf("the hook saw %d events taken, want %d", taken, events)
	}
	if got := receive(t, sent, "the sender"); got.err != nil {
		t.Error(got.err)
	}
	until(t, "as many resumes as stalls", func() bool { return len(stalled)%2 == 1 })
	for want := false; len(stalled) > 0; want = !want {
		if got := <-stalled; got != want {
			t.Fatalf("Stalled(%v) twice", got)
		}
	}
}

func TestCloseWhileStalled(t *testing.T) {
	stalled := make(chan bool, 100)
	c, far := connected(t, esl.ConnConfig{Hooks: &esl.Hooks{Stalled: func(full bool) { stalled <- full }}, Queue: esl.QueueLimits{Events: 10}})
	sent := flood(far, 1_000_000)
	receive(t, stalled, "the stall")
	c.Close()
	if got := receive(t, sent, "the sender"); got.err == nil {
		t.Error("the socket stayed open")
	}
}

func TestQueueFails(t *testing.T) {
	for name, limits := range map[string]esl.QueueLimits{
		"events": {Events: 10, Overflow: esl.Fail},
		"bytes":  {Bytes: 1000, Overflow: esl.Fail},
	} {
		t.Run(name, func(t *testing.T) {
			var j journal
			c, far := connected(t, esl.ConnConfig{Queue: limits, Hooks: &esl.Hooks{Dropped: j.hooks().Dropped}})
			pending := start(func() (string, error) { return c.API(context.Background(), "wait") })
			far.next()
			flood(far, 100_000)
			if err := ended(t, c); !errors.Is(err, esl.ErrSlowConsumer) {
				t.Errorf("got %v, want ErrSlowConsumer", err)
			}
			if got := receive(t, pending, "the command"); !errors.Is(got.err, esl.ErrDisconnected) || !errors.Is(got.err, esl.ErrSlowConsumer) {
				t.Errorf("got %v", got.err)
			}
			if got := j.String(); !strings.HasPrefix(got, "dropped slow_consumer ") {
				t.Errorf("got %q", got)
			}
		})
	}
}

// TestOverflowIsCounted: of what came in one piece, each event is read or counted, but for those
// that the application has not asked for.
func TestOverflowIsCounted(t *testing.T) {
	const events = 150 // some batches, and less than a buffer holds
	var j journal
	c, far := connected(t, esl.ConnConfig{Queue: esl.QueueLimits{Events: 100, Overflow: esl.Fail}, Hooks: &esl.Hooks{Dropped: j.hooks().Dropped}})
	piece := bytes.Repeat(event("DTMF"), events-1)
	piece = append(piece, jobEvent(esl.NewUUID(), "another one's")...)
	piece = esl.AppendReply(append(piece, event("DTMF")...), "+OK")
	far.send(append(piece, "Content-Length: 100\n\npart of one"...))
	if err := ended(t, c); !errors.Is(err, esl.ErrSlowConsumer) {
		t.Errorf("got %v, want ErrSlowConsumer", err)
	}
	n, err := c.ReadEvents(within(t), make([]*esl.Event, events))
	if got, want := j.String(), fmt.Sprintf("dropped slow_consumer %d", events-n); got != want || n == 0 {
		t.Errorf("%d events were read, %v; %s, want %s", n, err, got, want)
	}
}

func TestQueueDiscards(t *testing.T) {
	beats := make(chan *esl.Event, 1)
	c, far := connected(t, esl.ConnConfig{Queue: esl.QueueLimits{Overflow: esl.Discard}, Hooks: &esl.Hooks{Heartbeat: func(e *esl.Event) { beats <- e }}})
	done := start(func() (string, error) { return c.API(within(t), "status") })
	far.next()
	if got := receive(t, flood(far, 10_000), "the sender"); got.err != nil {
		t.Fatal(got.err)
	}
	far.send(event("HEARTBEAT"), esl.AppendAPIResponse(nil, "UP"))
	if got := receive(t, done, "the reply"); got.value != "UP" {
		t.Errorf("got %q, %v", got.value, got.err)
	}
	receive(t, beats, "the heartbeat")
	if _, err := c.ReadEvent(within(t)); err == nil {
		t.Error("an event was kept")
	}
}

func TestIdleTimeout(t *testing.T) {
	c, far := connected(t, esl.ConnConfig{IdleTimeout: 60 * time.Millisecond})
	pending := start(func() (string, error) { return c.API(context.Background(), "wait") })
	far.next()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range 10 { // kept alive for far longer than the limit
		<-tick.C
		far.send(event("HEARTBEAT"))
	}
	if c.Err() != nil {
		t.Fatalf("ended while alive: %v", c.Err())
	}
	if err := ended(t, c); !errors.Is(err, esl.ErrIdle) {
		t.Errorf("got %v, want ErrIdle", err)
	}
	if got := receive(t, pending, "the command"); !errors.Is(got.err, esl.ErrIdle) {
		t.Errorf("got %v", got.err)
	}
}

// TestIdleTimeoutAtOnce is over before NewConn is.
func TestIdleTimeoutAtOnce(t *testing.T) {
	for range 100 {
		c, _ := connected(t, esl.ConnConfig{IdleTimeout: 1})
		if err := ended(t, c); !errors.Is(err, esl.ErrIdle) {
			t.Errorf("got %v, want ErrIdle", err)
		}
	}
}

// TestOutboundRecordings plays what FreeSWITCH sent in recorded calls to a Conn,
// a few bytes at a time: every frame arrives as what it is.
func TestOutboundRecordings(t *testing.T) {
	for _, name := range recordings(t) {
		if !strings.HasPrefix(name, "h") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			data := recording(t, name)
			want, replies := 0, 0
			for _, f := range frameList(t, name) {
				switch {
				case strings.HasPrefix(f.contentType, "text/"), f.contentType == "log/data":
					want++
				default:
					replies++
				}
			}
			var j journal
			c, far := connected(t, esl.ConnConfig{Hooks: &esl.Hooks{Dropped: j.hooks().Dropped}})
			start(func() (int, error) {
				defer far.fin()
				for i := 0; i < len(data); i += 997 {
					if _, err := far.nc.Write(data[i:min(len(data), i+997)]); err != nil {
						return i, err
					}
				}
				return len(data), nil
			})
			got := 0
			for ; ; got++ {
				if _, err := c.ReadEvent(within(t)); err != nil {
					break
				}
			}
			if dropped := strings.Count(j.String(), "unexpected_reply 1"); got != want || dropped != replies {
				t.Errorf("%d events and %d replies, want %d and %d (%v)", got, dropped, want, replies, c.Err())
			}
		})
	}
}

// TestIdleTimeoutWhileAnAPICommandRuns: FreeSWITCH sends no heartbeat meanwhile, so
// silence proves less. Once it has answered silence proves as much as ever.
func TestIdleTimeoutWhileAnAPICommandRuns(t *testing.T) {
	const limit = 200 * time.Millisecond
	c, far := connected(t, esl.ConnConfig{IdleTimeout: limit})
	done := start(func() (string, error) { return c.API(within(t), "originate user/1000 &park") })
	far.next()
	silence := time.NewTimer(limit * 5 / 4)
	defer silence.Stop()
	select {
	case <-silence.C:
	case <-c.Done():
		t.Fatalf("ended while a command ran: %v", c.Err())
	}
	far.send(esl.AppendAPIResponse(nil, "+OK"))
	if got := receive(t, done, "the reply"); got.err != nil {
		t.Error(got.err)
	}
	answered := time.Now()
	if err := ended(t, c); !errors.Is(err, esl.ErrIdle) {
		t.Errorf("got %v, want ErrIdle", err)
	}
	if silent := time.Since(answered); silent > 3*limit {
		t.Errorf("ended after a silence of %v, want one of %v", silent, limit)
	}
}
