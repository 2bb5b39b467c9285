package outbound

import (
	"sync"
	"time"
)

// rate is a bucket that fills with so many tokens a second as it can hold. The zero value is a full one.
type rate struct {
	mu    sync.Mutex
	spent float64 // tokens that are missing
	last  time.Time
}

// take takes a token, if there is one, from a bucket of limit tokens. A limit of zero or less is none.
func (r *rate) take(limit int, now time.Time) bool {
	if limit <= 0 {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.last.IsZero() {
		r.spent = max(0, r.spent-now.Sub(r.last).Seconds()*float64(limit))
	}
	r.last = now
	if r.spent+1 > float64(limit) {
		return false
	}
	r.spent++
	return true
}
