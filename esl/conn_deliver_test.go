package esl_test

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/genesis-esl/genesis/esl"
)

// TestDeliver has events handled where they are read: in order, each before what comes
// behind it, the end last, and nothing left to read.
func TestDeliver(t *testing.T) {
	var told, handed []string // the goroutine that reads appends, until the end
	over := make(chan error, 1)
	note := func(events []*esl.Event) {
		for _, e := range events {
			handed = append(handed, e.Name())
		}
	}
	var c *esl.Conn
	ready := make(chan struct{})
	c, far := connected(t, esl.ConnConfig{
		Hooks: &esl.Hooks{Events: note},
		Deliver: func(e *esl.Event) {
			told = append(told, e.Name())
			if e.Name() == "CHANNEL_DESTROY" {
				<-ready
				c.Close() // from the goroutine that reads
			}
		},
		Ended: func(err error) {
			told = append(told, "end")
			over <- err
		},
	})
	close(ready)
	asked := start(func() (string, error) {
		text, err := c.API(within(t), "x")
		return strings.Join(told, " ") + " " + text, err // what was delivered before the reply
	})
	far.next()
	far.send(event("CHANNEL_CREATE"), event("CHANNEL_ANSWER"), esl.AppendAPIResponse(nil, "y"))
	if got := receive(t, asked, "the reply"); got.value != "CHANNEL_CREATE CHANNEL_ANSWER y" {
		t.Errorf("got %q, %v", got.value, got.err)
	}
	far.send(event("CHANNEL_HANGUP"), event("CHANNEL_DESTROY"))
	if err := receive(t, over, "the end"); err != esl.ErrClosed {
		t.Errorf("ended with %v", err)
	}
	want := "CHANNEL_CREATE CHANNEL_ANSWER CHANNEL_HANGUP CHANNEL_DESTROY"
	if got := strings.Join(told, " "); got != want+" end" {
		t.Errorf("delivered %s", got)
	}
	if strings.Join(handed, " ") != want {
		t.Errorf("the hook saw %q", handed)
	}
	if _, err := c.ReadEvent(context.Background()); err == nil {
		t.Error("an event could be read")
	}
}

// TestHeartbeatsInOnePiece shows one of them to the hook, and all to whoever reads events.
func TestHeartbeatsInOnePiece(t *testing.T) {
	beats := 0 // the reading goroutine's, until the reply is there
	c, far := connected(t, esl.ConnConfig{Hooks: &esl.Hooks{Heartbeat: func(*esl.Event) { beats++ }}})
	for want := 1; want <= 2; want++ {
		done := start(func() (string, error) { return c.API(within(t), "status") })
		far.next()
		far.send(slices.Concat(event("HEARTBEAT"), event("HEARTBEAT"), event("HEARTBEAT"), esl.AppendAPIResponse(nil, "UP")))
		if got := receive(t, done, "the reply"); got.value != "UP" || beats != want {
			t.Errorf("%d heartbeats shown, want %d; got %q, %v", beats, want, got.value, got.err)
		}
		for range 3 {
			if e, err := c.ReadEvent(within(t)); err != nil || e.Name() != "HEARTBEAT" {
				t.Errorf("read %v, %v", e, err)
			}
		}
	}
}

// TestJobsAreBehindEvents: whoever has the result of a job knows that what came before it has been
// delivered, or can be read.
func TestJobsAreBehindEvents(t *testing.T) {
	const rounds = 500
	delivered := 0 // the goroutine's that reads, but where a result has come from it
	for name, cfg := range map[string]esl.ConnConfig{
		"delivered": {Deliver: func(e *esl.Event) {
			if e.Name() == "DTMF" {
				delivered++
			}
		}},
		"queued": {},
	} {
		t.Run(name, func(t *testing.T) {
			c, far := connected(t, cfg)
			played := start(func() (struct{}, error) {
				behind := bytes.Repeat(event("CHANNEL_STATE"), 20)
				for {
					request, err := far.requests.Next()
					if err != nil {
						return struct{}{}, nil
					}
					out := esl.AppendReply(nil, "+OK")
					if id := request.Get("Job-UUID"); id != "" {
						out = slices.Concat(out, event("DTMF"), jobEvent(id, "+OK"), behind)
					}
					if _, err := far.nc.Write(out); err != nil {
						return struct{}{}, err
					}
				}
			})
			gone, leave := context.WithCancel(t.Context())
			leave()
			for round := range rounds {
				if _, err := c.BgAPI(within(t), "status"); err != nil {
					t.Fatalf("round %d: %v", round, err)
				}
				if cfg.Deliver != nil {
					if delivered != round+1 {
						t.Fatalf("round %d: %d events have been delivered", round, delivered)
					}
					continue
				}
				if e, err := c.ReadEvent(gone); err != nil || e.Name() != "DTMF" {
					t.Fatalf("round %d: read %v, %v", round, e, err)
				}
				for range 20 {
					if _, err := c.ReadEvent(within(t)); err != nil {
						t.Fatal(err)
					}
				}
			}
			c.Close()
			if got := receive(t, played, "the peer"); got.err != nil {
				t.Error(got.err)
			}
		})
	}
}
