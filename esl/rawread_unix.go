//go:build unix

package esl

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

// rawReader reads a socket into a buffer that there is only while there is something to
// read: a quiet connection takes none at all, and one that wakes up can read into a large
// one at once.
type rawReader struct {
	net.Conn
	raw syscall.RawConn
	try func(fd uintptr) (done bool)

	dec *Decoder // at hand
	n   int      // what try has read
	err error
}

// socketReader returns what reads nc: a rawReader where nc is a socket, as it is not with
// TLS.
func socketReader(nc net.Conn) io.Reader {
	switch nc.(type) {
	case *net.TCPConn, *net.UnixConn:
	default:
		return nc
	}
	raw, err := nc.(syscall.Conn).SyscallConn()
	if err != nil {
		return nc // closed already, as reading will tell
	}
	r := &rawReader{Conn: nc, raw: raw}
	r.try = r.once
	return r
}

// readInto implements patientReader. Its errors are those of Read.
func (r *rawReader) readInto(d *Decoder) (int, error) {
	r.dec = d
	if err := r.raw.Read(r.try); err != nil {
		var op *net.OpError
		if errors.As(err, &op) {
			op.Op = "read" // it says raw-read
		}
		return 0, err
	}
	switch {
	case r.err != nil:
		return 0, &net.OpError{Op: "read", Net: r.LocalAddr().Network(), Source: r.LocalAddr(), Addr: r.RemoteAddr(),
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
