package chaos_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/esl/esltest"
	"github.com/genesis-esl/genesis/observability"
	"github.com/genesis-esl/genesis/outbound"
)

// flood opens connections to addr, each of which writes what it is given, and leaves
// them open.
func flood(t *testing.T, addr string, n int, what string) {
	t.Helper()
	for range n {
		nc, err := net.DialTimeout("tcp", addr, patience)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { nc.Close() })
		_, _ = nc.Write([]byte(what)) // it may be closed already
	}
}

// drip writes to a connection a byte at a time until it is closed, and says when.
func drip(t *testing.T, addr, what string) <-chan struct{} {
	t.Helper()
	nc, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		t.Fatal(err)
	}
	closed, read := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(read)
		for buf := make([]byte, 512); ; {
			if _, err := nc.Read(buf); err != nil {
				return
			}
		}
	}()
	go func() {
		defer close(closed)
		defer nc.Close()
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for i := 0; ; i++ {
			if _, err := nc.Write([]byte{what[i%len(what)]}); err != nil {
				return
			}
			select {
			case <-read:
				return
			case <-tick.C:
			}
		}
	}()
	return closed
}

// TestOutboundUnderAttack: strangers that say nothing, too much, nonsense, or a byte
// at a time hold neither a session that exists nor a new call for longer than the
// handshake may take.
func TestOutboundUnderAttack(t *testing.T) {
	const handshake = 300 * time.Millisecond
	ended := make(chan error, 100)
	ask := make(chan struct{})
	answers := make(chan string, 100)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &outbound.Server{
		MaxSessions: 40, HandshakeTimeout: handshake, Logger: slog.New(slog.DiscardHandler),
		Handler: outbound.HandlerFunc(func(ctx context.Context, s *outbound.Session) error {
			err := s.Answer(ctx)
			for range ask {
				if err == nil {
					_, err = s.Execute(ctx, "set", "alive=true")
				}
				answers <- "alive"
				if err != nil {
					break
				}
			}
			ended <- err
			return err
		}),
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	fs := esltest.NewServer()
	t.Cleanup(func() {
		close(ask)
		srv.Close()
		<-served
		fs.Close()
	})
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	call := func() {
		t.Helper()
		if _, err := fs.Call(ctx, esltest.CallConfig{Outbound: l.Addr().String()}); err != nil {
			t.Fatal(err)
		}
	}
	call()
	ask <- struct{}{}
	receive(t, answers, "the session before the attack")

	flood(t, l.Addr().String(), 100, "")
	flood(t, l.Addr().String(), 20, "Content-Type: command/reply\nContent-Length: 10737418240\n\n")
	flood(t, l.Addr().String(), 20, "Content-Type: command/reply\nContent-Length: -1\n\n")
	flood(t, l.Addr().String(), 20, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"+strings.Repeat("x", 1<<16))
	slow := drip(t, l.Addr().String(), "Content-Type: command/reply\nX: y\n")
	ask <- struct{}{}
	receive(t, answers, "the session during the attack")
	receive(t, slow, "the end of the slow one")
	until(t, "a new call", func() bool {
		call()
		select {
		case ask <- struct{}{}:
			return receive(t, answers, "a session after the attack") == "alive"
		case <-time.After(20 * time.Millisecond):
			return false
		}
	})
	select {
	case err := <-ended:
		t.Errorf("a session ended: %v", err)
	default:
	}
}

// TestProbesUnderAttack: connections that never finish their request do not keep
// the probes from answering, and long headers are refused.
func TestProbesUnderAttack(t *testing.T) {
	o, err := observability.New(observability.Config{Mode: observability.Outbound, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- o.Serve(l) }()
	client := &http.Client{Transport: &http.Transport{}, Timeout: patience}
	t.Cleanup(func() {
		client.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		_ = o.Shutdown(ctx) // the attackers' connections outlast it
		if err := <-served; err != nil && !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	flood(t, l.Addr().String(), 200, "GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: ")
	flood(t, l.Addr().String(), 20, "")
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			began := time.Now()
			response, err := client.Get("http://" + l.Addr().String() + "/health")
			if err != nil {
				t.Error(err)
				return
			}
			response.Body.Close()
			if took := time.Since(began); response.StatusCode != http.StatusOK || took > 5*time.Second {
				t.Errorf("%s after %v", response.Status, took)
			}
		})
	}
	wg.Wait()
	request, err := http.NewRequest(http.MethodGet, "http://"+l.Addr().String()+"/health", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Long", strings.Repeat("x", 1<<20))
	response, err := client.Do(request)
	if err == nil {
		response.Body.Close()
		if response.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("a header of a megabyte: %s", response.Status)
		}
	}
}
