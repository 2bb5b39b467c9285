package program_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/genesis-esl/genesis/consumer"
)

// logged reports whether a line of a stream holds text.
func (n *notes) logged(stream, text string) bool {
	return slices.ContainsFunc(n.lines(stream), func(line string) bool { return strings.Contains(line, text) })
}

// TestAllEventsAndResync asks for everything and for what does not come with it.
func TestAllEventsAndResync(t *testing.T) {
	p := actor(t, "say")
	p.Events = []string{"ALL", consumer.ResyncEvent}
	var n notes
	p.Logger = n.logger()
	fs := serveExample(t, p)
	fs.API(t.Context(), "originate loopback/9196 &park")
	eventually(t, "the call", func() bool { return n.logged("stderr", `"Event-Name":"CHANNEL_CREATE"`) })
	if err := fs.Restart(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the end of the call", func() bool { return n.logged("stderr", `"Resync":"ended"`) })
}

// TestSubscription shows what FreeSWITCH is asked for.
func TestSubscription(t *testing.T) {
	for _, tt := range []struct{ events, want []string }{
		{nil, []string{"ALL"}},
		{[]string{"DTMF", "sofia::register"}, []string{"DTMF", "HEARTBEAT", "sofia::register"}},
		{[]string{"ALL", "DTMF", "sofia::register"}, []string{"ALL", "sofia::register"}},
		{[]string{"*", "sofia::register"}, []string{"ALL", "sofia::register"}},
	} {
		p, app := actor(t, "discard"), consumer.New()
		p.Events = tt.events
		if err := p.Register(app); err != nil {
			t.Fatal(err)
		}
		if got := app.Events(); !slices.Equal(got, tt.want) {
			t.Errorf("%q asks for %q, want %q", tt.events, got, tt.want)
		}
	}
}

// TestNamesInAnyCase asks for events of FreeSWITCH's own as nobody spells them.
func TestNamesInAnyCase(t *testing.T) {
	for _, tt := range []struct {
		name   string
		events []string
		lines  []string
	}{
		{"flag", []string{"channel_create"}, nil},
		{"subscribe", []string{"DTMF"}, []string{`{"id": 1, "subscribe": ["Channel_Create"]}`, `{"id": 2, "subscribe": ["all"]}`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := actor(t, "say", tt.lines...)
			p.Events = tt.events
			var n notes
			p.Logger = n.logger()
			fs := serveExample(t, p)
			if len(tt.lines) > 0 {
				eventually(t, "the replies", func() bool { return n.logged("stderr", `"id":1,"ok":true`) && n.logged("stderr", `"id":2,"ok":false`) })
			}
			fs.API(t.Context(), "originate loopback/9196 &park")
			eventually(t, "the call", func() bool { return n.logged("stderr", `"Event-Name":"CHANNEL_CREATE"`) })
		})
	}
}

// TestRestartForgetsSubscription has a program subscribe whose next version does not:
// that one gets everything.
func TestRestartForgetsSubscription(t *testing.T) {
	p := actor(t, "")
	begun := filepath.Join(t.TempDir(), "begun")
	p.Path, p.Args = "/bin/sh", []string{"-c", "mkdir " + begun + ` 2>/dev/null && echo '{"id": 1, "subscribe": ["DTMF"]}'; exec cat >&2`}
	var n notes
	p.Logger = n.logger()
	fs := serveExample(t, p)
	eventually(t, "the reply", func() bool { return n.logged("stderr", `"id":1,"ok":true`) })
	if err := p.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	fs.API(t.Context(), "originate loopback/9196 &park")
	eventually(t, "the call", func() bool { return n.logged("stderr", `"Event-Name":"CHANNEL_CREATE"`) })
}
