package program_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/consumer"
	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/esl/esltest"
	"github.com/genesis-esl/genesis/program"
)

// TestCommandsAreAnsweredWhenStopped stops a host whose program waits for what its commands answer: each is answered
// before the program's stdin ends.
func TestCommandsAreAnsweredWhenStopped(t *testing.T) {
	const long = "msleep 3600000"
	for _, tt := range []struct {
		name     string
		commands []string
		sent     string // the last of them that FreeSWITCH gets
	}{
		{"background", []string{`{"id": 1, "bgapi": "` + long + `"}`, `{"id": 2, "bgapi": "` + long + `1"}`}, "bgapi " + long + "1"},
		{"in turn", []string{`{"id": 1, "api": "` + long + `"}`, `{"id": 2, "api": "status"}`}, "api " + long},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fs := esltest.NewServer()
			defer fs.Close()
			p := actor(t, "say", append(tt.commands, "all written")...)
			p.Events = []string{"DTMF"}
			var n notes
			p.Logger = n.logger()
			app := consumer.New()
			app.Logger = p.Logger
			if err := p.Register(app); err != nil {
				t.Fatal(err)
			}
			err := p.Run(t.Context(), func(ctx context.Context) error {
				ctx, cancel := context.WithTimeout(ctx, patience)
				served := make(chan error, 1)
				go func() { served <- app.Serve(ctx, esl.ClientConfig{Addr: fs.Addr(), Password: fs.Password()}) }()
				if _, err := fs.WaitCommand(ctx, tt.sent); err != nil {
					t.Error(err)
				}
				eventually(t, "all commands", func() bool { return n.contain("all written") })
				cancel()
				return <-served
			})
			if err != nil {
				t.Error(err)
			}
			got := n.lines("stderr")
			if told := strings.Count(strings.Join(got, "\n"), `"kind":"disconnected"`); len(got) != 2 || told != 2 {
				t.Errorf("the program got %q", got)
			}
		})
	}
}

// TestEventsThatNobodyReadAreDropped stops a host whose program has read nothing: what waited for it is counted.
func TestEventsThatNobodyReadAreDropped(t *testing.T) {
	const events = 10
	p := actor(t, "never-reads")
	p.Stop = program.Stop{Close: 50 * time.Millisecond}
	dropped := map[string]int{}
	app := consumer.New()
	app.Logger = p.Logger
	app.Hooks = &consumer.Hooks{Dropped: func(reason string, n int) { dropped[reason] += n }}
	hostWith(t, app, p, feed(events, 3))
	if dropped["shutdown"] != events {
		t.Errorf("%v were dropped, want all %d", dropped, events)
	}
}
