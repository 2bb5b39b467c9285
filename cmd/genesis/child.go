package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/genesis-esl/genesis"
	"github.com/genesis-esl/genesis/internal/launch"
	"github.com/genesis-esl/genesis/internal/ports"
)

// child runs an app built on this library as a process of its own, which connects by itself. Our settings reach it as
// variables, our signals are passed on, and its exit code becomes ours.
func (l *launcher) child(ctx context.Context) error {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	hangup := make(chan os.Signal, 1)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(hangup, syscall.SIGHUP)
		defer signal.Stop(hangup)
	}
	bin, err := l.executable(ctx)
	if err == nil {
		defer bin.discard()
	}
	if ctx.Err() != nil {
		return nil // stopped on request, before there was anything to stop
	}
	if err != nil {
		return err
	}
	files, err := l.handDown()
	if err != nil {
		return err
	}
	switch {
	case l.simulate && l.mode == consumerMode:
		if err := l.simulateForConsumer(); err != nil {
			return err
		}
	case l.simulate:
		if err := l.simulateForOutbound(l.settings.address(genesis.EnvAppHost, genesis.EnvAppPort)); err != nil {
			return err
		}
	}
	if l.dev {
		return l.develop(ctx, bin, files, signals)
	}
	child, err := l.start(bin.path, files)
	if err != nil {
		return err
	}
	closePorts(files)
	for {
		select {
		case sig := <-signals:
			child.Signal(sig)
		case <-hangup: // of our terminal, which is not the app's; it may come several times
			child.Signal(syscall.SIGTERM)
			hangup = nil
		case <-child.Done():
			return exit(child)
		}
	}
}

func (l *launcher) start(bin string, files []*os.File) (*launch.Child, error) {
	return launch.Start(launch.Command{Path: bin, Args: l.args, Env: l.settings.environ(), Files: files})
}

// closePorts leaves the ports to the app that has them: once it takes no more calls, nor does anybody, and a call is
// refused. Else it would hang until the last one in progress has ended.
func closePorts(files []*os.File) {
	for _, file := range files {
		_ = file.Close() // once more on the way out
	}
}

func exit(child *launch.Child) error {
	code, err := child.Wait()
	if err == nil && code != genesis.ExitOK {
		err = exitCode(code)
	}
	return err
}

// handDown opens the ports of an outbound app that will be restarted, or whose port somebody else has to know, so that
// all its processes share them.
func (l *launcher) handDown() ([]*os.File, error) {
	if l.mode != outboundMode || !l.dev && !l.simulate {
		return nil, nil
	}
	var files []*os.File
	for i, port := range []struct{ whom, host, port, standardHost, standardPort, fd string }{
		{"FreeSWITCH", genesis.EnvAppHost, genesis.EnvAppPort, "127.0.0.1", "9000", genesis.EnvListenerFD},
		{"probes", genesis.EnvObservabilityHost, genesis.EnvObservabilityPort, "", "8000", genesis.EnvObservabilityFD},
	} {
		number := l.settings.or(port.port, port.standardPort)
		if err := ports.Check(number, 0); err != nil {
			return nil, &genesis.ConfigError{Name: port.port, Value: number, Err: err}
		}
		addr := net.JoinHostPort(l.settings.or(port.host, port.standardHost), number)
		listener, err := ports.Listen(addr, port.whom, port.host, port.port)
		if errors.Is(err, ports.ErrAddress) {
			err = &genesis.ConfigError{Name: port.host, Value: addr, Err: err}
		}
		if err != nil {
			return nil, err
		}
		file, err := listener.(*net.TCPListener).File()
		_ = listener.Close() // the port stays open: the file is a copy
		if err != nil {
			return nil, err
		}
		l.cleanup = append(l.cleanup, func() { _ = file.Close() }) // on the way out
		host, number, err := net.SplitHostPort(listener.Addr().String())
		if err != nil {
			return nil, err
		}
		l.settings[port.host], l.settings[port.port] = host, number
		l.settings[port.fd] = fmt.Sprint(3 + i)
		files = append(files, file)
	}
	return files, nil
}
