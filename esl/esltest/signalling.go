package esltest

import (
	"strconv"
	"strings"
	"time"

	"github.com/genesis-esl/genesis/esl"
)

// Who hangs up, besides the caller and the callee.
const (
	byPeer    = "peer"    // the other leg of a loopback pair
	byCommand = "command" // uuid_kill
)

// hangup ends the call, once; by is who ended it, for the records of
// Server.Call.
func (ch *channel) hangup(cause, by string) bool {
	ch.mu.Lock()
	if ch.state >= csHangup {
		ch.mu.Unlock()
		return false
	}
	ch.state = csHangup
	ch.cause = causeName(cause)
	ch.initiator = by
	ch.fire(evChannelHangup, srcHangup, nil)
	where := &logHangup
	switch by {
	case byPeer:
		where = &logPeerHangup
	case byCommand:
		where = &logKilled
	}
	ch.logf(where, "Hangup %s [%s] [%s]", ch.name, stateNames[ch.running], ch.cause)
	if ch.kind == "loopback" {
		ch.logf(&logKillChannel, "%s CHANNEL KILL", ch.name)
	}
	close(ch.gone)
	ch.mu.Unlock()
	return true
}

// answer picks the call up. On a loopback's b-leg its a-leg is answered first,
// as the recordings show it.
func (ch *channel) answer() {
	ch.mu.Lock()
	peer, mine := ch.peer, !ch.answered && ch.state < csHangup
	ch.mu.Unlock()
	if !mine {
		return
	}
	if peer != nil && ch.profile.direction == inboundCall {
		peer.markAnswered()
	}
	ch.markAnswered()
	ch.setVariable("endpoint_disposition", "ANSWER")
}

func (ch *channel) markAnswered() {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if ch.answered || ch.state >= csHangup {
		return
	}
	now := time.Now()
	if ch.profile.direction == inboundCall {
		ch.logf(&logAnswered, "Channel [%s] has been answered", ch.name)
	} else {
		ch.logf(&logAnsweredA, "Channel [%s] has been answered", ch.name)
	}
	ch.answered = true
	ch.answerAt = now.UnixMicro()
	ch.profile.answered = micros(now)
	ch.fire(evChannelAnswer, srcAnswer, nil)
	ch.setCallState(ccsActive)
}

// ring says that the called party is being alerted (180).
func (ch *channel) ring() {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if ch.ringReady || ch.answered || ch.state >= csHangup {
		return
	}
	ch.ringReady = true
	ch.profile.progress = micros(time.Now())
	ch.fire(evChannelProgress, srcProgress, nil)
	ch.setCallState(ccsRinging)
	if peer := ch.peer; peer != nil && ch.profile.direction == inboundCall {
		peer.ring()
	}
}

// preAnswer opens early media (183).
func (ch *channel) preAnswer() {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	ch.markEarly()
}

// markEarly is preAnswer for a caller that holds mu.
func (ch *channel) markEarly() {
	if ch.early || ch.answered || ch.state >= csHangup {
		return
	}
	ch.early = true
	ch.profile.progressMedia = micros(time.Now())
	ch.fire(evChannelProgressMedia, srcMedia, nil)
	ch.setCallState(ccsEarly)
	ch.set("endpoint_disposition", "EARLY MEDIA")
	if peer := ch.peer; peer != nil && ch.profile.direction == inboundCall {
		peer.preAnswer()
	}
}

// press queues digits for the application that runs on the channel.
func (ch *channel) press(digits, source string, duration int) {
	ch.mu.Lock()
	for i := 0; i < len(digits); i++ {
		ch.dtmf = append(ch.dtmf, dtmf{digits[i], duration, source})
	}
	ch.mu.Unlock()
	ch.nudge()
}

// takeDigit dequeues one digit and announces it.
func (ch *channel) takeDigit() (dtmf, bool) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if len(ch.dtmf) == 0 {
		return dtmf{}, false
	}
	d := ch.dtmf[0]
	ch.dtmf = ch.dtmf[1:]
	ch.dialed = append(ch.dialed, d.digit)
	ch.fire(evDTMF, srcDTMF, nil,
		esl.Header{Name: "DTMF-Digit", Value: string(d.digit)},
		esl.Header{Name: "DTMF-Duration", Value: strconv.Itoa(d.duration)},
		esl.Header{Name: "DTMF-Source", Value: d.source})
	return d, true
}

// sendDigits sends digits from the channel to its far end: the other leg of a
// loopback pair hears them, anybody else keeps them to himself.
func (ch *channel) sendDigits(digits string, duration int) {
	ch.mu.Lock()
	peer := ch.peer
	ch.set("last_dtmf_duration", strconv.Itoa(duration+250))
	ch.sentDigits = append(ch.sentDigits, digits...)
	ch.noteChange()
	ch.mu.Unlock()
	if peer != nil {
		peer.press(digits, "UNKNOWN", duration)
	}
}

// queueMessage hands a sendmsg to the session goroutine.
func (ch *channel) queueMessage(req *esl.Request) {
	ch.mu.Lock()
	ch.messages = append(ch.messages, message{req, time.Now().Add(ch.core.scale(ch.core.srv.cfg.Frame))})
	ch.mu.Unlock()
	ch.nudge()
}

// stopApp makes the running application return, as uuid_break does.
func (ch *channel) stopApp() {
	ch.mu.Lock()
	ch.broken = true
	ch.mu.Unlock()
	ch.nudge()
}

