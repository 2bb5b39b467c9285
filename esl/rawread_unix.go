//go:build unix

package esl

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

// rawReader reads a socket into a decoder's buffer, and holds none while it waits: a quiet
// connection takes none at all, and one that wakes up can read into a large one at once.
type rawReader struct {
	nc  net.Conn
	raw syscall.RawConn
	dec *Decoder
	try func(fd uintptr) (done bool)

	n   int // what try has read
	err error
}

// newRawReader returns nil for what is no socket, TLS among it.
func newRawReader(nc net.Conn, dec *Decoder) *rawReader {
	switch nc.(type) {
	case *net.TCPConn, *net.UnixConn:
	default:
		return nil
	}
	raw, err := nc.(syscall.Conn).SyscallConn()
	if err != nil {
		return nil // closed already, as reading will tell
	}
	r := &rawReader{nc: nc, raw: raw, dec: dec}
	r.try = r.once
	return r
}

// read is what Read of the connection would be.
func (r *rawReader) read() (int, error) {
	if err := r.raw.Read(r.try); err != nil {
		var op *net.OpError
		if errors.As(err, &op) {
			op.Op = "read" // it says raw-read
		}
		return 0, err
	}
	switch {
	case r.err != nil:
		return 0, &net.OpError{Op: "read", Net: r.nc.LocalAddr().Network(), Source: r.nc.LocalAddr(), Addr: r.nc.RemoteAddr(),
			Err: os.NewSyscallError("read", r.err)}
	case r.n == 0:
		return 0, io.EOF
	}
	return r.n, nil
}

// once reads once; done is false when there is nothing to read yet.
func (r *rawReader) once(fd uintptr) (done bool) {
	room := r.dec.room()
	for {
		r.n, r.err = syscall.Read(int(fd), room)
		switch r.err {
		case syscall.EINTR:
		case syscall.EAGAIN:
			r.dec.rest()
			return false
		default:
			return true
		}
	}
}
