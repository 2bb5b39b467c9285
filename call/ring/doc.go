// Package ring calls several destinations for one caller and returns the one that takes the call.
//
//	ringer, err := ring.New(ring.Config{Balancer: ring.NewMemory()})
//	…
//	answer, err := ringer.Ring(ctx, session, []ring.Destination{
//		{To: call.To(call.User("1001", ""))},
//		{To: call.To(call.User("1002", "")), Delay: 5 * time.Second},
//	}, ring.Parallel, ring.For(session.Channel))
//	if err != nil {
//		return err // errors.Is(err, ring.ErrNoAnswer), or the caller has hung up
//	}
//	_, err = session.Bridge(ctx, answer.Channel)
//	return err
//
// Parallel rings all destinations at once; the other modes ring them one after the other and differ in the order. In
// every mode, exactly one answer wins. When Ring returns, nobody else rings: destinations that were ringing, or that
// answered at the same moment, have been hung up with LOSE_RACE, so that their telephones do not show a missed call.
//
// A Balancer counts calls per destination, from the first ring to the hangup, and remembers how long each has been
// idle. That of NewMemory knows the calls of this process. That of NewRedis knows the calls of all processes that
// share it; the counts of a crashed process expire. Connect the answer with Session.Bridge or Ringer.Connect: after
// Session.Connect no event reports the hangup, and a destination that still talks counts as idle.
//
// # When not to use it
//
// If you need not know who is called and why, let FreeSWITCH do it: an originate or a bridge with a dial string of
// several legs (call.To, Dial.Then) takes one command. For agents who log in and out, see mod_callcenter. For
// callers who wait until somebody is free, see package queue.
package ring
