package consumer

import "time"

// SetResyncTimeout has comparisons be given up after d, until the function that it returns is called.
func SetResyncTimeout(d time.Duration) (restore func()) {
	before := resyncTimeout
	resyncTimeout = d
	return func() { resyncTimeout = before }
}
