// Package queue lets callers wait for their turn: first come, first served, with a limit on how many are served at
// once. A turn is a slot, held from the moment it is granted until it is released.
//
//	queues, err := queue.New(queue.Config{Backend: backend})
//	…
//	slot, err := queues.Acquire(ctx, "sales", queue.Limit(3), queue.Timeout(10*time.Minute))
//	if err != nil {
//		return err // the caller hung up, or waited too long
//	}
//	defer slot.Release(ctx)
//
// To tell callers where they stand, separate the place from the turn: Join returns a Ticket, whose Position,
// Positions and Done follow the wait. Code that has to take turns but need not know about queues gets a Semaphore.
//
// # Where a queue lives
//
// Memory is for one process, Redis for several. In Redis, places and slots are leases; the process that owns them
// renews all those of one queue in one request. A process that crashes or is cut off frees its places within the
// lease (10 seconds by default). A process that is cut off learns of it first: it counts its slots as lost, and
// closes their Done, a fifth of the lease before Redis gives them away. So two processes never hold one slot, as
// long as their clocks run at the same speed. A process that was stopped altogether (a suspended machine) can only
// find out when it resumes; where that matters, pass Slot.Fence to whatever the slot protects.
//
// Redis may restart, with or without its data. Every owner knows its own places and slots and restores them in
// their order, and for one lease after a restart nobody is granted a slot that somebody else might still hold.
// While Redis is away, waiters keep waiting, and holders keep their slots until the lease runs out; newcomers fail
// with ErrUnavailable after Config.Patience. Nothing has to be restarted afterwards.
//
// # When not to use it
//
// To serve callers by agents who log in and out, with skills and wrap-up times, use FreeSWITCH's mod_callcenter and
// watch its events: this package knows slots, not people. To limit calls on a gateway inside one FreeSWITCH, its
// own `limit` application is simpler. With asynchronous replication Redis can forget the last moments before a
// failover; the pause of one lease covers that, but do not keep a lock on which lives depend in Redis.
package queue
