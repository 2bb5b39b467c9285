//go:build !unix

package esl

import "net"

// rawWriter writes without waiting, which takes Unix.
type rawWriter struct{}

func socketWriter(net.Conn) *rawWriter { return nil }

func (*rawWriter) writeSome([]byte) (int, error) { return 0, nil }

// fromPeer reports whether an error of writing says that the peer has closed the connection.
func fromPeer(error) bool { return false }
