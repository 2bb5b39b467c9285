package program

import (
	"os"

	"golang.org/x/sys/unix"
)

// pipeSize is what a pipe can hold at most at present: whoever has an end of it can
// change that.
func pipeSize(f *os.File) int {
	size := usualPipe
	if raw, err := f.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) {
			if n, err := unix.FcntlInt(fd, unix.F_GETPIPE_SZ, 0); err == nil {
				size = max(n, usualPipe)
			}
		})
	}
	return size
}
