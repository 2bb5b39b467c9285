package outbound_test

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"

	"github.com/genesis-esl/genesis/call"
	"github.com/genesis-esl/genesis/outbound"
)

// BenchmarkServer is what a call costs this side alone: connect, answer, hangup, with
// a peer that plays recording h1_async_full.
func BenchmarkServer(b *testing.B) {
	recording := recorded(b)
	const hangup, hungUp = 27072, 29954 // CHANNEL_HANGUP, offsets in h1_async_full.txt
	srv := &outbound.Server{
		Logger: slog.New(slog.DiscardHandler),
		Handler: outbound.HandlerFunc(func(ctx context.Context, s *outbound.Session) error {
			if err := s.Answer(ctx); err != nil {
				return err
			}
			return s.Hangup(ctx, call.NormalClearing)
		}),
	}
	addr := serving(b, srv)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		r := bufio.NewReaderSize(strings.NewReader(""), 1024)
		for pb.Next() {
			nc, err := net.Dial("tcp", addr)
			if err != nil {
				b.Error(err)
				return
			}
			r.Reset(nc)
			p := &peer{t: b, nc: nc, r: r}
			p.answered(recording)
			p.message()
			p.say("Content-Type: api/response\nContent-Length: 4\n\n+OK\n" + recording[hangup:hungUp])
			_, _ = io.Copy(io.Discard, nc) // until the server closes
			_ = nc.Close()
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}
