package esl

import "time"

// Up tells an app that its Client is connected and subscribed, and what may have
// happened unseen since the last connection.
type Up struct {
	// First is true for the first connection of a Client; nothing was missed then.
	First bool
	// Restarted is true when the Core-UUID has changed: FreeSWITCH was restarted, and
	// every channel known before is gone. With MissedUnknown it is false because
	// nobody knows yet; the Core-UUID of the next event tells.
	Restarted bool
	// Down is how long the Client was without a connection; zero when First.
	Down time.Duration
	// MissedAtMost is an upper bound on the events that FreeSWITCH created meanwhile,
	// whether the Client subscribes to them or not: the difference of Event-Sequence.
	// After a restart it counts the events of the new core only.
	MissedAtMost uint64
	// MissedUnknown is true when FreeSWITCH did not tell its Event-Sequence, because
	// the user may not run uptime (esl-allowed-api), which the Client runs by bgapi to
	// learn it. MissedAtMost is zero then.
	MissedUnknown bool
	// CoreUUID is FreeSWITCH's Core-UUID, empty when it did not tell.
	CoreUUID string
	// Remote is FreeSWITCH's host:port.
	Remote string
}
