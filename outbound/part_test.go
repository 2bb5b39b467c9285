package outbound_test

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/outbound"
)

// TestPartsWithoutReset has FreeSWITCH tell of the hangup while our side is closed already: it sees an end, no reset.
// A FreeSWITCH that never closes its side does not keep the session.
func TestPartsWithoutReset(t *testing.T) {
	recording := recorded(t)
	const hangup, hungUp = 27072, 29954 // CHANNEL_HANGUP, offsets in h1_async_full.txt
	for name, closes := range map[string]bool{"closes": true, "stays": false} {
		t.Run(name, func(t *testing.T) {
			ended := make(chan error, 1)
			srv := &outbound.Server{
				Logger:  slog.New(slog.DiscardHandler),
				Handler: outbound.HandlerFunc(func(ctx context.Context, s *outbound.Session) error { return s.Answer(ctx) }),
				SessionHooks: &outbound.Hooks{
					SessionEnd: func(_ *outbound.Session, _ time.Duration, err error) { ended <- err },
				},
			}
			p := called(t, srv)
			p.answered(recording)
			p.message()
			p.say("Content-Type: api/response\nContent-Length: 4\n\n+OK\n" + recording[hangup:hungUp])
			for range 2 {
				if _, err := io.Copy(io.Discard, p.r); err != nil {
					t.Errorf("the connection ended with %v", err)
				}
				p.say(recording[hangup:hungUp]) // and more, as to all who listen
			}
			if closes {
				_ = p.nc.Close()
			}
			select {
			case err := <-ended:
				if err != nil {
					t.Errorf("the session ended with %v", err)
				}
			case <-time.After(patience):
				t.Fatal("the session does not end")
			}
		})
	}
}
