package esl_test

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/genesis-esl/genesis/esl"
)

// TestEventsOutliveTheBuffer takes events of many sizes in batches of many sizes, so that
// the goroutine that reads and those that look into events copy them side by side, keeps them
// all, and looks at them when everything has been read, at some before already.
func TestEventsOutliveTheBuffer(t *testing.T) {
	const events = 20_000
	c, far := connected(t, esl.ConnConfig{Queue: esl.QueueLimits{Events: 1000}})
	sent := start(func() (string, error) {
		var out bytes.Buffer
		for i := 1; i <= events; i++ {
			headers := []esl.Header{
				{Name: "Event-Name", Value: "CHANNEL_STATE"}, {Name: "Event-Sequence", Value: fmt.Sprint(i)},
				{Name: "Fill", Value: fill(i)},
				{Name: "Unique-ID", Value: uuid(i)},
			}
			if i%5 == 0 { // as sendevent writes it: such an event is not lent
				headers[0], headers[1] = headers[1], headers[0]
			}
			out.Write(esl.AppendEvent(nil, esl.Format(i%3), headers, ""))
			if out.Len() > 1<<16 || i == events {
				if _, err := far.nc.Write(out.Bytes()); err != nil {
					return "", err
				}
				out.Reset()
			}
		}
		return "", nil
	})
	var looking sync.WaitGroup
	kept := make([]*esl.Event, 0, events)
	for n := 1; len(kept) < events; n = n%300 + 7 {
		batch := make([]*esl.Event, min(n, events-len(kept)))
		n, err := c.ReadEvents(within(t), batch)
		if err != nil {
			t.Fatalf("after %d: %v", len(kept), err)
		}
		kept = append(kept, batch[:n]...)
		early := batch[n/2 : n]
		looking.Go(func() {
			for i, e := range early {
				switch i % 5 { // each may be the first look
				case 0:
					e.Get("Fill")
				case 1:
					if _, err := e.MarshalJSON(); err != nil {
						t.Error(err)
					}
				case 2:
					e.Body()
				case 3:
					e.Values("Fill")
				case 4:
					e.UUID()
				}
			}
		})
		for i, e := range early {
			if i%2 == 0 && e.Get("Event-Sequence") == "" {
				t.Error("an event has no number")
			}
		}
	}
	looking.Wait()
	if got := receive(t, sent, "the sender"); got.err != nil {
		t.Fatal(got.err)
	}
	for i, e := range kept {
		if e.Name() != "CHANNEL_STATE" || e.Sequence() != uint64(i+1) || e.Get("fill") != fill(i+1) || e.Len() != 4 || e.UUID() != uuid(i+1) {
			t.Fatalf("event %d is %s %d of %q with %d headers, and %d bytes of fill", i+1, e.Name(), e.Sequence(), e.UUID(), e.Len(), len(e.Get("fill")))
		}
	}
}

// fill is what an event holds besides: now and then more than a buffer does.
func fill(i int) string {
	size := i * 37 % 2500
	if i%7001 == 0 {
		size += 400_000
	}
	return strings.Repeat(string(rune('a'+i%26)), size)
}

// uuid is the Unique-ID of an event; now and then one that is encoded on the wire.
func uuid(i int) string {
	if i%7 == 0 {
		return fmt.Sprintf("call %d", i)
	}
	return fmt.Sprintf("%08x-1111-4222-8333-444455556666", i)
}

// TestEventsSurviveTheirConnection: what came before the end can still be read.
func TestEventsSurviveTheirConnection(t *testing.T) {
	for name, end := range map[string]func(*esl.Conn, *peer){
		"FIN":   func(_ *esl.Conn, far *peer) { far.fin() },
		"Close": func(c *esl.Conn, _ *peer) { c.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			c, far := connected(t, esl.ConnConfig{})
			done := start(func() (string, error) { return c.API(within(t), "x") })
			far.next()
			const events = 50
			for i := range events {
				far.send(event("CHANNEL_STATE", esl.Header{Name: "Event-Sequence", Value: strconv.Itoa(i + 1)}))
			}
			far.send(esl.AppendAPIResponse(nil, "y"))
			receive(t, done, "the reply that comes behind them")
			end(c, far)
			reason := ended(t, c)
			for i := range uint64(events) {
				if e, err := c.ReadEvent(within(t)); err != nil || e.Sequence() != i+1 || e.Name() != "CHANNEL_STATE" {
					t.Fatalf("event %d is %v, %v", i+1, e, err)
				}
			}
			if _, err := c.ReadEvent(within(t)); err != reason {
				t.Errorf("got %v, want %v", err, reason)
			}
		})
	}
}
