package esltest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/genesis-esl/genesis/esl"
)

// Recorder records the events of a server, for a test to look at or wait for. It
// sees the events that a client with the same subscription would get. Its methods
// are safe for concurrent use.
type Recorder struct {
	srv     *Server
	core    *core
	events  eventSet
	customs map[string]bool // nil: every subclass

	mu      sync.Mutex
	got     []*event
	changed chan struct{}
}

// Record starts recording the named events: CHANNEL_ANSWER, or a subclass of CUSTOM
// such as sofia::register. Without names it records all events. It records only the
// current run of the server; the Recorder's Stop ends it.
func (s *Server) Record(names ...string) *Recorder {
	r := &Recorder{srv: s, changed: make(chan struct{})}
	if len(names) == 0 {
		r.events.addAll()
	}
	for _, name := range names {
		if id, ok := eventByName(name); ok {
			r.events.add(id)
			continue
		}
		r.events.add(evCustom)
		if r.customs == nil {
			r.customs = map[string]bool{}
		}
		r.customs[name] = true
	}
	if r.core = s.current(); r.core != nil {
		r.core.listen(r, "")
	}
	return r
}

// Stop ends the recording; what has been recorded stays.
func (r *Recorder) Stop() {
	if r.core != nil {
		r.core.unlisten(r)
	}
}

func (r *Recorder) subscribed() eventSet { return r.events }

func (r *Recorder) offer(e *event) {
	if !r.events.has(e.id) || e.id == evCustom && r.customs != nil && !r.customs[e.subclass] {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got = append(r.got, e)
	close(r.changed)
	r.changed = make(chan struct{})
}

// Events returns the events recorded so far, in order.
func (r *Recorder) Events() []*esl.Event {
	r.mu.Lock()
	got := slices.Clone(r.got)
	r.mu.Unlock()
	events := make([]*esl.Event, len(got))
	for i, e := range got {
		events[i] = esl.NewEvent(e.headers, e.body)
	}
	return events
}

// Wait blocks until an event has been recorded for which match is true, and returns
// the first such event, which may have been recorded before the call. When ctx ends
// first, it returns an error.
func (r *Recorder) Wait(ctx context.Context, match func(*esl.Event) bool) (*esl.Event, error) {
	seen := 0
	for {
		r.mu.Lock()
		got, changed := r.got, r.changed
		r.mu.Unlock()
		for ; seen < len(got); seen++ {
			if ev := esl.NewEvent(got[seen].headers, got[seen].body); match(ev) {
				return ev, nil
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// commandLog keeps what clients and outbound servers have sent.
type commandLog struct {
	mu      sync.Mutex
	lines   []string
	changed chan struct{}
}

// keptCommands bounds the log: a load test must not fill the memory.
const keptCommands = 10_000

func (k *commandLog) add(req *esl.Request) {
	line := req.Line
	if hasPrefix(line, "auth ") || hasPrefix(line, "userauth ") {
		line, _, _ = strings.Cut(line, " ")
	}
	if call := req.Get("call-command"); call != "" {
		line = strings.TrimSpace(line + " " + call + " " + req.Get("execute-app-name") + " " + req.Get("execute-app-arg") + req.Get("hangup-cause"))
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.lines) >= keptCommands {
		k.lines = slices.Clone(k.lines[keptCommands/2:])
	}
	k.lines = append(k.lines, line)
	if k.changed != nil {
		close(k.changed)
		k.changed = nil
	}
}

// Commands returns the commands that clients and outbound servers have sent, in the
// order of their arrival, over all runs of the server. Each is the command line
// without passwords; a sendmsg also has its action, as in "sendmsg execute playback
// ivr/welcome.wav". At least the last 5,000 are kept.
func (s *Server) Commands() []string {
	s.commands.mu.Lock()
	defer s.commands.mu.Unlock()
	return slices.Clone(s.commands.lines)
}

// WaitCommand blocks until a command that starts with prefix has come, and returns
// it. Commands that came before count too. When ctx ends first, it returns an
// error.
func (s *Server) WaitCommand(ctx context.Context, prefix string) (string, error) {
	k := &s.commands
	for {
		k.mu.Lock()
		for _, line := range k.lines {
			if strings.HasPrefix(line, prefix) {
				k.mu.Unlock()
				return line, nil
			}
		}
		if k.changed == nil {
			k.changed = make(chan struct{})
		}
		changed := k.changed
		k.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return "", errors.Join(errors.New("esltest: no command "+prefix), ctx.Err())
		}
	}
}
