//go:build !amd64 || !linux || purego

package clock

// There is no counter here that can be read more quickly than the kernel's clock.

func ticks() int64 { return 0 }

func trusted() bool { return false }
