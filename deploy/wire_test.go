package deploy_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"

	"github.com/genesis-esl/genesis/internal/testbed"
)

// wire dials and can freeze: what arrives from then on stays unread, as when the
// other end hangs with its socket open.
type wire struct {
	frozen chan struct{}
	once   sync.Once
}

func newWire() *wire { return &wire{frozen: make(chan struct{})} }

func (w *wire) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &wireConn{Conn: conn, frozen: w.frozen, closed: make(chan struct{})}, nil
}

func (w *wire) freeze() { w.once.Do(func() { close(w.frozen) }) }

func (w *wire) close() { w.freeze() }

type wireConn struct {
	net.Conn
	frozen chan struct{}
	closed chan struct{}
	once   sync.Once
}

func (c *wireConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	select {
	case <-c.frozen:
		if err == nil { // the bytes never arrive
			<-c.closed
			return 0, net.ErrClosed
		}
	default:
	}
	return n, err
}

func (c *wireConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// logs is where an app logs to; its disk can be full.
type logs struct {
	testbed.Log
	full atomic.Bool
}

func (l *logs) Write(p []byte) (int, error) {
	if l.full.Load() {
		return 0, errors.New("no space left on device")
	}
	return l.Log.Write(p)
}

func (l *logs) fill() { l.full.Store(true) }
