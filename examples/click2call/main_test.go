package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/genesis-esl/genesis"
	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/esl/esltest"
)

// start runs the app with a simulated FreeSWITCH until the test ends, and returns where its pages are.
func start(t *testing.T, ctx context.Context) (fs *esltest.Server, url string) {
	t.Helper()
	fs = esltest.NewUnstartedServer(esltest.Config{Endpoints: []esltest.Endpoint{
		{Match: "user/busy", Cause: "USER_BUSY"}, {Match: "user/never", Answer: -1}, {Match: "user/"},
	}})
	if err := fs.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fs.Close)
	app, ctl := newApp()
	up, ended := make(chan struct{}, 1), make(chan error, 1)
	app.OnUp(func(context.Context, esl.Up) { up <- struct{}{} })
	running, stop := context.WithCancel(ctx)
	go func() {
		ended <- genesis.RunContext(running, app, genesis.FreeSWITCH(fs.Addr(), fs.Password()), genesis.NoObservability(),
			genesis.Client(ctl.Join))
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	select {
	case <-up:
	case <-ctx.Done():
		t.Fatal("not connected")
	}
	web := httptest.NewServer(routes(ctl))
	t.Cleanup(web.Close)
	return fs, web.URL
}

func post(ctx context.Context, url string) (status int, body string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, nil)
	if err != nil {
		return 0, "", err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return res.StatusCode, string(text), err
}

func TestClick2Call(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	fs, url := start(t, ctx)
	for _, tt := range []struct {
		query  string
		status int
		says   string
	}{
		{"from=1000&to=1001", 200, `"from":"`},
		{"from=busy&to=1001", 409, "USER_BUSY"},
		{"from=1000&to=busy", 409, "USER_BUSY"},
		{"from=1000,user/666&to=1001", 400, "error"},
		{"from=1000&to=1%0A%0Aapi%20status", 400, "line break"},
	} {
		if status, body, err := post(ctx, url+"/call?"+tt.query); err != nil || status != tt.status || !strings.Contains(body, tt.says) {
			t.Errorf("%s: %d %s, %v; want %d with %s", tt.query, status, body, err, tt.status, tt.says)
		}
	}
	talking := 0
	for _, leg := range fs.Legs() {
		if s := leg.State(); !s.HungUp && s.BridgedTo != "" {
			talking++
		}
	}
	if talking != 2 {
		t.Errorf("%d legs are in conversation, want 2", talking)
	}
}

// TestFirstHangsUp has the first hang up while the second rings.
func TestFirstHangsUp(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // less than the second may ring
	defer cancel()
	fs, url := start(t, ctx)
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		status, body, err := post(ctx, url+"/call?from=1000&to=never")
		if err != nil || status != http.StatusConflict || !strings.Contains(body, "hung up: NO_USER_RESPONSE") {
			t.Errorf("%d %s, %v", status, body, err)
		}
	}()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for len(fs.Legs()) < 2 && ctx.Err() == nil {
		<-tick.C
	}
	for _, leg := range fs.Legs() {
		if leg.State().Answered {
			leg.Hangup("NO_USER_RESPONSE")
		}
	}
	<-answered
	for _, leg := range fs.Legs() {
		if cause, err := leg.WaitHangup(ctx); err != nil {
			t.Errorf("somebody is still called: %v, %s", err, cause)
		}
	}
}
