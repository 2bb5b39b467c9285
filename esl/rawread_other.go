//go:build !unix

package esl

import (
	"io"
	"net"
)

// socketReader returns what reads nc. To wait for a socket without a buffer takes Unix.
func socketReader(nc net.Conn) io.Reader { return nc }
