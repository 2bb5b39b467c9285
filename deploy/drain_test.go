package deploy_test

import (
	"context"
	"net"
	"net/http"
	"syscall"
	"testing"
	"time"
)

// TestDrain stops the real command: /ready turns 503 while the port still answers
// FreeSWITCH, until the drain delay is over.
func TestDrain(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := free.Addr().String()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	free.Close()
	r := startCommand(t, ctx, "outbound", "--port", port, "--drain-delay", "2s")
	l := &lab{t: t, ctx: ctx, url: r.url, client: http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
	ready := func(want int) func() []string {
		return func() []string {
			if code, body := l.get("/ready", ""); code != want {
				return []string{body}
			}
			return nil
		}
	}
	if missing := l.until(20*time.Second, ready(http.StatusOK)); missing != nil {
		t.Fatalf("not ready: %v", missing)
	}
	start := time.Now()
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if missing := l.until(time.Second, ready(http.StatusServiceUnavailable)); missing != nil {
		t.Errorf("/ready a second after SIGTERM: %v", missing)
	}
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Errorf("FreeSWITCH is turned away while draining: %v", err)
	} else {
		conn.Close()
	}
	if code, _ := l.get("/health", ""); code != http.StatusOK {
		t.Errorf("/health is %d while draining", code)
	}
	refused := l.until(10*time.Second, func() []string {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return nil
		}
		conn.Close()
		return []string{"the port still answers"}
	})
	if took := time.Since(start); refused != nil || took < 2*time.Second {
		t.Errorf("listening ended after %v: %v", took, refused)
	}
}