// redirect sends the channel to other applications.
func (ch *channel) redirect(dest, dialplan, context string, apps []Action) {
	ch.mu.Lock()
	ch.apps = apps
	if dest != "" {
		ch.profile.dest = dest
	}
	if dialplan != "" {
		ch.profile.dialplan = dialplan
	}
	if context != "" {
		ch.profile.context = context
	}
	ch.profile.transfer = micros(time.Now())
	ch.transfer = true
	ch.advance(csRouting) // at once; that it runs this state comes later
	partner := ch.partner
	ch.mu.Unlock()
	ch.nudge()
	if partner != nil {
		partner.nudge()
	}
}

// q850 maps hangup causes to the numbers of Q.850; FreeSWITCH's own causes
// count as 16 (SYSTEM_SHUTDOWN in z_shutdown_while_connected).
func q850(cause string) int {
	if n, ok := causeNumbers[cause]; ok && n < 128 {
		return n
	}
	return 16
}

var causeNumbers = func() map[string]int {
	numbers := make(map[string]int, len(hangupCauses))
	for n, name := range hangupCauses {
		numbers[name] = n
	}
	return numbers
}()

// causeName accepts a cause by name or by number.
func causeName(cause string) string {
	if cause == "" {
		return "NORMAL_CLEARING"
	}
	if n, err := strconv.Atoi(cause); err == nil {
		if name, ok := hangupCauses[n]; ok {
			return name
		}
		return "NORMAL_CLEARING"
	}
	cause = strings.ToUpper(cause)
	if _, ok := causeNumbers[cause]; ok {
		return cause
	}
	return "NORMAL_CLEARING"
}

var hangupCauses = map[int]string{
	0: "NONE", 1: "UNALLOCATED_NUMBER", 2: "NO_ROUTE_TRANSIT_NET", 3: "NO_ROUTE_DESTINATION",
	6: "CHANNEL_UNACCEPTABLE", 7: "CALL_AWARDED_DELIVERED", 16: "NORMAL_CLEARING", 17: "USER_BUSY",
	18: "NO_USER_RESPONSE", 19: "NO_ANSWER", 20: "SUBSCRIBER_ABSENT", 21: "CALL_REJECTED",
	22: "NUMBER_CHANGED", 23: "REDIRECTION_TO_NEW_DESTINATION", 25: "EXCHANGE_ROUTING_ERROR",
	27: "DESTINATION_OUT_OF_ORDER", 28: "INVALID_NUMBER_FORMAT", 29: "FACILITY_REJECTED",
	30: "RESPONSE_TO_STATUS_ENQUIRY", 31: "NORMAL_UNSPECIFIED", 34: "NORMAL_CIRCUIT_CONGESTION",
	38: "NETWORK_OUT_OF_ORDER", 41: "NORMAL_TEMPORARY_FAILURE", 42: "SWITCH_CONGESTION",
	43: "ACCESS_INFO_DISCARDED", 44: "REQUESTED_CHAN_UNAVAIL", 45: "PRE_EMPTED",
	50: "FACILITY_NOT_SUBSCRIBED", 52: "OUTGOING_CALL_BARRED", 54: "INCOMING_CALL_BARRED",
	57: "BEARERCAPABILITY_NOTAUTH", 58: "BEARERCAPABILITY_NOTAVAIL", 63: "SERVICE_UNAVAILABLE",
	65: "BEARERCAPABILITY_NOTIMPL", 66: "CHAN_NOT_IMPLEMENTED", 69: "FACILITY_NOT_IMPLEMENTED",
	79: "SERVICE_NOT_IMPLEMENTED", 81: "INVALID_CALL_REFERENCE", 88: "INCOMPATIBLE_DESTINATION",
	95: "INVALID_MSG_UNSPECIFIED", 96: "MANDATORY_IE_MISSING", 97: "MESSAGE_TYPE_NONEXIST",
	98: "WRONG_MESSAGE", 99: "IE_NONEXIST", 100: "INVALID_IE_CONTENTS", 101: "WRONG_CALL_STATE",
	102: "RECOVERY_ON_TIMER_EXPIRE", 103: "MANDATORY_IE_LENGTH_ERROR", 111: "PROTOCOL_ERROR",
	127: "INTERWORKING", 142: "SUCCESS", 487: "ORIGINATOR_CANCEL", 500: "CRASH",
	501: "SYSTEM_SHUTDOWN", 502: "LOSE_RACE", 503: "MANAGER_REQUEST", 600: "BLIND_TRANSFER",
	601: "ATTENDED_TRANSFER", 602: "ALLOTTED_TIMEOUT", 603: "USER_CHALLENGE", 604: "MEDIA_TIMEOUT",
	605: "PICKED_OFF", 606: "USER_NOT_REGISTERED", 607: "PROGRESS_TIMEOUT", 608: "INVALID_GATEWAY",
	609: "GATEWAY_DOWN", 610: "INVALID_URL", 611: "INVALID_PROFILE", 612: "NO_PICKUP",
	613: "SRTP_READ_ERROR", 614: "BOWOUT", 615: "BUSY_EVERYWHERE", 616: "DECLINE",
	617: "DOES_NOT_EXIST_ANYWHERE", 618: "NOT_ACCEPTABLE", 619: "UNWANTED", 620: "NO_IDENTITY",
	621: "BAD_IDENTITY_INFO", 622: "UNSUPPORTED_CERTIFICATE", 623: "INVALID_IDENTITY", 624: "STALE_DATE",
	625: "REJECT_ALL",
}
