package esl_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/esl/esltest"
	"github.com/genesis-esl/genesis/internal/faultproxy"
)

// TestHalfOpen: nothing arrives and nothing ends; the silence is noticed, on the
// event connection and on the one for commands.
func TestHalfOpen(t *testing.T) {
	srv := simulated(t, esltest.Config{Heartbeat: 10 * time.Millisecond})
	proxy := through(t, srv.Addr())
	s := serve(t, esl.ClientConfig{Addr: proxy.Addr(), IdleTimeout: 100 * time.Millisecond, DialTimeout: 100 * time.Millisecond})
	receive(t, s.ups, "the first Up")
	if _, err := s.API(within(t), "status"); err != nil {
		t.Fatal(err)
	}
	proxy.Freeze()
	pending := start(func() (string, error) { return s.BgAPI(within(t), "status") })
	if err := receive(t, s.downs, "OnDown"); !errors.Is(err, esl.ErrIdle) {
		t.Errorf("down with %v, want ErrIdle", err)
	}
	if got := receive(t, pending, "the command"); !errors.Is(got.err, esl.ErrDisconnected) {
		t.Errorf("the command got %q, %v", got.value, got.err)
	}
	proxy.Cut(faultproxy.FIN)
	proxy.Thaw()
	receive(t, s.ups, "Up")
	if got, err := s.BgAPI(within(t), "eval back"); err != nil || strings.TrimSpace(got) != "back" {
		t.Errorf("got %q, %v", got, err)
	}
}

// freeze has nothing arrive any more, with an api command under way, and waits until the silence of the events is noticed.
func (s *served) freeze(t *testing.T, proxy *faultproxy.Proxy) (pending <-chan outcome[string]) {
	t.Helper()
	if _, err := s.API(within(t), "status"); err != nil {
		t.Fatal(err)
	}
	proxy.Freeze()
	pending = start(func() (string, error) { return s.API(within(t), "status") })
	receive(t, s.downs, "OnDown")
	return pending
}

// TestHalfOpenDuringAPI: the patience with an api command ends when the events were silent for as long.
func TestHalfOpenDuringAPI(t *testing.T) {
	const idle = 500 * time.Millisecond
	srv := simulated(t, esltest.Config{Heartbeat: 10 * time.Millisecond})
	proxy := through(t, srv.Addr())
	s := serve(t, esl.ClientConfig{Addr: proxy.Addr(), IdleTimeout: idle})
	receive(t, s.ups, "the first Up")
	pending := s.freeze(t, proxy)
	down := time.Now()
	checkLost(t, receive(t, pending, "the command").err, true)
	if late := time.Since(down); late > idle {
		t.Errorf("the command connection ended %v after that of events", late)
	}
	proxy.Cut(faultproxy.FIN)
	proxy.Thaw()
	if got, err := s.API(within(t), "eval back"); err != nil || got != "back" {
		t.Errorf("got %q, %v", got, err)
	}
}

// TestHalfOpenForARestrictedUser: a command connection whose user may not have the results of jobs has heartbeats all the
// same, by which its silence is noticed.
func TestHalfOpenForARestrictedUser(t *testing.T) {
	srv := simulated(t, esltest.Config{
		Heartbeat: 10 * time.Millisecond,
		Users:     []esltest.User{{Name: "u@d", Password: "p", Events: []string{"HEARTBEAT"}}},
	})
	proxy := through(t, srv.Addr())
	s := serve(t, esl.ClientConfig{Addr: proxy.Addr(), User: "u@d", Password: "p", IdleTimeout: 200 * time.Millisecond})
	receive(t, s.ups, "the first Up")
	pending := s.freeze(t, proxy)
	checkLost(t, receive(t, pending, "the command").err, true)
	proxy.Cut(faultproxy.FIN)
	proxy.Thaw()
}
