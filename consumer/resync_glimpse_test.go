package consumer_test

import (
	"context"
	"testing"

	"github.com/genesis-esl/genesis/consumer"
	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/esl/esltest"
)

// TestCallsSeenBetweenTwoCuts: calls that began in one cut and showed themselves by a CHANNEL_ANSWER before the next one, which
// came before the comparison was over. The one that ended in the second cut is told to have ended, the other one is new.
func TestCallsSeenBetweenTwoCuts(t *testing.T) {
	lists := make(chan string, 3)
	server := esltest.NewUnstartedServer(esltest.Config{APICommands: map[string]func(context.Context, string) string{
		"show": func(ctx context.Context, _ string) string {
			select {
			case list := <-lists:
				return list
			case <-ctx.Done():
				return ""
			}
		},
	}})
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	app := newApp()
	told, answered, up := make(chan string, 10), make(chan string, 10), make(chan esl.Up, 10)
	app.HandleFunc(consumer.ResyncEvent, func(_ context.Context, ev *esl.Event) error {
		told <- ev.Get("Resync") + " " + ev.UUID()
		return nil
	})
	app.HandleFunc("CHANNEL_ANSWER", func(_ context.Context, ev *esl.Event) error {
		answered <- ev.UUID()
		return nil
	})
	app.OnUp(func(_ context.Context, u esl.Up) { up <- u })
	lists <- `{"row_count":1,"rows":[{"uuid":"first"}]}`
	serve(t, app, server)
	await(t, up, "the first connection")
	await(t, told, "the call on the list")
	server.CutConnections()
	await(t, up, "the second connection")
	for _, uuid := range []string{"gone", "alive"} { // and the comparison waits for its list
		if err := server.Fire("CHANNEL_ANSWER", []esl.Header{{Name: "Unique-ID", Value: uuid}}, ""); err != nil {
			t.Fatal(err)
		}
		await(t, answered, "the answer of "+uuid)
	}
	server.CutConnections()
	const list = `{"row_count":2,"rows":[{"uuid":"first"},{"uuid":"alive"}]}`
	lists <- list // for the comparison that was under way, which nobody waits for any more
	lists <- list
	await(t, up, "the third connection")
	got := map[string]bool{await(t, told, "one call"): true, await(t, told, "the other call"): true}
	if !got["ended gone"] || !got["new alive"] {
		t.Errorf("told %v", got)
	}
}
