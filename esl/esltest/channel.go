package esltest

import (
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/genesis-esl/genesis/esl"
)

// Channel states by number.
const (
	csNew = iota
	csInit
	csRouting
	csSoftExecute
	csExecute
	csExchangeMedia
	csPark
	csConsumeMedia
	csHibernate
	csReset
	csHangup
	csReporting
	csDestroy
	csNone
)

var stateNames = [...]string{"CS_NEW", "CS_INIT", "CS_ROUTING", "CS_SOFT_EXECUTE", "CS_EXECUTE", "CS_EXCHANGE_MEDIA",
	"CS_PARK", "CS_CONSUME_MEDIA", "CS_HIBERNATE", "CS_RESET", "CS_HANGUP", "CS_REPORTING", "CS_DESTROY", "CS_NONE"}

// Call states by number.
const (
	ccsDown = iota
	ccsDialing
	ccsRinging
	ccsEarly
	ccsActive
	ccsHeld
	ccsRingWait
	ccsHangup
	ccsUnheld
)

var callStateNames = [...]string{"DOWN", "DIALING", "RINGING", "EARLY", "ACTIVE", "HELD", "RING_WAIT", "HANGUP", "UNHELD"}

// channel is one leg of a call: its states, its caller profile, its variables,
// and the goroutine that runs its dialplan.
type channel struct {
	core   *core
	uuid   string
	number int64 // session_id
	kind   string

	gone    chan struct{} // closed by hangup
	signal  chan struct{} // something for the session goroutine
	done    chan struct{} // closed when the channel is destroyed
	holders sync.WaitGroup

	mu         sync.Mutex
	name       string
	state      int
	running    int
	callState  int
	hit        bool // Channel-HIT-Dialplan
	answered   bool
	early      bool
	observe    *tally // the load that the call belongs to
	held       bool
	ringReady  bool
	cause      string
	initiator  string // who hung up
	codecs     int    // 0 none, 1 read, 2 read and write
	profile    profile
	otherUUID  string       // the leg bridged to
	otherLeg   []esl.Header // its profile when the bridge was made
	partner    *channel     // the same leg, for ending the bridge
	bond       *atomic.Bool // whether the end of the bridge has been announced
	peer       *channel     // the other leg of a loopback pair
	vars       []esl.Header
	dialed     []byte // digits dequeued
	sentDigits []byte // digits sent to the far end
	dtmf       []dtmf
	messages   []message
	started    chan struct{} // closed when the first application runs
	startOnce  sync.Once
	launched   chan struct{} // closed when originate lets an outgoing leg go on
	recordings []string
	reported   bool        // CHANNEL_HANGUP_COMPLETE is out
	waiters    []*listener // sockets to wake then
	locked     bool        // event-lock of the running application
	broken     bool        // uuid_break
	apps       []Action
	transfer   bool
	lastApp    Action
	history    []Action // what has been executed
	created    time.Time
	start      int64
	answerAt   int64
	changed    chan struct{} // closed and replaced at each change, for waiters
}

type dtmf struct {
	digit    byte
	duration int
	source   string
}

// profile is what the Caller-* headers tell. Times are microseconds, "0" for
// never.
type profile struct {
	direction, dialplan                                string
	cidName, cidNumber, origName, origNumber           string
	calleeName, calleeNumber, network, ani, dest       string
	source, context, rdnis                             string
	created, chanCreated, answered, progress           string
	progressMedia, hangup, transfer, bridged, lastHold string
	holdAccum                                          string
}

func newProfile(direction string, at string) profile {
	return profile{
		direction: direction, dialplan: "xml",
		created: at, chanCreated: at,
		answered: "0", progress: "0", progressMedia: "0", hangup: "0",
		transfer: "0", bridged: "0", lastHold: "0", holdAccum: "0",
	}
}

func micros(t time.Time) string { return strconv.FormatInt(t.UnixMicro(), 10) }

