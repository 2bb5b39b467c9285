package main

import (
	"fmt"
	"io"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal opens a pseudo-terminal: what is written to it, and where to read that.
func terminal(t *testing.T) (screen io.Reader, terminal *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = slave.Close() })
	return master, slave
}

// On a terminal events are for people, unless --json or its variable asks for JSON lines.
func TestEventsOnATerminal(t *testing.T) {
	sim := startGenesis(t, "simulate", "--port", "0", "--replay", everything)
	at := port(sim.stderr.match(t, `address=(\S+)`))
	for _, c := range []struct{ format, flag, want string }{
		{"", "--json=false", "CHANNEL_CREATE +[^\"]*\r\n"},
		{"", "--json", `"Event-Name":"CHANNEL_CREATE"`},
		{"json", "--loglevel=info", `"Event-Name":"CHANNEL_CREATE"`},
		{"json", "--json=false", "CHANNEL_CREATE +[^\"]*\r\n"},
	} {
		t.Setenv("GENESIS_LOG_FORMAT", c.format)
		screen, stdout := terminal(t)
		shown := newStream()
		go func() { _, _ = io.Copy(shown, screen) }() // ends with the terminal
		app := startGenesisOn(t, stdout, "consumer", "--port", at, "--event", "CHANNEL_CREATE", c.flag)
		shown.match(t, c.want)
		app.stop()
	}
	sim.stop()
}
