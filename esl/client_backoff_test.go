package esl_test

import (
	"testing"
	"time"

	"github.com/genesis-esl/genesis/esl"
)

// TestConnectionsThatDieAtOnce are dialled more and more slowly, however well each of them
// came up; one that lasted is dialled again at once.
func TestConnectionsThatDieAtOnce(t *testing.T) {
	const shortest, longest = time.Microsecond, 200 * time.Millisecond
	l := listen(t)
	waits := make(chan time.Duration, 100)
	s := serve(t, esl.ClientConfig{
		Addr:    l.Addr().String(),
		Backoff: esl.Backoff{Min: shortest, Max: longest},
		Hooks:   &esl.Hooks{Retry: func(wait time.Duration, _ error) { waits <- wait }},
	})
	lose := func(after time.Duration) time.Duration {
		t.Helper()
		far := accept(t, l)
		far.enter()
		receive(t, s.ups, "Up")
		age := time.NewTimer(after)
		defer age.Stop()
		<-age.C
		far.fin()
		return receive(t, waits, "the wait before the next attempt")
	}
	if wait := lose(0); wait > 2*shortest {
		t.Errorf("after the first loss %v, want %v at most", wait, 2*shortest)
	}
	grown := time.Duration(0)
	for range 14 {
		grown = max(grown, lose(0))
	}
	if grown <= 2*shortest { // 14 random times up to 4, 8, 16 … µs
		t.Errorf("after the last of 15 losses %v at most, want more", grown)
	}
	if wait := lose(2 * longest); wait > shortest {
		t.Errorf("after the loss of a connection that lasted %v, want %v at most", wait, shortest)
	}
}
