// Package ports opens the ports of an app. The command does it for an app that it restarts: what is wrong with a port it
// tells in the same words.
package ports

import (
	"errors"
	"fmt"
	"net"
	"strconv"
)

// ErrAddress is a wrong host: a restart mends nothing.
var ErrAddress = errors.New("not an address of this host")

// Check returns what is wrong with the number of a TCP port.
func Check(value string, least int) error {
	if n, err := strconv.Atoi(value); err != nil || n < least || n > 65535 {
		return fmt.Errorf("not a port: %d to 65535 is allowed", least)
	}
	return nil
}

// Listen opens a port and says in one line why it cannot, or returns ErrAddress.
func Listen(addr, whom, hostVariable, portVariable string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err == nil {
		return l, nil
	}
	var dns *net.DNSError
	var bad *net.AddrError
	if errors.As(err, &dns) || errors.As(err, &bad) {
		return nil, ErrAddress
	}
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	return nil, fmt.Errorf("cannot listen for %s on %s (%s, %s): %w", whom, addr, hostVariable, portVariable, err)
}
