// Package ring calls several destinations for one caller and gives back the one who takes the call.
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
// Parallel rings all at once; the other modes ring one after the other and differ in who comes first. Whatever the
// mode, exactly one answer wins. When Ring returns, everybody else has stopped ringing: those who rang, and one who
// answered in the same moment, were hung up with LOSE_RACE, so that a telephone does not show a missed call.
//
// A Balancer counts calls per destination from the first ring to the hangup, and remembers who has been idle for
// how long. NewMemory's knows the calls of this process, NewRedis' those of all that share it; the counts of a
// crashed process expire there. Connect the answer with Session.Bridge or Ringer.Connect: after Session.Connect nobody
// hears of the hangup, and whoever still talks counts as idle.
//
// # When not to use it
//
// Where nobody needs to know who is called and why, let FreeSWITCH do it: one originate or bridge with a dial string
// of several legs (call.To, Dial.Then) needs one command. For agents who log in and out, see mod_callcenter. For
// callers that wait until somebody is free, see package queue.
package ring
