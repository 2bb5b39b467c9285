package consumer

import "time"

// SetMarkTimeout has a comparison whose mark does not come back be given up after d, until the function that it returns is called.
func SetMarkTimeout(d time.Duration) (restore func()) {
	before := markTimeout
	markTimeout = d
	return func() { markTimeout = before }
}
