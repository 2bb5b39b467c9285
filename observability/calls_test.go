package observability_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/observability"
)

// history makes up what a FreeSWITCH tells of calls.
type history struct {
	t     *testing.T
	hooks *esl.Hooks
}

var eventLink = esl.ConnInfo{Type: "inbound", Role: "events"}

func (h history) up(u esl.Up) {
	h.hooks.ConnectEnd(h.t.Context(), eventLink, nil)
	h.hooks.Up(u)
}

// again loses the connection and has it back.
func (h history) again(u esl.Up) {
	h.hooks.Disconnected(eventLink, errors.New("cut"))
	h.up(u)
}

func (h history) event(name string, uuids ...string) {
	for _, uuid := range uuids {
		h.hooks.Events([]*esl.Event{event(h.t, name, "Unique-ID", uuid, "Call-Direction", "outbound")})
	}
}

func (h history) beat(sessions int) {
	h.hooks.Events([]*esl.Event{event(h.t, "HEARTBEAT", "Session-Count", strconv.Itoa(sessions))})
}

// begin is a consumer's first connection, to a FreeSWITCH that has no calls, and the
// calls that begin then.
func (h history) begin(uuids ...string) {
	h.up(esl.Up{First: true})
	h.beat(0)
	h.event("CHANNEL_CREATE", uuids...)
}

// pictureAfter returns what the live page shows after what happened.
func pictureAfter(t *testing.T, mode observability.Mode, happened func(*observability.Observability)) (p picture) {
	t.Helper()
	s := serveAfter(t, observability.Config{Mode: mode}, happened)
	next := s.stream(t)
	next() // the history
	if err := json.Unmarshal([]byte(next()), &p); err != nil {
		t.Fatal(err)
	}
	return p
}

// The number of calls is shown where it is known, and what is known of it elsewhere.
func TestActiveCalls(t *testing.T) {
	const unknown = "unknown: the app does not get the beginning and the end of every call"
	both := []string{"CHANNEL_CREATE", "CHANNEL_HANGUP_COMPLETE"}
	for name, tt := range map[string]struct {
		subscribed []string
		do         func(history)
		want       string
		listed     int
	}{
		"no end is subscribed to":  {[]string{"CHANNEL_CREATE", "CHANNEL_ANSWER"}, func(h history) { h.begin("a", "b") }, unknown, 0},
		"no beginning is":          {[]string{"CHANNEL_HANGUP"}, func(h history) { h.begin(); h.event("CHANNEL_HANGUP", "a") }, unknown, 0},
		"filtered":                 {[]string{}, func(h history) { h.begin("a"); h.event("CHANNEL_DESTROY", "b") }, unknown, 0},
		"nobody tells, no end yet": {nil, func(h history) { h.begin("a") }, unknown, 0},
		"nobody tells, both seen":  {nil, func(h history) { h.begin("a", "b"); h.event("CHANNEL_HANGUP", "a") }, "1", 1},
		"everything":               {[]string{"ALL"}, func(h history) { h.begin("a", "b", "c"); h.event("CHANNEL_DESTROY", "b") }, "2", 2},
		"calls of before us": {both, func(h history) {
			h.up(esl.Up{First: true})
			h.event("CHANNEL_CREATE", "a")
			h.beat(7)
		}, "at least 1", 1},
		"no connection": {both, func(h history) {
			h.begin("a")
			h.hooks.Disconnected(eventLink, errors.New("cut"))
		}, "unknown without a connection", 1},
		"again, nothing missed": {both, func(h history) { h.begin("a", "b"); h.again(esl.Up{}) }, "2", 2},
		"again, some missed": {both, func(h history) {
			h.begin("a", "b", "c")
			h.again(esl.Up{MissedAtMost: 5})
			h.event("CHANNEL_ANSWER", "b")
		}, "at least 1, 2 more may have ended unseen", 3},
		"again, nobody knows what was missed": {both, func(h history) {
			h.begin("a")
			h.again(esl.Up{MissedUnknown: true})
		}, "at least 0, 1 more may have ended unseen", 1},
		"again, and all are still there": {both, func(h history) {
			h.begin("a", "b")
			h.again(esl.Up{MissedAtMost: 5})
			h.beat(2)
		}, "2", 2},
		"again, and none is there": {both, func(h history) {
			h.begin("a", "b")
			h.again(esl.Up{MissedAtMost: 5})
			h.beat(0)
		}, "0", 0},
		"restarted": {both, func(h history) {
			h.begin("a", "b")
			h.again(esl.Up{Restarted: true, MissedAtMost: 5})
			h.beat(0)
			h.event("CHANNEL_CREATE", "c")
		}, "1", 1},
		"events dropped": {both, func(h history) { h.begin("a"); h.hooks.Dropped("malformed", 1) },
			"at least 0, 1 more may have ended unseen", 1},
		"fewer than were followed": {both, func(h history) { h.begin("a", "b"); h.beat(1) },
			"at least 0, 2 more may have ended unseen", 2},
	} {
		t.Run(name, func(t *testing.T) {
			p := pictureAfter(t, observability.Consumer, func(obs *observability.Observability) {
				if tt.subscribed != nil {
					obs.ObserveSubscriptions(func() []string { return slices.Clone(tt.subscribed) })
				}
				tt.do(history{t, obs.Hooks()})
			})
			if got := p.value("calls"); got != tt.want || len(p.Calls) != tt.listed {
				t.Errorf("%q with %d listed, want %q with %d", got, len(p.Calls), tt.want, tt.listed)
			}
		})
	}
}

