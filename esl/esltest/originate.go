package esltest

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/genesis-esl/genesis/esl"
)

// apiOriginate: DIAL_STRING EXTENSION|&app(args) [dialplan] [context]
// [cid_name] [cid_num] [timeout].
func apiOriginate(ctx context.Context, c *core, arg string) string {
	args := separate(arg, ' ', 10)
	if len(args) < 2 {
		return "-USAGE: <call url> <exten>|&<application_name>(<app_args>) [<dialplan>] [<context>] [<cid_name>] [<cid_num>] [<timeout_sec>]\n"
	}
	d := parseDial(args[0])
	rest := append(args[1:], make([]string, 6)...)
	d.cidName, d.cidNum = rest[3], rest[4]
	if seconds, err := strconv.Atoi(rest[5]); err == nil && seconds > 0 {
		d.timeout = time.Duration(seconds) * time.Second
	}
	ch, cause := c.dial(ctx, d)
	if ch == nil {
		return "-ERR " + cause + "\n"
	}
	dest := rest[0]
	if app, ok := strings.CutPrefix(dest, "&"); ok {
		name, data, _ := strings.Cut(app, "(")
		data, _, _ = strings.Cut(data, ")")
		ch.launch([]Action{{App: name, Data: data}})
	} else {
		ch.mu.Lock()
		ch.profile.dest = dest
		if rest[1] != "" {
			ch.profile.dialplan = rest[1]
		}
		if rest[2] != "" {
			ch.profile.context = rest[2]
		}
		ch.mu.Unlock()
		ch.launch(nil)
	}
	return "+OK " + ch.uuid + "\n"
}

// dial calls the targets and returns the leg that answered, or the cause.
func (c *core) dial(ctx context.Context, d *dialing) (*channel, string) {
	if c.logging() {
		c.log(&logParsing, "", "Parsing global variables", false)
	}
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	cause := "DESTINATION_OUT_OF_ORDER"
	for _, together := range d.steps {
		won, why := c.ringTogether(ctx, d, together)
		if won != nil {
			return won, ""
		}
		cause = why
		if ctx.Err() != nil {
			return nil, "NO_ANSWER"
		}
		if d.from != nil && !d.from.alive() {
			return nil, "ORIGINATOR_CANCEL"
		}
	}
	return nil, cause
}

// ringTogether calls several addresses at once; the first answer wins and the
// others lose the race.
func (c *core) ringTogether(ctx context.Context, d *dialing, targets []dialLeg) (*channel, string) {
	var legs []*channel
	cause := "DESTINATION_OUT_OF_ORDER"
	for i, target := range targets {
		leg, why := c.newLeg(d, target, i == 0)
		if leg == nil {
			cause = why
			continue
		}
		legs = append(legs, leg)
	}
	results := make(chan *channel, len(legs))
	quit := make(chan struct{})
	defer close(quit)
	for _, leg := range legs {
		c.wg.Go(func() {
			leg.awaitProgress(quit)
			results <- leg
		})
	}
	var fromGone <-chan struct{}
	if d.from != nil {
		fromGone = d.from.gone
	}
	for pending := len(legs); pending > 0; {
		select {
		case leg := <-results:
			pending--
			if leg.alive() {
				for _, other := range legs {
					if other != leg {
						other.hangup("LOSE_RACE", "")
					}
				}
				leg.won()
				return leg, ""
			}
			cause = leg.hangupCause()
		case <-ctx.Done():
			why := "NO_ANSWER"
			if c.ctx.Err() != nil {
				why = "SYSTEM_SHUTDOWN"
			}
			hangupAll(legs, why)
			return nil, why
		case <-fromGone:
			hangupAll(legs, "ORIGINATOR_CANCEL")
			return nil, "ORIGINATOR_CANCEL"
		}
	}
	return nil, cause
}

func hangupAll(legs []*channel, cause string) {
	for _, leg := range legs {
		leg.hangup(cause, "")
	}
}

// awaitAnswer waits until the leg has been answered, has hung up, or quit.
func (ch *channel) awaitAnswer(quit <-chan struct{}) {
	ch.await(quit, func() bool { return ch.answered })
}

