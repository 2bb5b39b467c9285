package call

import (
	"context"
	"errors"
	"time"

	"github.com/genesis-esl/genesis/esl"
)

const (
	// retractTimeout bounds how long an Originate that has lost its connection waits
	// for the next one.
	retractTimeout = 5 * time.Second
	// quietRounds is how often in a row, killAgain apart, there must be none of the legs
	// left: FreeSWITCH may be about to make the first, or to try the next in place of
	// one that was killed.
	quietRounds = 5
)

// maybeRun tells whether FreeSWITCH may have run a command whose answer was lost.
func maybeRun(err error) bool {
	var lost *esl.DisconnectedError
	return errors.As(err, &lost) && lost.Sent
}

// cancel ends what an originate has begun, because over has ended.
func (k *Controller) cancel(over context.Context, legs namedLegs) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(over), killTimeout)
	defer cancel()
	_, err := k.endLegs(ctx, legs, legs.reason(over))
	return err
}

// endLegs ends the legs there are, and tells how many, where FreeSWITCH says so. There
// may be none yet, or none any more.
func (k *Controller) endLegs(ctx context.Context, legs namedLegs, cause Cause) (found int, err error) {
	if legs.mark != "" {
		if _, err := k.t.API(ctx, legs.hupall(cause)); !isRefused(err) {
			return 0, err
		}
	}
	for _, uuid := range legs.uuids {
		_, err := k.t.API(ctx, "uuid_kill "+uuid+" "+string(cause))
		switch {
		case err == nil:
			found++
		case !isRefused(err):
			return found, err
		}
	}
	return found, nil
}

// reason is the cause to end the legs with.
func (n namedLegs) reason(over context.Context) Cause {
	if n.cause != "" {
		return n.cause
	}
	return cancelCause(over)
}

// drop ends a leg that exists and that nobody gets.
func (k *Controller) drop(over context.Context, uuid string) {
	leg := namedLegs{uuids: []string{uuid}}
	if err := k.cancel(over, leg); maybeRun(err) {
		k.retract(over, leg)
	}
}

// retract ends the legs of an originate whose outcome was lost with the connection. Over
// a Client it waits for the next one, and leaves to Up what takes longer.
func (k *Controller) retract(over context.Context, legs namedLegs) {
	ups := k.upsSoFar()
	if !k.sweep(over, legs) {
		k.owe(over, legs, ups)
	}
}

// sweep ends the legs until there have been none for a while. It reports false when there
// is no connection for that.
func (k *Controller) sweep(over context.Context, legs namedLegs) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(over), retractTimeout)
	defer cancel()
	tick := time.NewTicker(killAgain)
	defer tick.Stop()
	for quiet := 0; quiet < quietRounds; {
		found, err := k.endLegs(ctx, legs, legs.reason(over))
		var lost *esl.DisconnectedError
		switch {
		case errors.As(err, &lost) && !lost.Sent:
			return false // closed: it does not come back
		case err != nil || found > 0:
			quiet = 0
		default:
			quiet++
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// owe leaves legs to Up, if there is anybody who calls it. ups is how often it had been
// called before the legs were tried.
func (k *Controller) owe(over context.Context, legs namedLegs, ups int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.ups == 0:
	case k.ups != ups: // it has been called meanwhile, and knew nothing of them
		go k.retract(over, legs)
	default:
		k.owed = append(k.owed, legs)
	}
}

func (k *Controller) upsSoFar() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.ups
}

// settleUp ends what had to wait for a connection. A FreeSWITCH that was restarted has
// none of it.
func (k *Controller) settleUp(ctx context.Context, up esl.Up) {
	k.mu.Lock()
	k.ups++
	owed := k.owed
	k.owed = nil
	k.mu.Unlock()
	if up.Restarted {
		return
	}
	for _, legs := range owed {
		go k.retract(ctx, legs)
	}
}
