package consumer_test

import (
	"context"
	"testing"

	"github.com/genesis-esl/genesis/consumer"
	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/esl/esltest"
)

// TestDestroyWithoutHangup: calls whose CHANNEL_HANGUP_COMPLETE fell into a cut, and whose CHANNEL_DESTROY comes after it,
// are told to have ended: one that the comparison cannot judge because it has events of its own by then, and two that were
// on FreeSWITCH's list still, known before or not.
func TestDestroyWithoutHangup(t *testing.T) {
	server := esltest.NewUnstartedServer(esltest.Config{APICommands: map[string]func(context.Context, string) string{
		"show": func(context.Context, string) string {
			return `{"row_count":2,"rows":[{"uuid":"listed"},{"uuid":"new"}]}`
		},
	}})
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	fire := func(name, uuid string) {
		if err := server.Fire(name, []esl.Header{{Name: "Unique-ID", Value: uuid}}, ""); err != nil {
			t.Error(err)
		}
	}
	app := newApp()
	told, created, up := make(chan string, 10), make(chan string, 10), make(chan esl.Up, 10)
	app.HandleFunc(consumer.ResyncEvent, func(_ context.Context, ev *esl.Event) error {
		told <- ev.Get("Resync") + " " + ev.UUID()
		return nil
	})
	app.HandleFunc("CHANNEL_CREATE", func(_ context.Context, ev *esl.Event) error {
		created <- ev.UUID()
		return nil
	})
	app.OnUp(func(_ context.Context, u esl.Up) {
		if !u.First {
			fire("CHANNEL_DESTROY", "judged by none")
		}
		up <- u
	})
	serve(t, app, server)
	for range 2 { // the list is of calls that exist at the first connect
		await(t, told, "the calls on the list")
	}
	fire("CHANNEL_CREATE", "judged by none")
	await(t, created, "the call")
	server.CutConnections()
	await(t, up, "the first connection")
	await(t, up, "the second connection")
	if got := await(t, told, "the end of a call"); got != "ended judged by none" {
		t.Errorf("told %q", got)
	}
	for _, uuid := range []string{"listed", "new"} {
		fire("CHANNEL_DESTROY", uuid)
		if got := await(t, told, "the end of "+uuid); got != "ended "+uuid {
			t.Errorf("told %q", got)
		}
	}
	fire("CHANNEL_CREATE", "of this connection") // nothing of it was missed
	fire("CHANNEL_DESTROY", "of this connection")
	fire("CHANNEL_CREATE", "last")
	await(t, created, "the call")
	await(t, created, "the last call")
	if len(told) > 0 {
		t.Errorf("told %q", <-told)
	}
}
