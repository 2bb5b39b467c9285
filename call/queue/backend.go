package queue

import (
	"context"
	"time"
)

// Backend keeps the order of queues and their slots. There are two, Memory and Redis; an app needs
// this interface only to add a third one.
//
// An implementation must keep these promises, which the conformance suite of this package checks:
// an exchange is atomic; slots are granted by priority and, within a priority, in the order of
// places; there are never more holders than the limit; an owner that stops asking loses its places
// after the lease.
//
// All methods are safe for concurrent use.
type Backend interface {
	// Exchange applies ops in order, grants free slots to the waiters at the head, and reports one
	// state per op. It must be idempotent, because a caller that got no answer asks again. An error
	// that wraps ErrUnavailable is temporary and is retried; any other error is final. ctx bounds the
	// time that it may take.
	Exchange(ctx context.Context, queue string, limit int, ops []Op) (View, error)
	// Watch calls changed when slots were granted or places moved: with the ids that were granted, empty when places
	// only moved, nil when changes may have been missed. It need not report changes from before it returns: the
	// watcher asks for these with an Exchange. Watch returns at once; changed must not block. stop ends it.
	Watch(queue string, changed func(granted []string)) (stop func())
	// Lease is how long a place lives without being renewed. Zero means forever: the owner cannot vanish without the
	// backend.
	Lease() time.Duration
}

// OpKind says what an Op asks for.
type OpKind uint8

const (
	// Enter takes a place, or renews it. With Order set it restores a place that the backend has forgotten.
	Enter OpKind = iota + 1
	// Hold renews a slot, or restores one that the backend has forgotten.
	Hold
	// Leave gives up a place or a slot, whichever it has become.
	Leave
)

// Op is one request to a Backend about one waiter or holder.
type Op struct {
	Kind     OpKind
	ID       string // unique among all processes
	Priority int
	Order    string    // Enter: the place as the backend named it; empty for a new one
	Fence    uint64    // Hold: as granted
	Since    time.Time // Hold: as granted
}

// Phase is what has become of a waiter.
type Phase uint8

const (
	// Gone has neither place nor slot.
	Gone Phase = iota
	// Waiting has a place.
	Waiting
	// Holding has a slot.
	Holding
)

// State is a Backend's answer to one Op.
type State struct {
	Phase Phase
	Order string    // Waiting: names the place; opaque
	Place int       // Waiting: 1 is next
	Fence uint64    // Holding: larger than that of every slot granted before in this queue
	Since time.Time // Holding: when it was granted, by the backend's clock
}

// View is a Backend's answer to one exchange.
type View struct {
	States  []State       // one per op
	Granted []string      // ids that got a slot in this exchange, whoever owns them
	Waiting int           // how many wait after it
	Hold    time.Duration // how long slots are held on average; 0 when none was given back yet
	Next    time.Duration // when something may happen that nobody will announce; 0 for never
}
