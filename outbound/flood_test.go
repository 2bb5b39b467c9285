package outbound_test

import (
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/outbound"
)

// TestFloodBeforeTheAnswer: a peer that sends events instead of answering connect is cut off, before it takes much memory.
func TestFloodBeforeTheAnswer(t *testing.T) {
	small := string(esl.AppendEvent(nil, esl.Plain, []esl.Header{{Name: "Event-Name", Value: "HEARTBEAT"}}, ""))
	large := string(esl.AppendEvent(nil, esl.Plain, []esl.Header{{Name: "Event-Name", Value: "API"}}, strings.Repeat("x", 256<<10)))
	for name, flood := range map[string]string{"many": strings.Repeat(small, 200), "large": strings.Repeat(large, 5)} {
		t.Run(name, func(t *testing.T) {
			rejected := make(chan outbound.Reason, 1)
			srv := &outbound.Server{
				Logger:       slog.New(slog.DiscardHandler),
				Handler:      outbound.HandlerFunc(nil),
				SessionHooks: &outbound.Hooks{Rejected: func(_ net.Addr, r outbound.Reason) { rejected <- r }},
			}
			p := called(t, srv)
			p.message()
			_, _ = p.nc.Write([]byte(flood)) // an error says that we are cut off
			select {
			case reason := <-rejected: // long before HandshakeTimeout
				if reason != outbound.Handshake {
					t.Errorf("rejected: %s", reason)
				}
			case <-time.After(patience / 2):
				t.Error("nobody minds")
			}
		})
	}
}
