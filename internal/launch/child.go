package launch

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"sync/atomic"
	"syscall"
)

// Child is a started executable in a process group of its own, so that a Ctrl-C at the terminal reaches it once, through
// us, and not twice.
type Child struct {
	cmd    *exec.Cmd
	passed atomic.Value // the last signal that was passed on
	done   chan struct{}
	code   int
	err    error
}

// Command says what to start.
type Command struct {
	Path string
	Args []string
	// Env is the whole environment, as os.Environ gives it.
	Env []string
	// Files are passed on from file descriptor 3; they can be closed once the child has started.
	Files []*os.File
	// Stdout and Stderr are nil for our own.
	Stdout, Stderr *os.File
}

// Start starts a child. It ends with us: where the system can, it is told to stop when we are killed.
func Start(c Command) (*Child, error) {
	cmd := exec.Command(c.Path, c.Args...)
	cmd.Env = c.Env
	cmd.ExtraFiles = c.Files
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if c.Stdout != nil {
		cmd.Stdout = c.Stdout
	}
	if c.Stderr != nil {
		cmd.Stderr = c.Stderr
	}
	cmd.SysProcAttr = attributes()
	child := &Child{cmd: cmd, done: make(chan struct{})}
	started := make(chan error, 1)
	go child.run(started)
	if err := <-started; err != nil {
		return nil, err
	}
	return child, nil
}

// run starts and awaits the process on one thread: the system's "tell me when my parent dies" is bound to the thread.
func (c *Child) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := c.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	c.code, c.err = exitCode(c.cmd.Wait())
	close(c.done)
}

// Signal passes a signal on; a child that has ended ignores it.
func (c *Child) Signal(sig os.Signal) {
	c.passed.Store(sig)
	_ = c.cmd.Process.Signal(sig)
}

// Done is closed when the child has ended.
func (c *Child) Done() <-chan struct{} { return c.done }

// Wait returns the exit code once the child has ended: its own, or as a shell counts 128 and the signal that killed it. It
// is 0 when that is the signal passed on: one that comes before a child has made itself ready for it kills, and is heeded.
func (c *Child) Wait() (int, error) {
	<-c.done
	if sig, ok := c.passed.Load().(syscall.Signal); ok && c.code == 128+int(sig) {
		return 0, c.err
	}
	return c.code, c.err
}

func exitCode(err error) (int, error) {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return 0, err
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal()), nil
	}
	return exit.ExitCode(), nil
}
