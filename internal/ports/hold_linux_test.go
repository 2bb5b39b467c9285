package ports

import (
	"errors"
	"net"
	"syscall"
	"testing"
)

// TestHold: nobody calls from a held port, and who names it listens on it, again and again.
func TestHold(t *testing.T) {
	addr, release := Hold("127.0.0.1:0")
	elsewhere, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer elsewhere.Close()
	local, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	call := func() error {
		conn, err := (&net.Dialer{LocalAddr: local}).Dial("tcp", elsewhere.Addr().String())
		if err == nil {
			conn.Close()
		}
		return err
	}
	for range 3 {
		if err := call(); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("a call from the held port: %v", err)
		}
		l, err := net.Listen("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if again, _ := Hold(addr); again != addr {
			t.Errorf("held %s as %s", addr, again)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	release()
	if err := call(); err != nil {
		t.Errorf("a call from the released port: %v", err)
	}
}

// TestHoldOfWhatCannotBe: it is left to who listens to say what is wrong.
func TestHoldOfWhatCannotBe(t *testing.T) {
	for _, addr := range []string{"", ":0", "[::1]:0", "192.0.2.1:80", "127.0.0.1:http?"} {
		held, release := Hold(addr)
		release()
		if held != addr {
			t.Errorf("held %q as %q", addr, held)
		}
	}
}
