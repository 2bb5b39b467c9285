package esl_test

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/esl"
)

// patience bounds every wait of the tests. Only a failing test ever waits so long.
const patience = 10 * time.Second

// peer is FreeSWITCH's end of a connection, played by the test step by step on a
// real socket, for what a well-behaved simulator would never do.
type peer struct {
	t        testing.TB
	nc       *net.TCPConn
	requests *esl.RequestReader
}

func newPeer(t testing.TB, nc net.Conn) *peer {
	t.Helper()
	t.Cleanup(func() { nc.Close() })
	if err := nc.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return &peer{t: t, nc: nc.(*net.TCPConn), requests: esl.NewRequestReader(nc, esl.Limits{})}
}

// next reads the next command.
func (p *peer) next() *esl.Request {
	p.t.Helper()
	request, err := p.requests.Next()
	if err != nil {
		p.t.Fatalf("waiting for a command: %v", err)
	}
	return request
}

// expect reads the next command, which must be line.
func (p *peer) expect(line string) *esl.Request {
	p.t.Helper()
	request := p.next()
	if request.Line != line {
		p.t.Fatalf("got the command %q, want %q", request.Line, line)
	}
	return request
}

// expectNothing reads to the end of what the client sends, which must be nothing.
func (p *peer) expectNothing() {
	p.t.Helper()
	rest, err := io.ReadAll(p.nc)
	if len(rest) > 0 || err != nil && !errors.Is(err, io.EOF) {
		p.t.Fatalf("got %q, %v; want nothing", rest, err)
	}
}

func (p *peer) send(frames ...[]byte) {
	p.t.Helper()
	for _, frame := range frames {
		if _, err := p.nc.Write(frame); err != nil {
			p.t.Fatal(err)
		}
	}
}

func (p *peer) reply(text string) {
	p.t.Helper()
	p.send(esl.AppendReply(nil, text))
}

// enter lets a Client in that subscribes, and refuses to tell it where FreeSWITCH stands.
func (p *peer) enter() {
	p.t.Helper()
	p.send(esl.AppendAuthRequest(nil))
	for {
		if strings.HasPrefix(p.next().Line, "bgapi") {
			p.reply("-ERR permission denied")
			return
		}
		p.reply("+OK")
	}
}

// fin closes the connection as a process that ends does.
func (p *peer) fin() { p.nc.Close() }

// rst closes it as a host that has forgotten the connection does.
func (p *peer) rst() {
	_ = p.nc.SetLinger(0) // what fails shows in the test
	p.nc.Close()
}

// event is a frame of an event in the plain format.
func event(name string, headers ...esl.Header) []byte {
	return esl.AppendEvent(nil, esl.Plain, append([]esl.Header{{Name: "Event-Name", Value: name}}, headers...), "")
}

// jobEvent is the BACKGROUND_JOB that ends a bgapi.
func jobEvent(id, output string) []byte {
	return esl.AppendEvent(nil, esl.Plain, []esl.Header{{Name: "Event-Name", Value: "BACKGROUND_JOB"}, {Name: "Job-UUID", Value: id}}, output)
}

// listen opens a port for whoever plays FreeSWITCH.
func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// accept waits for the client to connect.
func accept(t testing.TB, l net.Listener) *peer {
	t.Helper()
	if err := l.(*net.TCPListener).SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	nc, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return newPeer(t, nc)
}

// socketPair returns both ends of a TCP connection.
func socketPair(t testing.TB) (client net.Conn, far *peer) {
	t.Helper()
	l := listen(t)
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client, accept(t, l)
}

// connected returns a Conn and the peer at its other end.
func connected(t testing.TB, cfg esl.ConnConfig) (*esl.Conn, *peer) {
	t.Helper()
	nc, far := socketPair(t)
	c := esl.NewConn(nc, cfg)
	t.Cleanup(func() { c.Close() })
	return c, far
}

// outcome is what a call returned.
type outcome[T any] struct {
	value T
	err   error
}

// start runs f on a goroutine of its own.
func start[T any](f func() (T, error)) <-chan outcome[T] {
	done := make(chan outcome[T], 1)
	go func() {
		value, err := f()
		done <- outcome[T]{value, err}
	}()
	return done
}

// receive waits for a value on a channel.
func receive[T any](t testing.TB, from <-chan T, what string) T {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case value := <-from:
		return value
	case <-timer.C:
		t.Fatalf("%s: nothing within %v", what, patience)
		panic("unreachable")
	}
}

// nothing checks that a channel holds no value now.
func nothing[T any](t testing.TB, from <-chan T, what string) {
	t.Helper()
	select {
	case value := <-from:
		t.Fatalf("%s: %v, want nothing", what, value)
	default:
	}
}

// within returns a context that ends before the test has to.
func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// ended waits for a connection to end and returns why.
func ended(t testing.TB, c *esl.Conn) error {
	t.Helper()
	receive(t, c.Done(), "the end of the connection")
	return c.Err()
}

// until waits for a condition that no channel announces.
func until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !holds(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

// sortedLines puts what several goroutines wrote into one order.
func sortedLines(s string) string {
	lines := strings.Split(s, "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
