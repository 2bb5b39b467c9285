package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"testing"
	"time"

	"github.com/genesis-esl/genesis"
	"github.com/genesis-esl/genesis/call"
	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/esl/esltest"
)

func TestRecords(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	fs := esltest.NewServer()
	defer fs.Close()
	r, w := io.Pipe()
	app, stop := context.WithCancel(ctx)
	up, ended := make(chan struct{}, 1), make(chan error, 1)
	cdr := newApp(w)
	cdr.OnUp(func(context.Context, esl.Up) { up <- struct{}{} })
	go func() {
		ended <- genesis.RunContext(app, cdr, genesis.FreeSWITCH(fs.Addr(), fs.Password()), genesis.NoObservability())
	}()
	defer func() {
		stop()
		_ = r.Close()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	select {
	case <-up:
	case <-ctx.Done():
		t.Fatal("not connected")
	}

	lines := bufio.NewScanner(r)
	for _, tt := range []struct {
		to       string
		answered bool
		cause    call.Cause
		q850     int
	}{{"9196", true, call.NormalClearing, 16}, {"3001", false, call.UserBusy, 17}} {
		c, err := fs.Call(ctx, esltest.CallConfig{From: "4930123", To: tt.to})
		if err != nil {
			t.Fatal(err)
		}
		if tt.answered {
			if err := c.WaitAnswered(ctx); err != nil {
				t.Fatal(err)
			}
			c.Hangup("NORMAL_CLEARING")
		}
		if !lines.Scan() {
			t.Fatal("no record", lines.Err())
		}
		var got record
		if err := json.Unmarshal(lines.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if got.Call != c.UUID() || got.From != "4930123" || got.To != tt.to || got.Cause != tt.cause || got.Q850 != tt.q850 {
			t.Errorf("got %s", lines.Text())
		}
		if (got.Answered != nil) != tt.answered || got.Ended.Before(got.Started) {
			t.Errorf("times: %s", lines.Text())
		}
	}
}
