package main

import (
	"context"
	"net"
	"path"
	"testing"
	"time"

	"github.com/genesis-esl/genesis"
	"github.com/genesis-esl/genesis/esl/esltest"
)

func TestVoicemail(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	app, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	dir := t.TempDir()
	go func() {
		ended <- genesis.RunContext(app, &voicemail{dir: dir}, genesis.Listener(l), genesis.NoObservability())
	}()
	fs := esltest.NewUnstartedServer(esltest.Config{Pace: 500})
	if err := fs.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		fs.Close()
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()

	c, err := fs.Call(ctx, esltest.CallConfig{To: "voicemail", Outbound: l.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	for _, choice := range []string{"3", "2", "1"} { // speak again, hear it, keep it
		if err := c.WaitApp(ctx, "play_and_get_digits"); err != nil {
			t.Fatal(err)
		}
		c.Press(choice)
		if _, err := c.Wait(ctx, func(s esltest.State) bool { return s.App != "play_and_get_digits" || s.HungUp }); err != nil {
			t.Fatal(err)
		}
	}
	if cause, err := c.WaitHangup(ctx); err != nil || cause != "NORMAL_CLEARING" {
		t.Errorf("ended with %s, %v", cause, err)
	}
	file, records, heard := path.Join(dir, c.UUID()+".wav"), 0, 0
	for _, did := range c.Executed() {
		switch {
		case did.App == "record" && did.Data == file+" 120 200 5":
			records++
		case did.App == "playback" && did.Data == file:
			heard++
		}
	}
	if records != 2 || heard != 1 {
		t.Errorf("recorded %d times, heard %d times: %v", records, heard, c.Executed())
	}
}
