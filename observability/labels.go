package observability

import (
	"strings"
	"sync"

	"github.com/genesis-esl/genesis/esl"
)

// other stands for every label value outside the known ones.
const other = "other"

// words is a closed set of label values: nothing, other and those that are known.
// Looking one up returns the set's own string, so that no series keeps the memory of the
// event it came from.
type words []string

func wordsOf(list string) words { return append(words{"", other}, strings.Fields(list)...) }

// of returns value if it is known, "" if it is empty, else other.
func (w words) of(value string) string { return w[w.index(value)] }

// index returns where value, or other, stands in the set. The sets are so small that to
// go through one takes less than to hash the value.
func (w words) index(value string) uint8 {
	for i, word := range w {
		if word == value {
			return uint8(i)
		}
	}
	return 1
}

// openWords is a set of label values that grows up to a bound: names that this
// process's user chooses (subclasses subscribed to) but a peer could invent too.
type openWords struct {
	mu    sync.Mutex
	known map[string]string
	limit int
}

// maxWord bounds the length of a label value in bytes.
const maxWord = 128

func (w *openWords) of(value string) string {
	if value == "" {
		return ""
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if own, ok := w.known[value]; ok {
		return own
	}
	if len(w.known) >= w.limit || len(value) > maxWord {
		return other
	}
	own := strings.ToValidUTF8(strings.Clone(value), "?")
	w.known[own] = own
	return own
}

// eventName returns name if it is one of FreeSWITCH's, else other.
func eventName(name string) string {
	if esl.IsEventName(name) {
		return strings.Clone(name)
	}
	return other
}

// short returns value as a label value: valid UTF-8 of bounded length, with memory
// of its own.
func short(value string) string {
	if len(value) > maxWord {
		value = value[:maxWord]
	}
	return strings.ToValidUTF8(strings.Clone(value), "?")
}

// The closed sets, as FreeSWITCH 1.10 and 1.11 know them.
var (
	directions    = wordsOf(`inbound outbound`)
	channelStates = wordsOf(`CS_NEW CS_INIT CS_ROUTING CS_SOFT_EXECUTE CS_EXECUTE CS_EXCHANGE_MEDIA CS_PARK
		CS_CONSUME_MEDIA CS_HIBERNATE CS_RESET CS_HANGUP CS_REPORTING CS_DESTROY CS_NONE`)
	answerStates = wordsOf(`ringing early answered hangup`)
	hangupCauses = wordsOf(`NONE UNALLOCATED_NUMBER NO_ROUTE_TRANSIT_NET NO_ROUTE_DESTINATION CHANNEL_UNACCEPTABLE
		CALL_AWARDED_DELIVERED NORMAL_CLEARING USER_BUSY NO_USER_RESPONSE NO_ANSWER SUBSCRIBER_ABSENT CALL_REJECTED
		NUMBER_CHANGED REDIRECTION_TO_NEW_DESTINATION EXCHANGE_ROUTING_ERROR DESTINATION_OUT_OF_ORDER
		INVALID_NUMBER_FORMAT FACILITY_REJECTED RESPONSE_TO_STATUS_ENQUIRY NORMAL_UNSPECIFIED
		NORMAL_CIRCUIT_CONGESTION NETWORK_OUT_OF_ORDER NORMAL_TEMPORARY_FAILURE SWITCH_CONGESTION
		ACCESS_INFO_DISCARDED REQUESTED_CHAN_UNAVAIL PRE_EMPTED FACILITY_NOT_SUBSCRIBED OUTGOING_CALL_BARRED
		INCOMING_CALL_BARRED BEARERCAPABILITY_NOTAUTH BEARERCAPABILITY_NOTAVAIL SERVICE_UNAVAILABLE
		BEARERCAPABILITY_NOTIMPL CHAN_NOT_IMPLEMENTED FACILITY_NOT_IMPLEMENTED SERVICE_NOT_IMPLEMENTED
		INVALID_CALL_REFERENCE INCOMPATIBLE_DESTINATION INVALID_MSG_UNSPECIFIED MANDATORY_IE_MISSING
		MESSAGE_TYPE_NONEXIST WRONG_MESSAGE IE_NONEXIST INVALID_IE_CONTENTS WRONG_CALL_STATE
		RECOVERY_ON_TIMER_EXPIRE MANDATORY_IE_LENGTH_ERROR PROTOCOL_ERROR INTERWORKING SUCCESS ORIGINATOR_CANCEL
		CRASH SYSTEM_SHUTDOWN LOSE_RACE MANAGER_REQUEST BLIND_TRANSFER ATTENDED_TRANSFER ALLOTTED_TIMEOUT
		USER_CHALLENGE MEDIA_TIMEOUT PICKED_OFF USER_NOT_REGISTERED PROGRESS_TIMEOUT INVALID_GATEWAY GATEWAY_DOWN
		INVALID_URL INVALID_PROFILE NO_PICKUP SRTP_READ_ERROR BOWOUT BUSY_EVERYWHERE DECLINE DOES_NOT_EXIST_ANYWHERE
		NOT_ACCEPTABLE UNWANTED NO_IDENTITY BAD_IDENTITY_INFO UNSUPPORTED_CERTIFICATE INVALID_IDENTITY STALE_DATE
		REJECT_ALL`)
	commandWords = wordsOf(`api bgapi auth userauth event events myevents nixevent nixevents noevents divert_events filter
		sendevent sendmsg log nolog linger nolinger connect resume getvar exit session`)
)
