package program

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// Stop says how a program is made to end. Its stdin is closed; then SIGINT, SIGTERM
// and SIGKILL follow, each to its whole process group and each when the time before
// it is over. Zero fields take the defaults; negative ones do not wait.
type Stop struct {
	// Close is how long the program may take to end by itself once its stdin is
	// closed. Default 5 s.
	Close time.Duration
	// Interrupt is how long it may take after SIGINT. Default 2 s.
	Interrupt time.Duration
	// Terminate is how long it may take after SIGTERM. Default 2 s.
	Terminate time.Duration
}

func (s Stop) withDefaults() Stop {
	set := func(d *time.Duration, otherwise time.Duration) {
		if *d == 0 {
			*d = otherwise
		}
	}
	set(&s.Close, 5*time.Second)
	set(&s.Interrupt, 2*time.Second)
	set(&s.Terminate, 2*time.Second)
	return s
}

// process is a running program. It leads a process group of its own.
type process struct {
	cmd *exec.Cmd
	// stdin is written to; unread is its other end, kept open so that what the
	// program has not read when it ends can be read back.
	stdin, unread  *os.File
	stdout, stderr *os.File

	done chan struct{} // closed when the program has ended
	err  error         // why, once done is closed; nil for exit code 0
}

// spawn starts a program.
func spawn(path string, args, env []string, dir string) (p *process, err error) {
	p = &process{done: make(chan struct{})}
	files := make([]*os.File, 0, 6)
	defer func() {
		if err != nil {
			closeAll(files)
		}
	}()
	pipe := func() (r, w *os.File) {
		if err == nil {
			if r, w, err = os.Pipe(); err == nil {
				files = append(files, r, w)
			}
		}
		return r, w
	}
	p.unread, p.stdin = pipe()
	outR, outW := pipe()
	errR, errW := pipe()
	if err != nil {
		return nil, fmt.Errorf("program: pipes: %w", err)
	}
	p.stdout, p.stderr = outR, errR
	p.cmd = exec.Command(path, args...)
	p.cmd.Env, p.cmd.Dir = env, dir
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = p.unread, outW, errW
	p.cmd.SysProcAttr = ownGroup()
	if err = p.start(); err != nil {
		return nil, fmt.Errorf("program: %w", err)
	}
	closeAll([]*os.File{outW, errW})
	go p.wait()
	return p, nil
}

// start starts the program, unless KillAll came first.
func (p *process) start() error {
	running.RLock()
	defer running.RUnlock()
	if running.over {
		return errOver
	}
	if err := p.cmd.Start(); err != nil {
		return err
	}
	running.programs.Store(p, nil)
	return nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}

func (p *process) wait() {
	p.err = p.cmd.Wait()
	signalGroup(p.pid(), kill) // what it left behind
	running.programs.Delete(p)
	_ = p.stdout.SetReadDeadline(time.Unix(1, 0)) // the outlets take over
	_ = p.stderr.SetReadDeadline(time.Unix(1, 0))
	_ = p.stdin.SetWriteDeadline(time.Unix(1, 0))
	close(p.done)
	reapGroup(p.pid())
}

// stop makes the program end and returns when it has; true when it took a signal.
func (p *process) stop(s Stop) (forced bool) {
	s = s.withDefaults()
	_ = p.stdin.Close()
	steps := []struct {
		wait time.Duration
		then signal
	}{{s.Close, interrupt}, {s.Interrupt, terminate}, {s.Terminate, kill}}
	for _, step := range steps {
		if p.within(step.wait) {
			return forced
		}
		forced = true
		signalGroup(p.cmd.Process.Pid, step.then)
	}
	<-p.done
	return forced
}

func (p *process) within(d time.Duration) bool {
	timer := time.NewTimer(max(d, 0))
	defer timer.Stop()
	select {
	case <-p.done:
		return true
	case <-timer.C:
		return false
	}
}

// rest returns what the program has not read of its stdin, once it has ended and
// nothing is written any more.
func (p *process) rest() []byte {
	_ = p.stdin.Close()
	rest, _ := io.ReadAll(p.unread)
	return rest
}

// release closes what is left open.
func (p *process) release() {
	closeAll([]*os.File{p.stdin, p.unread, p.stdout, p.stderr})
}

func (p *process) pid() int { return p.cmd.Process.Pid }
