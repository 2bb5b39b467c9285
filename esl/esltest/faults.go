package esltest

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// FaultKind says what goes wrong.
type FaultKind string

// The kinds of faults. "Once it is due" means: when Bytes bytes or Events events
// have been written on the connection and After has passed since it was made,
// whichever of these are set; a fault with none of them is due at once.
const (
	// FaultCut closes the connection once it is due, in the middle of a frame if Bytes
	// says so.
	FaultCut FaultKind = "cut"
	// FaultHalfOpen makes the connection dead once it is due: nothing is sent or read
	// any more, but it stays open.
	FaultHalfOpen FaultKind = "half-open"
	// FaultStall stops sending for the time For once it is due; forever when For is 0.
	FaultStall FaultKind = "stall"
	// FaultSplit writes Chunk bytes at a time (default 1), For apart.
	FaultSplit FaultKind = "split"
	// FaultMerge gathers what is sent within For (default 50 ms) in one write.
	FaultMerge FaultKind = "merge"
	// FaultDelay delays every write by For.
	FaultDelay FaultKind = "delay"
	// FaultRefuse resets connections as soon as they are made.
	FaultRefuse FaultKind = "refuse"
	// FaultACL refuses connections by the access control list.
	FaultACL FaultKind = "acl"
	// FaultPassword refuses every password.
	FaultPassword FaultKind = "wrong-password"
	// FaultRestart restarts FreeSWITCH once, when After has passed since its start.
	FaultRestart FaultKind = "restart"
	// FaultLateHeartbeat sends HEARTBEATs late by For.
	FaultLateHeartbeat FaultKind = "late-heartbeat"
	// FaultNoHeartbeat leaves HEARTBEATs out.
	FaultNoHeartbeat FaultKind = "no-heartbeat"
	// FaultLostEvents disconnects the client once it is due, as FreeSWITCH does with a
	// client that is too slow for its events.
	FaultLostEvents FaultKind = "lost-events"
	// FaultGarbage writes bytes that do not belong to the protocol once it is due.
	FaultGarbage FaultKind = "garbage"
	// FaultOversized announces a frame of Bytes bytes (default 2 GiB) at the
	// start of the connection, or After that.
	FaultOversized FaultKind = "oversized"
)

var faultKinds = []FaultKind{FaultCut, FaultHalfOpen, FaultStall, FaultSplit, FaultMerge, FaultDelay, FaultRefuse, FaultACL,
	FaultPassword, FaultRestart, FaultLateHeartbeat, FaultNoHeartbeat, FaultLostEvents, FaultGarbage, FaultOversized}

// Fault is one thing that goes wrong. Set it in Config.Faults, or inject it into a
// running server.
type Fault struct {
	Kind FaultKind
	// Bytes and Events are how much is sent on a connection before the fault occurs.
	Bytes, Events int
	// After is the time before the fault occurs: since the connection was made, or for
	// FaultRestart since the server was started.
	After time.Duration
	// For is how long it lasts; see the kinds.
	For time.Duration
	// Chunk is the size of FaultSplit's writes.
	Chunk int
	// Count is how many connections (or heartbeats) the fault hits. 0: all.
	Count int
	// Direction limits the fault to "inbound" connections, those of clients,
	// or to "outbound" ones, those to outbound servers. Empty: both.
	Direction string
}

// ParseFault reads a fault from a string, as on the command line: a kind, and after
// a colon its settings, separated by commas:
//
//	cut:bytes=2000,count=1
//	stall:events=10,for=5s
//	split:chunk=7
//	restart:after=30s
//
// The settings are bytes, events, after, for, chunk, count and direction.
func ParseFault(s string) (Fault, error) {
	kind, settings, _ := strings.Cut(strings.TrimSpace(s), ":")
	f := Fault{Kind: FaultKind(strings.TrimSpace(kind))}
	if settings != "" {
		for setting := range strings.SplitSeq(settings, ",") {
			if err := f.setting(setting); err != nil {
				return Fault{}, fmt.Errorf("esltest: fault %q: %w", s, err)
			}
		}
	}
	if err := f.check(); err != nil {
		return Fault{}, err
	}
	return f, nil
}

func (f *Fault) setting(s string) error {
	name, value, ok := strings.Cut(strings.TrimSpace(s), "=")
	if !ok {
		return fmt.Errorf("setting %q has no value", s)
	}
	number := func(field *int) error {
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 {
			return fmt.Errorf("%s must be a number from 0, not %q", name, value)
		}
		*field = n
		return nil
	}
	span := func(field *time.Duration) error {
		d, err := time.ParseDuration(value)
		if err != nil || d < 0 {
			return fmt.Errorf("%s must be a time such as 500ms or 2s, not %q", name, value)
		}
		*field = d
		return nil
	}
	switch name {
	case "bytes":
		return number(&f.Bytes)
	case "events":
		return number(&f.Events)
	case "chunk":
		return number(&f.Chunk)
	case "count":
		return number(&f.Count)
	case "after":
		return span(&f.After)
	case "for":
		return span(&f.For)
	case "direction":
		f.Direction = value
		return nil
	}
	return fmt.Errorf("unknown setting %q; there are bytes, events, after, for, chunk, count and direction", name)
}

