//go:build unix

package genesis

import "golang.org/x/sys/unix"

// stdoutBroken tells whether nobody can read what is written to stdout. SIGPIPE does not say which of all pipes and
// sockets it was.
func stdoutBroken() bool {
	fds := []unix.PollFd{{Fd: int32(unix.Stdout)}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n == 1 && fds[0].Revents&(unix.POLLERR|unix.POLLHUP) != 0
}
