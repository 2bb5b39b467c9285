//go:build unix

package esl

import (
	"errors"
	"net"
	"os"
	"syscall"
)

// rawWriter writes to a socket what its buffer has room for, and never waits.
type rawWriter struct {
	net.Conn
	raw syscall.RawConn
	try func(fd uintptr) (done bool)

	out []byte // at hand
	n   int    // what try has written
	err error
}

// socketWriter returns what writes to nc without waiting; nil where nc is no socket, as it
// is not with TLS.
func socketWriter(nc net.Conn) *rawWriter {
	switch nc.(type) {
	case *net.TCPConn, *net.UnixConn:
	default:
		return nil
	}
	raw, err := nc.(syscall.Conn).SyscallConn()
	if err != nil {
		return nil // closed already, as writing will tell
	}
	w := &rawWriter{Conn: nc, raw: raw}
	w.try = w.once
	return w
}

// writeSome writes as much of out as there is room for. Its errors are those of Write.
func (w *rawWriter) writeSome(out []byte) (int, error) {
	w.out, w.n, w.err = out, 0, nil
	err := w.raw.Write(w.try)
	w.out = nil
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) {
			op.Op = "write" // it says raw-write
		}
		return 0, err
	}
	if w.err != nil {
		return 0, &net.OpError{Op: "write", Net: w.LocalAddr().Network(), Source: w.LocalAddr(), Addr: w.RemoteAddr(),
			Err: os.NewSyscallError("write", w.err)}
	}
	return w.n, nil
}

// once writes once. It is done in any case, for whoever called does not wait.
func (w *rawWriter) once(fd uintptr) (done bool) {
	for {
		n, err := syscall.Write(int(fd), w.out)
		switch err {
		case syscall.EINTR:
			continue
		case nil:
			w.n = n
		case syscall.EAGAIN: // there is no room
		default:
			w.err = err
		}
		return true
	}
}

// fromPeer reports whether an error of writing says that the peer has closed the connection.
func fromPeer(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)
}
