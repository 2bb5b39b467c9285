package outbound_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/internal/recording"
	"github.com/genesis-esl/genesis/outbound"
)

// recorded is what FreeSWITCH sent in recording h1_async_full.
func recorded(t testing.TB) string {
	t.Helper()
	b, err := recording.Read("../testdata/transcripts/h1_async_full.bin.gz")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// peer is a FreeSWITCH that knows one call by heart, and takes no memory.
type peer struct {
	t  testing.TB
	nc net.Conn
	r  *bufio.Reader
}

// serving has srv serve until the test ends, and returns where.
func serving(t testing.TB, srv *outbound.Server) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
		if err := <-served; !errors.Is(err, outbound.ErrServerClosed) {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// called is a peer that has called srv, which serves until the test ends.
func called(t testing.TB, srv *outbound.Server) *peer {
	t.Helper()
	nc, err := net.Dial("tcp", serving(t, srv))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	if err := nc.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return &peer{t: t, nc: nc, r: bufio.NewReader(nc)}
}

// message reads one command.
func (p *peer) message() (message string) {
	for range 20 {
		line, err := p.r.ReadString('\n')
		if err != nil {
			p.t.Fatal(err)
		}
		if message += line; line == "\n" {
			break
		}
	}
	return message
}

func (p *peer) say(s string) {
	if _, err := io.WriteString(p.nc, s); err != nil {
		p.t.Fatal(err)
	}
}

const ok = "Content-Type: command/reply\nReply-Text: +OK\n\n"

// answered plays the recording up to the answer.
func (p *peer) answered(recording string) {
	const connected, answering, answered = 3580, 3809, 11878 // offsets in h1_async_full.txt
	p.message()
	p.say(recording[:connected])
	for range 4 { // two filters, linger, event
		p.message()
		p.say(ok)
	}
	_, id, _ := strings.Cut(p.message(), "Event-UUID: ")
	p.say(ok + strings.ReplaceAll(recording[answering:answered], "d77f456d-3247-4748-a127-79428fe02bcd", id[:36]))
}

// TestMemoryOfSessions holds a session to what ten thousand of them may cost: less
// than 400 MB together, with what the garbage collector takes on top.
func TestMemoryOfSessions(t *testing.T) {
	const sessions, limit = 500, 48 << 10
	recording := recorded(t)
	ready := make(chan struct{}, sessions)
	srv := &outbound.Server{
		Logger: slog.New(slog.DiscardHandler),
		Handler: outbound.HandlerFunc(func(ctx context.Context, s *outbound.Session) error {
			if err := s.Answer(ctx); err != nil {
				return err
			}
			ready <- struct{}{}
			<-ctx.Done()
			return nil
		}),
	}
	addr := serving(t, srv)
	before := used()
	for range sessions {
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = nc.Close() }()
		p := &peer{t: t, nc: nc, r: bufio.NewReaderSize(nc, 256)}
		p.answered(recording)
		<-ready
	}
	each := (used() - before) / sessions
	t.Logf("%d bytes a session", each)
	if each > limit {
		t.Errorf("%d bytes a session, more than %d", each, limit)
	}
}

// used is the memory in use once the garbage is gone.
func used() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}