// newChannel makes a channel and enters it in the core; the caller starts it.
func (c *core) newChannel(name, uuid, direction string) *channel {
	now := time.Now()
	if uuid == "" {
		uuid = newUUID()
	}
	ch := &channel{
		core: c, uuid: uuid, name: name, number: c.session.Add(1),
		gone: make(chan struct{}), signal: make(chan struct{}, 1), done: make(chan struct{}),
		changed: make(chan struct{}), started: make(chan struct{}),
		state: csNew, running: csNone,
		hit:     direction == inboundCall,
		profile: newProfile(direction, micros(now)),
		created: now, start: now.UnixMicro(),
		vars: make([]esl.Header, 0, 40),
	}
	return ch
}

const (
	inboundCall  = "inbound"
	outboundCall = "outbound"
)

// enter makes the channel known; it fails when the uuid is taken, or when there
// are too many channels.
func (c *core) enter(ch *channel) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, taken := c.channels[ch.uuid]; taken || len(c.channels) >= c.srv.cfg.MaxSessions || c.ctx.Err() != nil {
		return false
	}
	c.channels[ch.uuid] = ch
	c.count.started(len(c.channels))
	return true
}

// set gives a variable a value; an empty one unsets it. A variable set again
// moves to the end, as it does in FreeSWITCH. The caller holds mu.
func (ch *channel) set(name, value string) {
	key := "variable_" + name
	for i := range ch.vars {
		if strings.EqualFold(ch.vars[i].Name, key) {
			ch.vars = append(ch.vars[:i], ch.vars[i+1:]...)
			break
		}
	}
	if value != "" {
		ch.vars = append(ch.vars, esl.Header{Name: key, Value: value})
	}
}

// add appends variables that are new to the channel. The caller holds mu.
func (ch *channel) add(pairs ...string) {
	for i := 0; i < len(pairs); i += 2 {
		ch.vars = append(ch.vars, esl.Header{Name: "variable_" + pairs[i], Value: pairs[i+1]})
	}
}

// get returns a variable, or one of the names that FreeSWITCH answers from the
// caller profile. The caller holds mu.
func (ch *channel) get(name string) (string, bool) {
	for i := range ch.vars {
		if v := ch.vars[i].Name; len(v) == len(name)+9 && strings.EqualFold(v[9:], name) {
			return ch.vars[i].Value, true
		}
	}
	p := &ch.profile
	value := ""
	switch strings.ToLower(name) {
	case "caller_id_name":
		value = p.cidName
	case "caller_id_number":
		value = p.cidNumber
	case "callee_id_name":
		value = p.calleeName
	case "callee_id_number":
		value = p.calleeNumber
	case "destination_number":
		value = p.dest
	case "ani":
		value = p.ani
	case "context":
		value = p.context
	case "dialplan":
		value = p.dialplan
	case "source":
		value = p.source
	case "network_addr":
		value = p.network
	case "state":
		value = stateNames[ch.running]
	case "uuid":
		value = ch.uuid
	case "channel_name":
		value = ch.name
	}
	return value, value != ""
}

func (ch *channel) variable(name string) (string, bool) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	return ch.get(name)
}

func (ch *channel) setVariable(name, value string) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	ch.set(name, value)
	ch.noteChange()
}

// noteChange wakes those who wait for the channel to reach a state. The caller
// holds mu.
func (ch *channel) noteChange() {
	close(ch.changed)
	ch.changed = make(chan struct{})
}

// nudge tells the session goroutine that there is something to look at.
func (ch *channel) nudge() {
	select {
	case ch.signal <- struct{}{}:
	default:
	}
}

// alive says that the channel has not hung up.
func (ch *channel) alive() bool {
	select {
	case <-ch.gone:
		return false
	default:
		return true
	}
}

// expand replaces ${name} by the channel's variable, or else the global one.
func (ch *channel) expand(s string) string {
	if !strings.Contains(s, "${") {
		return s
	}
	return expandVariables(s, func(name string) string {
		if value, ok := ch.variable(name); ok {
			return value
		}
		return ch.core.global(name)
	})
}

func expandVariables(s string, value func(string) string) string {
	var b strings.Builder
	for {
		start := strings.Index(s, "${")
		if start < 0 {
			break
		}
		end := strings.IndexByte(s[start:], '}')
		if end < 0 {
			break
		}
		b.WriteString(s[:start])
		b.WriteString(value(s[start+2 : start+end]))
		s = s[start+end+1:]
	}
	b.WriteString(s)
	return b.String()
}
