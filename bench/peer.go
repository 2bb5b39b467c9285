package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// process is this program once more, as one of the ends of a comparison. It ends
// with its standard input.
type process struct {
	cmd     *exec.Cmd
	orders  io.WriteCloser
	answers *bufio.Reader
	addr    string
}

// start runs this program as role and waits for the address that it prints. It
// has so many processors (0: all).
func start(role, testdata string, processors int) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{cmd: exec.Command(self, "-role", role, "-testdata", testdata)}
	if role != eslgoServer { // it panics now and then, which shows as a failed run
		p.cmd.Stderr = os.Stderr
	}
	if processors > 0 {
		p.cmd.Env = append(os.Environ(), fmt.Sprintf("GOMAXPROCS=%d", processors))
	}
	if p.orders, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	p.answers = bufio.NewReader(out)
	if p.addr, err = p.answer(); err != nil {
		p.stop()
		return nil, fmt.Errorf("%s: %w", role, err)
	}
	return p, nil
}

// order sends an order; answer reads what comes of it, if anything does.
func (p *process) order(format string, args ...any) error {
	_, err := fmt.Fprintf(p.orders, format+"\n", args...)
	return err
}

func (p *process) answer() (string, error) {
	line, err := p.answers.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("the other process ended: %w", err)
	}
	line = strings.TrimSpace(line)
	if text, ok := strings.CutPrefix(line, "error "); ok {
		return "", fmt.Errorf("%s", text)
	}
	return line, nil
}

func (p *process) stop() {
	_ = p.orders.Close()
	_ = p.cmd.Process.Kill() // by its id: it is ours
	_ = p.cmd.Wait()
}
