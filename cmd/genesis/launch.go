package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/genesis-esl/genesis"
	"github.com/genesis-esl/genesis/internal/launch"
	"github.com/genesis-esl/genesis/internal/watch"
	"github.com/genesis-esl/genesis/observability"
	"github.com/genesis-esl/genesis/program"
)

const (
	consumerMode = observability.Consumer
	outboundMode = observability.Outbound
)

// patientBuild is how long a build may take before it is spoken of.
const patientBuild = 3 * time.Second

// launcher is one run of `genesis consumer` or `genesis outbound`.
type launcher struct {
	mode     observability.Mode
	dev      bool
	simulate bool
	path     string
	target   launch.Target
	args     []string
	settings settings
	log      *slog.Logger
	cleanup  []func()
}

// newLaunch reads [dev|run] [PATH [ARGUMENTS]].
func newLaunch(c *cli.Context, mode observability.Mode) (*launcher, error) {
	s := settingsOf(c)
	l := &launcher{mode: mode, simulate: c.Bool("simulate"), settings: s, log: s.logger()}
	l.settings[genesis.EnvMode] = string(mode)
	if l.simulate && mode == consumerMode {
		if err := aloneWithSimulator(c); err != nil {
			return nil, err
		}
	}
	words := c.Args().Slice()
	if len(words) > 0 && (words[0] == "dev" || words[0] == "run") {
		l.dev, words = words[0] == "dev", words[1:]
	}
	if len(words) == 0 {
		if l.dev {
			return nil, usageError("dev takes the PATH of an app to watch")
		}
		return l, nil
	}
	target, err := launch.Resolve(words[0])
	if err != nil {
		return nil, usageError("%v", err)
	}
	l.path, l.target, l.args = words[0], target, words[1:]
	return l, nil
}

func (l *launcher) close() {
	for _, f := range slices.Backward(l.cleanup) {
		f()
	}
}

// hosted tells whether PATH is run by package program.
func (l *launcher) hosted() bool { return l.target.Kind == launch.Foreign }

// serve runs an app in this process.
func (l *launcher) serve(ctx context.Context, app any) error {
	if l.simulate && l.mode == consumerMode {
		if err := l.simulateForConsumer(); err != nil {
			return err
		}
	}
	opts := []genesis.Option{genesis.Environ(l.settings.lookup), genesis.Name("", versionText()), genesis.Globals()}
	if l.simulate && l.mode == outboundMode {
		opts = append(opts, genesis.OnStart(func(s genesis.Started) {
			if err := l.simulateForOutbound(s.Outbound.String()); err != nil {
				l.log.Error("no simulator", "error", err)
			}
		}))
	}
	return genesis.RunContext(ctx, app, opts...)
}

// host runs a program, an app of ours around it.
func (l *launcher) host(ctx context.Context, app any) error {
	if !l.dev {
		return l.serve(ctx, app)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		if err := l.watch(ctx, func() { l.changed(ctx, app) }); err != nil {
			cancel(err)
		}
	}()
	err := l.serve(ctx, app)
	if cause := context.Cause(ctx); err == nil && cause != nil && !errors.Is(cause, context.Canceled) {
		err = cause
	}
	cancel(nil)
	<-watched
	return err
}

// watch calls changed after each change to PATH.
func (l *launcher) watch(ctx context.Context, changed func()) error {
	dir, opts := l.target.Watched(), []watch.Option{watch.Logger(l.log)}
	if dir != l.target.Path { // a file in it
		opts = append(opts, watch.Program(l.target.Path))
	}
	return watch.Dir(ctx, dir, changed, opts...)
}

// changed has a changed program take over: the connection stays up meanwhile.
func (l *launcher) changed(ctx context.Context, app any) {
	switch app := app.(type) {
	case *program.Consumer:
		l.log.Info("changed, restarting the program", "path", l.path)
		_ = app.Restart(ctx) // fails only when ctx has ended
	case *program.Outbound:
		l.log.Info("changed: new calls get the new program", "path", l.path)
	}
}

// executable is what to run for PATH.
type executable struct {
	path    string
	discard func() // to be called when it has ended; a second call does nothing
}

// executable builds PATH when it is source. The caller discards what it returns without an error.
func (l *launcher) executable(ctx context.Context) (executable, error) {
	if l.target.Kind != launch.Source {
		return executable{path: l.target.Path, discard: func() {}}, nil
	}
	dir, err := os.MkdirTemp("", "genesis-")
	if err != nil {
		return executable{}, err
	}
	discard := func() { _ = os.RemoveAll(dir) } // a temporary directory may stay behind
	// The first build of all takes long; nobody shall think that nothing happens.
	defer time.AfterFunc(patientBuild, func() { l.log.Info("building, the first time takes a while", "path", l.path) }).Stop()
	bin, err := l.target.Build(ctx, dir, os.Stderr)
	if errors.Is(err, launch.ErrBuild) {
		err = errors.New("building " + l.path + ": " + err.Error())
	}
	if err != nil {
		discard()
		return executable{}, err
	}
	return executable{bin, discard}, nil
}
