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

func TestHold(t *testing.T) {
	p, dial := through(t)
	for _, n := range []int{0, 3} {
		p.Hold(n)
		nc := dial()
		if _, err := nc.Write([]byte("held\n")); err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			if _, err := io.ReadFull(nc, make([]byte, n)); err != nil {
				t.Fatal(err)
			}
		}
		_ = nc.SetReadDeadline(time.Now().Add(20 * time.Millisecond)) // Read tells
		if n, err := nc.Read(make([]byte, 1)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("got %d bytes, %v", n, err)
		}
		if held := p.Held(); held != 1 {
			t.Errorf("%d held", held)
		}
		p.Release()
		_ = nc.SetReadDeadline(time.Now().Add(10 * time.Second)) // Read tells
		if got, err := bufio.NewReader(nc).ReadString('\n'); got != "held\n"[n:] {
			t.Errorf("got %q, %v", got, err)
		}
		if held := p.Held(); held != 0 {
			t.Errorf("%d held after Release", held)
		}
	}
}

// TestJump: times change, by the whole range of their digits, and nothing else does.
func TestJump(t *testing.T) {
	p, dial := through(t)
	p.Jump(true)
	p.Split(5)
	nc := dial()
	r := bufio.NewReader(nc)
	seen := map[string]bool{}
	for range 10 {
		const before, after = "Event-Date-Event-Date-Timestamp: 1795", "9637301087 1795239637301087\n"
		if _, err := nc.Write([]byte(before + "23" + after)); err != nil {
			t.Fatal(err)
		}
		got, err := r.ReadString('\n')
		if err != nil || len(got) != len(before)+2+len(after) || got[:len(before)] != before || got[len(before)+2:] != after {
			t.Fatalf("got %q, %v", got, err)
		}
		seen[got[len(before):len(before)+2]] = true
	}
	if len(seen) < 5 {
		t.Errorf("the clock shows %v", seen)
	}
}

// TestReversed: what is done to a victim is done to the target.
func TestReversed(t *testing.T) {
	target, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	p, err := faultproxy.NewReversed(target.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	p.CutAfter(12)
	from, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	to, err := target.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	say := func(from, to net.Conn, text string) {
		t.Helper()
		if _, err := from.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(text))
		if _, err := io.ReadFull(to, got); string(got) != text {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	say(from, to, "hello")
	say(to, from, "a line that is longer than twelve")
	p.Inject([]byte("x"))
	if got, err := to.Read(make([]byte, 1)); got != 1 || err != nil {
		t.Errorf("%d injected, %v", got, err)
	}
	if _, err := from.Write([]byte("what is cut")); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(to); string(got) != "what is" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}
