package ports

import (
	"net"
	"strconv"
	"syscall"
)

// Hold keeps a port for a server that is to stop and start again on it: until release, the system gives it to nobody
// who asks for any port, listening or calling, but a server that names it can listen there. addr is an IPv4 address and
// a port, 0 for any; held has the one that it is. What cannot be held is returned as it is: whoever listens there
// learns why.
func Hold(addr string) (held string, release func()) {
	held, release = addr, func() {}
	tcp, err := net.ResolveTCPAddr("tcp4", addr)
	if err != nil || tcp.IP == nil {
		return held, release
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return held, release
	}
	// Two sockets may have one port where both say this and none of them listens yet.
	err = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
	if err == nil {
		err = syscall.Bind(fd, &syscall.SockaddrInet4{Port: tcp.Port, Addr: [4]byte(tcp.IP.To4())})
	}
	var name syscall.Sockaddr
	if err == nil {
		name, err = syscall.Getsockname(fd)
	}
	if bound, ok := name.(*syscall.SockaddrInet4); ok && err == nil {
		return net.JoinHostPort(tcp.IP.String(), strconv.Itoa(bound.Port)), func() { _ = syscall.Close(fd) }
	}
	_ = syscall.Close(fd)
	return held, release
}