// An outbound server's calls are its sessions, in the direction that FreeSWITCH tells.
func TestCallsOfSessions(t *testing.T) {
	shown, release := make(chan struct{}), make(chan struct{})
	ended := make(chan error, 1)
	p := pictureAfter(t, observability.Outbound, func(obs *observability.Observability) {
		channel := event(t, "CHANNEL_DATA", "Unique-ID", call, "Call-Direction", "outbound")
		go func() {
			ended <- obs.Session(context.Background(), channel, "192.0.2.1:40000", func(context.Context) error {
				close(shown)
				<-release
				return nil
			})
		}()
		<-shown
		history{t, obs.Hooks()}.event("CHANNEL_ANSWER", call, "another-leg")
	})
	close(release)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if p.value("calls") != "1" || len(p.Calls) != 1 || p.Calls[0][1] != "outbound" || p.Calls[0][2] != "answered" {
		t.Errorf("%s: %v", p.value("calls"), p.Calls)
	}
}

// sessions runs n sessions at once, of calls that name gives, and returns what ends one and all.
func sessions(t *testing.T, obs *observability.Observability, n int, name func(i int) string) (end func()) {
	t.Helper()
	var shown, ended sync.WaitGroup
	release := make(chan struct{})
	for i := range n {
		channel := event(t, "CHANNEL_DATA", "Unique-ID", name(i), "Call-Direction", "inbound")
		shown.Add(1)
		ended.Go(func() {
			if err := obs.Session(context.Background(), channel, "192.0.2.1:40000", func(context.Context) error {
				shown.Done()
				<-release
				return nil
			}); err != nil {
				t.Error(err)
			}
		})
	}
	shown.Wait()
	return func() { close(release); ended.Wait() }
}

// A call that has gone on to a second session is there when the first one ends.
func TestSecondSessionOfACall(t *testing.T) {
	same := func(int) string { return call }
	var last func()
	p := pictureAfter(t, observability.Outbound, func(obs *observability.Observability) {
		first := sessions(t, obs, 1, same)
		last = sessions(t, obs, 1, same)
		first()
	})
	last()
	if p.value("calls") != "1" || len(p.Calls) != 1 {
		t.Errorf("%s: %v", p.value("calls"), p.Calls)
	}
}

// So many sessions that not each is followed are counted all the same, and that there are none again too.
func TestMoreSessionsThanFollowed(t *testing.T) {
	const many = 20_005
	for _, over := range []bool{false, true} {
		end, want := func() {}, "0"
		p := pictureAfter(t, observability.Outbound, func(obs *observability.Observability) {
			end = sessions(t, obs, many, strconv.Itoa)
			if over {
				end()
				return
			}
			want = strconv.Itoa(many)
		})
		if !over {
			end()
		}
		if got := p.value("calls"); got != want {
			t.Errorf("%q calls, want %s", got, want)
		}
	}
}