func (f *Fault) check() error {
	known := false
	for _, kind := range faultKinds {
		known = known || f.Kind == kind
	}
	if !known {
		names := make([]string, len(faultKinds))
		for i, kind := range faultKinds {
			names[i] = string(kind)
		}
		return fmt.Errorf("esltest: unknown fault %q; there are %s", f.Kind, strings.Join(names, ", "))
	}
	if f.Direction != "" && f.Direction != inboundCall && f.Direction != outboundCall {
		return fmt.Errorf("esltest: fault %s: direction is inbound or outbound, not %q", f.Kind, f.Direction)
	}
	if f.Kind == FaultRestart && f.After <= 0 {
		return errors.New("esltest: fault restart needs after")
	}
	return nil
}

// String returns the fault as ParseFault reads it.
func (f Fault) String() string {
	var parts []string
	add := func(name string, set bool, value any) {
		if set {
			parts = append(parts, fmt.Sprintf("%s=%v", name, value))
		}
	}
	add("bytes", f.Bytes != 0, f.Bytes)
	add("events", f.Events != 0, f.Events)
	add("after", f.After != 0, f.After)
	add("for", f.For != 0, f.For)
	add("chunk", f.Chunk != 0, f.Chunk)
	add("count", f.Count != 0, f.Count)
	add("direction", f.Direction != "", f.Direction)
	if len(parts) == 0 {
		return string(f.Kind)
	}
	return string(f.Kind) + ":" + strings.Join(parts, ",")
}

// liveFault is a fault and how often it may still strike.
type liveFault struct {
	Fault
	left int // -1: always
}

// Inject makes a fault occur from now on, also on connections that are already
// open. The error is for an invalid fault.
func (s *Server) Inject(f Fault) error {
	if err := f.check(); err != nil {
		return err
	}
	live := newLiveFault(f)
	s.faultMu.Lock()
	s.faults = append(s.faults, live)
	s.faultMu.Unlock()
	c := s.current()
	if c == nil {
		return nil
	}
	if f.Kind == FaultRestart {
		s.scheduleRestart(c, live)
		return nil
	}
	for _, l := range c.allListeners() {
		if l.fault != nil && f.strikesMidway() && s.takes(live, l.direction()) {
			l.fault.add(f)
		}
	}
	return nil
}

// Heal ends all faults, including those of the Config. Stalled data is sent at
// once. Connections that a fault has already made dead stay dead.
func (s *Server) Heal() {
	s.faultMu.Lock()
	s.faults = nil
	s.faultMu.Unlock()
	if c := s.current(); c != nil {
		for _, l := range c.allListeners() {
			if l.fault != nil {
				l.fault.heal()
			}
		}
	}
}

func newLiveFault(f Fault) *liveFault {
	left := f.Count
	if left == 0 {
		left = -1
	}
	return &liveFault{f, left}
}

// strikesMidway says that a fault hits connections that are open.
func (f *Fault) strikesMidway() bool {
	switch f.Kind {
	case FaultRefuse, FaultACL, FaultPassword, FaultRestart, FaultLateHeartbeat, FaultNoHeartbeat:
		return false
	}
	return true
}

// takes uses one of the fault's strikes on a connection.
func (s *Server) takes(f *liveFault, direction string) bool {
	s.faultMu.Lock()
	defer s.faultMu.Unlock()
	if f.left == 0 || f.Direction != "" && direction != "" && f.Direction != direction {
		return false
	}
	if f.left > 0 {
		f.left--
	}
	return true
}

// strike finds a fault of a kind and uses one of its strikes.
func (s *Server) strike(kind FaultKind) (Fault, bool) {
	s.faultMu.Lock()
	faults := s.faults
	s.faultMu.Unlock()
	for _, f := range faults {
		if f.Kind == kind && s.takes(f, inboundCall) {
			return f.Fault, true
		}
	}
	return Fault{}, false
}

func (s *Server) scheduleRestart(c *core, f *liveFault) {
	if !c.begin() {
		return
	}
	defer c.wg.Done()
	timer := time.NewTimer(f.After)
	c.wg.Go(func() {
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-c.ctx.Done():
			return
		}
		s.faultMu.Lock()
		healed := !slices.Contains(s.faults, f)
		s.faultMu.Unlock()
		if !healed {
			// The restart waits for this goroutine.
			s.ending.Go(func() { s.Restart() })
		}
	})
}
