package call_test

import (
	"context"
	"runtime"
	"testing"

	"github.com/genesis-esl/genesis/call"
	"github.com/genesis-esl/genesis/esl"
)

// TestForeignEvents feeds a channel with events of others: what another channel tells is
// not about this one, what is about none may be waited for.
func TestForeignEvents(t *testing.T) {
	event := func(name, uuid string) *esl.Event {
		headers := []esl.Header{{Name: "Event-Name", Value: name}}
		if uuid != "" {
			headers = append(headers, esl.Header{Name: "Unique-ID", Value: uuid})
		}
		return esl.NewEvent(headers, "")
	}
	c := call.New(context.Background(), nil, call.Config{UUID: aUUID})
	defer c.Lost(esl.ErrClosed)
	stream := c.Events()
	defer stream.Close()
	waited := make(chan *esl.Event, 1)
	go func() {
		ev, err := c.Wait(context.Background(), "CHANNEL_DESTROY", "LOG")
		if err != nil {
			t.Error(err)
		}
		waited <- ev
	}()
	for len(waited) == 0 { // until somebody waits
		runtime.Gosched()
		c.HandleEvent(event("CHANNEL_DESTROY", esl.NewUUID()))
		c.HandleEvent(event("LOG", ""))
	}
	if ev := <-waited; ev.Name() != "LOG" {
		t.Errorf("waited for %s of %s", ev.Name(), ev.UUID())
	}
	if ev, err := stream.Next(context.Background()); err != nil || ev.Name() != "LOG" {
		t.Errorf("read %v, %v", ev, err)
	}
	if err := c.Err(); err != nil {
		t.Errorf("ended by another channel's event: %v", err)
	}
}
