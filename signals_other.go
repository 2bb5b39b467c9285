//go:build !unix

package genesis

// stdoutBroken is asked after SIGPIPE, which there is on Unix alone.
func stdoutBroken() bool { return false }
