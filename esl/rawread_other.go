//go:build !unix

package esl

import "net"

// rawReader is for systems whose sockets can be waited for without a buffer.
type rawReader struct{}

func newRawReader(net.Conn, *Decoder) *rawReader { return nil }

func (*rawReader) read() (int, error) { panic("there is none") }
