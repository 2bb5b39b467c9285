// Package queue lets callers wait for their turn: first come, first served, with a limit on how many are served at
// once. The turn is a slot, held from the moment it is granted until it is released.
//
//	queues, err := queue.New(queue.Config{Backend: backend})
//	…
//	slot, err := queues.Acquire(ctx, "sales", queue.Limit(3), queue.Timeout(10*time.Minute))
//	if err != nil {
//		return err // the caller hung up, or waited too long
//	}
//	defer slot.Release(ctx)
//
// To tell callers where they stand, take the place and the turn apart: Join returns a Ticket, whose Position,
// Positions and Done are alive while it waits. Code that has to take turns without knowing about queues gets a
// Semaphore.
//
// # Where a queue lives
//
// Memory is for one process. Redis is for several: places and slots are leases there, renewed by the process that
// owns them, all of one queue in one request. A process that crashes or is cut off frees its place within the
// lease (10 seconds by default). One that is cut off learns of it first: it counts its slots lost, and closes
// their Done, a fifth of the lease before Redis gives them away, so two never hold one slot as long as clocks run
// at the same speed. A process that was stopped altogether (a suspended machine) can only find out when it goes on;
// where that matters, hand Slot.Fence to what the slot protects.
//
// Redis may restart, with its data or without: every owner knows its own places and slots and brings them back
// with their order, and for one lease after a restart nobody is granted a slot that somebody else might still hold.
// While Redis is away those who wait keep waiting and those who hold keep holding until the lease runs out; those
// who come fail with ErrUnavailable after Config.Patience. Nothing has to be restarted afterwards.
//
// # When not to use it
//
// To serve callers by agents who log in and out, with skills and wrap-up times, use FreeSWITCH's mod_callcenter and
// watch its events: this package knows slots, not people. To limit calls on a gateway inside one FreeSWITCH, its
// own `limit` application is nearer. Redis behind asynchronous replication can forget the last moments at a
// failover; the pause of one lease covers that, but a lock of which lives depend is not Redis' to keep.
package queue
