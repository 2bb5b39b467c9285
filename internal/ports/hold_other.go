//go:build !linux

package ports

import "net"

// Hold only chooses a port here, where two sockets cannot have the same.
func Hold(addr string) (held string, release func()) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return addr, func() {}
	}
	_ = l.Close()
	return l.Addr().String(), func() {}
}
