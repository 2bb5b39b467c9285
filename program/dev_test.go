package program_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/internal/watch"
	"github.com/genesis-esl/genesis/program"
)

// scripted puts a shell script in place of a program that records, and returns what saves a new version of it.
func scripted(t *testing.T, p *program.Consumer, file string) (save func(version int)) {
	t.Helper()
	binary, script := p.Path, filepath.Join(t.TempDir(), "app.sh")
	save = func(version int) {
		text := fmt.Sprintf("#!/bin/sh\n# version %d\nexec %q act record %q\n", version, binary, file)
		if err := os.WriteFile(script+".new", []byte(text), 0o700); err != nil {
			t.Error(err)
		}
		if err := os.Rename(script+".new", script); err != nil {
			t.Error(err)
		}
	}
	save(0)
	p.Path, p.Args = script, nil
	return save
}

// saveTimes saves so many versions, each when the one before has been started.
func saveTimes(t *testing.T, saves int, save func(version int), starts func() int64) {
	// Until the watch is set up a save goes unseen.
	again := time.NewTicker(2 * watch.Settle)
	defer again.Stop()
	for starts() < 2 {
		save(0)
		<-again.C
	}
	for n := range saves {
		before := starts()
		save(n + 1)
		eventually(t, "a restart", func() bool { return starts() > before })
	}
}

// TestSavesUnderLoad saves the program's file 20 times while events pour in: every
// event is handled once, by the old process or the new one.
func TestSavesUnderLoad(t *testing.T) {
	const saves = 20
	file := journal(t)
	p := actor(t, "record", file)
	save := scripted(t, p, file)
	var starts atomic.Int64
	p.OnRunning = func(on bool) {
		if on {
			starts.Add(1)
		}
	}
	fed := 0
	host(t, p, func(ctx context.Context, h esl.Handler) error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		watched := make(chan error, 1)
		go func() {
			watched <- watch.Dir(ctx, filepath.Dir(p.Path), func() {
				if err := p.Restart(ctx); err != nil && ctx.Err() == nil {
					t.Error(err)
				}
			})
		}()
		saved := make(chan struct{})
		go func() {
			defer close(saved)
			saveTimes(t, saves, save, starts.Load)
		}()
		pace := time.NewTicker(time.Millisecond)
		defer pace.Stop()
		for fed = 1; ; fed++ {
			h.HandleEvent(ctx, event("DTMF", callName(fed%100), fed))
			if fed%20 != 0 {
				continue
			}
			select {
			case <-pace.C:
			case <-saved:
				cancel()
				return <-watched
			}
		}
	})
	checkOnce(t, entries(t, file), fed)
	if starts.Load() < saves+1 {
		t.Errorf("%d starts", starts.Load())
	}
	t.Logf("%d events over %d starts", fed, starts.Load())
}