// awaitProgress waits until originate takes the leg for successful: answered, or
// with early media unless ignore_early_media is set, or with
// return_ring_ready ringing.
func (ch *channel) awaitProgress(quit <-chan struct{}) {
	ch.await(quit, func() bool {
		media, _ := ch.get("originate_early_media")
		ringing, _ := ch.get("return_ring_ready")
		return ch.answered || ch.early && media == "true" || ch.ringReady && ringing == "true"
	})
}

// await waits until reached, called with mu held, is true, the leg has hung up,
// or quit.
func (ch *channel) await(quit <-chan struct{}, reached func() bool) {
	for {
		ch.mu.Lock()
		done, changed := reached(), ch.changed
		ch.mu.Unlock()
		if done {
			return
		}
		select {
		case <-changed:
		case <-ch.gone:
			return
		case <-quit:
			return
		}
	}
}

func (ch *channel) hangupCause() string {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	return ch.cause
}

// won is what originate does to the leg that answered: caller and callee change
// places.
func (ch *channel) won() {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	p := &ch.profile
	if ch.core.logging() {
		ch.core.log(&logSuccess, "", "Originate Resulted in Success: ["+ch.name+"] Peer UUID: "+ch.uuid, false)
	}
	ch.logf(&logFlip, "%s Flipping CID from %q <%s> to %q <%s>", ch.name, p.cidName, p.cidNumber, p.calleeName, p.calleeNumber)
	switch {
	case ch.answered:
		ch.set("endpoint_disposition", "ANSWER")
	case ch.early:
		ch.set("endpoint_disposition", "EARLY MEDIA")
	}
	ch.set("pre_transfer_caller_id_name", p.cidName)
	ch.set("pre_transfer_caller_id_number", p.cidNumber)
	ch.set("channel_cid_flipped", "yes")
	p.cidName, p.calleeName = p.calleeName, p.cidName
	p.cidNumber, p.calleeNumber = p.calleeNumber, p.cidNumber
	ch.hit = true
	ch.fire(evCallUpdate, srcFlip, []esl.Header{{Name: "Direction", Value: "RECV"}})
}

// launch lets an answered leg run its applications, or with none the dialplan.
func (ch *channel) launch(apps []Action) {
	ch.mu.Lock()
	ch.apps = apps
	if ch.state < csHangup {
		ch.logChange(csConsumeMedia, csExecute)
		ch.state = csExecute
	}
	ch.mu.Unlock()
	close(ch.launched)
	select {
	case <-ch.started:
	case <-ch.gone:
	case <-ch.core.ctx.Done():
	}
}

// hasStarted lets originate return: the channel's first application runs.
func (ch *channel) hasStarted() {
	ch.startOnce.Do(func() { close(ch.started) })
}

// newLeg makes one outgoing leg and starts it.
func (c *core) newLeg(d *dialing, leg dialLeg, first bool) (*channel, string) {
	vars := append(slices.Clone(d.vars), leg.vars...)
	uuid := lookup(vars, "origination_uuid")
	if !first && lookup(leg.vars, "origination_uuid") == "" {
		uuid = "" // only one leg can have it
	}
	if strings.HasPrefix(leg.endpoint, "loopback/") {
		return c.newLoopback(d, vars, leg.endpoint, uuid)
	}
	return c.newEndpointLeg(d, vars, leg.endpoint, uuid)
}

// callerOf fills the caller profile of an outgoing leg.
func (ch *channel) callerOf(d *dialing, vars []esl.Header) {
	name, number := d.cidName, d.cidNum
	override(&name, lookup(vars, "origination_caller_id_name"))
	override(&number, lookup(vars, "origination_caller_id_number"))
	if d.from != nil {
		d.from.mu.Lock()
		if name == "" {
			name = d.from.profile.cidName
		}
		if number == "" {
			number = d.from.profile.cidNumber
		}
		d.from.mu.Unlock()
	}
	if number == "" {
		number = "0000000000"
	}
	p := &ch.profile
	p.cidName, p.origName = name, name
	p.cidNumber, p.origNumber, p.ani = number, number, number
	p.calleeName = "Outbound Call"
}
