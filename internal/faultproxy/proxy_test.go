package faultproxy_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/genesis-esl/genesis/internal/faultproxy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo serves what it is sent.
func echo(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer nc.Close()
				_, _ = io.Copy(nc, nc) // ends with the test
			}()
		}
	}()
	return ln.Addr().String()
}

func through(t *testing.T) (*faultproxy.Proxy, func() *net.TCPConn) {
	t.Helper()
	p, err := faultproxy.New(echo(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p, func() *net.TCPConn {
		t.Helper()
		nc, err := net.Dial("tcp", p.Addr())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { nc.Close() })
		if err := nc.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		return nc.(*net.TCPConn)
	}
}

// say writes a line and reads it back.
func say(t *testing.T, nc net.Conn, line string) {
	t.Helper()
	if _, err := nc.Write([]byte(line + "\n")); err != nil {
		t.Fatal(err)
	}
	if got, err := bufio.NewReader(nc).ReadString('\n'); got != line+"\n" || err != nil {
		t.Fatalf("got %q, %v", got, err)
	}
}

func TestCut(t *testing.T) {
	for end, want := range map[faultproxy.End]error{faultproxy.FIN: io.EOF, faultproxy.RST: syscall.ECONNRESET} {
		p, dial := through(t)
		nc := dial()
		say(t, nc, "hello")
		if n := p.Cut(end); n != 1 {
			t.Errorf("%d cut", n)
		}
		if _, err := nc.Read(make([]byte, 1)); !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
}

func TestFreezeAndThaw(t *testing.T) {
	p, dial := through(t)
	nc := dial()
	say(t, nc, "hello")
	p.Freeze()
	late := dial()
	for _, nc := range []net.Conn{nc, late} {
		if _, err := nc.Write([]byte("held\n")); err != nil {
			t.Fatal(err)
		}
		_ = nc.SetReadDeadline(time.Now().Add(20 * time.Millisecond)) // Read tells
		if n, err := nc.Read(make([]byte, 1)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("got %d bytes, %v", n, err)
		}
		_ = nc.SetReadDeadline(time.Now().Add(10 * time.Second)) // Read tells
	}
	p.Thaw()
	for _, nc := range []net.Conn{nc, late} {
		if got, err := bufio.NewReader(nc).ReadString('\n'); got != "held\n" {
			t.Errorf("got %q, %v", got, err)
		}
	}
}

func TestCutAfterRefuseInjectSplitMerge(t *testing.T) {
	p, dial := through(t)
	p.Split(1)
	p.Merge(time.Millisecond)
	p.CutAfter(7)
	nc := dial()
	if _, err := nc.Write([]byte("a long line\n")); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(nc); string(got) != "a long " || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	p.CutAfter(0)
	p.Refuse(true)
	refused, err := net.Dial("tcp", p.Addr())
	if err == nil {
		_, err = refused.Read(make([]byte, 1))
		refused.Close()
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %v, want a reset", err)
	}
	p.Refuse(false)
	nc = dial()
	say(t, nc, "hello")
	p.Inject([]byte("\x00garbage\n"))
	if got, err := bufio.NewReader(nc).ReadString('\n'); got != "\x00garbage\n" {
		t.Errorf("got %q, %v", got, err)
	}
	if p.Made() != 3 || p.Connections() != 1 {
		t.Errorf("%d made, %d open", p.Made(), p.Connections())
	}
}
