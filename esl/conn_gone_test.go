//go:build unix

package esl_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/genesis-esl/genesis/esl"
)

// TestWritingEndsFirst: a command that finds the peer gone takes nothing with it that has arrived.
func TestWritingEndsFirst(t *testing.T) {
	const events = 2000
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "socket")) // which tells the writer at once
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	nc, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	var j journal
	stalled := make(chan bool, 2*events)
	c := esl.NewConn(nc, esl.ConnConfig{
		Queue: esl.QueueLimits{Events: 10},
		Hooks: &esl.Hooks{Stalled: func(full bool) { stalled <- full }, Dropped: j.hooks().Dropped},
	})
	defer c.Close()
	_, err = far.Write(bytes.Repeat(event("DTMF"), events))
	if err := errors.Join(err, far.Close()); err != nil {
		t.Fatal(err)
	}
	receive(t, stalled, "the stall")
	command := start(func() (*esl.Reply, error) { return c.Send(within(t), esl.Line("exit")) })
	if got := readNames(t, c, events); strings.Count(got, "DTMF") != events {
		t.Errorf("got %s", got)
	}
	got := receive(t, command, "the command")
	checkLost(t, got.err, false)
	if err := ended(t, c); !errors.Is(err, io.EOF) {
		t.Errorf("ended with %v, want io.EOF", err)
	}
	if got := j.String(); got != "" {
		t.Errorf("got %q, want nothing dropped", got)
	}
}
