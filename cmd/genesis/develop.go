package main

import (
	"context"
	"errors"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/genesis-esl/genesis"
	"github.com/genesis-esl/genesis/internal/launch"
)

// patientStop is the shutdown timeout of an outbound app that is restarted, unless one is set.
const patientStop = "1h"

// development is a child that is replaced by a new one after each change.
type development struct {
	*launcher
	files   []*os.File
	changes chan struct{}
	current *launch.Child
	running executable
	ended   <-chan struct{} // of current; nil once that is known
	leave   func()          // ends what stands in for an app that has ended
	leaving sync.WaitGroup  // old processes with calls in progress
}

// develop runs the app and a new one after each change that builds. An outbound app finishes its calls while the new one
// takes those that come; a consumer ends before the new one starts, so that no event is handled twice.
func (l *launcher) develop(ctx context.Context, bin executable, files []*os.File, signals <-chan os.Signal) error {
	if l.mode == outboundMode { // a restart is not to cut calls
		l.settings[genesis.EnvShutdownTimeout] = l.settings.or(genesis.EnvShutdownTimeout, patientStop)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	d := &development{launcher: l, files: files, changes: make(chan struct{}, 1), leave: func() {}}
	defer func() { d.leave() }()
	go func() {
		if err := l.watch(ctx, d.changed); err != nil {
			cancel(err)
		}
	}()
	defer d.leaving.Wait()
	if err := d.begin(bin); err != nil {
		return err
	}
	defer func() { d.running.discard() }()
	for {
		select {
		case sig := <-signals:
			d.current.Signal(sig)
			return d.stopped()
		case <-ctx.Done():
			d.current.Signal(syscall.SIGTERM)
			if err := context.Cause(ctx); err != context.Canceled {
				return err
			}
			return d.stopped()
		case <-d.ended:
			d.ended = nil
			code, _ := d.current.Wait() // why it ended is its own to tell
			l.log.Warn("the app has ended, a change starts it again", "exit_code", code)
			d.standIn()
		case <-d.changes:
			d.replace(ctx)
		}
	}
}

// standIn answers calls and probes that nobody else does.
func (d *development) standIn() {
	if d.mode != outboundMode {
		return
	}
	leave, err := standIn(d.files)
	if err != nil {
		d.log.Warn("calls and probes wait for the app", "error", err)
		return
	}
	d.leave = leave
}

// changed has the app be replaced, soon.
func (d *development) changed() {
	select {
	case d.changes <- struct{}{}:
	default: // one is pending
	}
}

// begin starts an app, which then is the current one.
func (d *development) begin(bin executable) error {
	child, err := d.start(bin.path, d.files)
	if err == nil {
		d.current, d.running, d.ended = child, bin, child.Done()
	} else {
		bin.discard()
	}
	return err
}

// replace has a new app take over, if it can be built and started.
func (d *development) replace(ctx context.Context) {
	next, err := d.executable(ctx)
	if err != nil {
		if ctx.Err() == nil { // else the stop has ended the build
			d.log.Error("keeping the app that runs", "error", err)
		}
		return
	}
	d.log.Info("changed, restarting the app", "path", d.path)
	old, oldBin := d.current, d.running
	if d.mode == consumerMode {
		old.Signal(syscall.SIGTERM)
		<-old.Done()
		d.ended = nil
		oldBin.discard()
	}
	if err := d.begin(next); err != nil {
		// Whoever builds an executable in place removes it first, or is writing it still.
		d.log.Error("the app does not start, waiting for the next change", "error", err)
		if errors.Is(err, syscall.ETXTBSY) { // nobody tells when it is no longer open for writing
			time.AfterFunc(busyAgain, d.changed)
		}
		return
	}
	d.leave()
	d.leave = func() {}
	if d.mode == outboundMode {
		old.Signal(syscall.SIGTERM)
		d.leaving.Go(func() {
			<-old.Done()
			oldBin.discard()
		})
	}
}

// busyAgain is how long to wait before an executable that is being written is tried again.
const busyAgain = time.Second

// stopped is exit for an app that was told to stop. How one ended that had done so before was told then: now it is us who
// stop on request.
func (d *development) stopped() error {
	closePorts(d.files)
	if d.mode == outboundMode { // the app before may have some, too
		timeout, _ := d.settings.lookup(genesis.EnvShutdownTimeout)
		d.log.Info("calls in progress are finished first, a second signal ends them at once", "timeout", timeout)
	}
	if d.ended == nil {
		return nil
	}
	return exit(d.current)
}
