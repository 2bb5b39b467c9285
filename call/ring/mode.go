package ring

import (
	"cmp"
	"context"
	"math"
	"math/rand/v2"
	"slices"
)

// Mode says in which order destinations are called.
type Mode uint8

const (
	// Parallel calls all at once, or each after its Delay.
	Parallel Mode = iota
	// Sequential calls one after the other, in the order given.
	Sequential
	// Balancing calls one after the other, the one with the fewest calls first; among equals, the one that has
	// been idle longest.
	Balancing
	// RoundRobin begins with the next one each time, and goes on in the order given.
	RoundRobin
	// Random calls one after the other in a random order.
	Random
	// LongestIdle calls one after the other, first the one whose last call ended longest ago; one that is on a
	// call comes last.
	LongestIdle
	// Weighted is Random, but a destination with twice the Weight comes first twice as often.
	Weighted

	modes // how many there are
)

var modeNames = [modes]string{
	"parallel", "sequential", "balancing", "round_robin", "random", "longest_idle", "weighted",
}

// String is the mode's name in metrics and spans.
func (m Mode) String() string {
	if m < modes {
		return modeNames[m]
	}
	return "unknown"
}

// rule is how the balancer picks the next one to call.
func (m Mode) rule() Rule {
	switch m {
	case Balancing:
		return LeastLoaded
	case LongestIdle:
		return MostIdle
	default:
		return First
	}
}

// order is in which order to try the destinations, as far as that is known at the start.
func (r *race) order(ctx context.Context) []int {
	order := make([]int, len(r.destinations))
	for i := range order {
		order[i] = i
	}
	switch r.mode {
	case Parallel:
		slices.SortStableFunc(order, func(a, b int) int {
			return cmp.Compare(r.destinations[a].Delay, r.destinations[b].Delay)
		})
	case RoundRobin:
		turn := r.counts.turn(ctx, r.turnOf(r.destinations))
		first := int(turn % uint64(len(order)))
		order = append(order[first:], order[:first]...)
	case Random:
		rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	case Weighted:
		// Each draws a time from an exponential distribution whose rate is the weight; the earliest come first.
		draws := make([]float64, len(order))
		for i, d := range r.destinations {
			draws[i] = rand.ExpFloat64() / math.Max(1, float64(d.Weight))
		}
		slices.SortFunc(order, func(a, b int) int { return cmp.Compare(draws[a], draws[b]) })
	}
	return order
}
