package main

import (
	"testing"
	"time"
)

// TestGrowth tells a leak from what only moves.
func TestGrowth(t *testing.T) {
	run := func(ran time.Duration, heap func(i int) uint64) *report {
		r := newReport()
		r.ran = ran
		for i := range 60 {
			r.samples = append(r.samples, sample{at: ran * time.Duration(i) / 60, heap: heap(i) << 20})
		}
		return r
	}
	for name, tt := range map[string]struct {
		ran  time.Duration
		heap func(i int) uint64
		want bool
	}{
		"a leak":          {time.Hour, func(i int) uint64 { return uint64(i) }, true},
		"a level":         {time.Hour, func(i int) uint64 { return uint64(40 + i%7) }, false},
		"filled at first": {time.Hour, func(i int) uint64 { return uint64(min(4*i, 60)) }, false},
		"a short run":     {time.Minute, func(i int) uint64 { return uint64(i) }, false},
	} {
		if got := run(tt.ran, tt.heap).grows(8, heap); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if got := run(time.Hour, func(i int) uint64 { return uint64(i) }).slope(heap); got < 59 || got > 61 {
		t.Errorf("60 MiB an hour are %.1f", got)
	}
}
