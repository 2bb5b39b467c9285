package call

// numbers holds each known cause's number in FreeSWITCH 1.10.12.
var numbers = map[Cause]int{
	None: 0, UnallocatedNumber: 1, NoRouteTransitNet: 2, NoRouteDestination: 3, ChannelUnacceptable: 6,
	CallAwardedDelivered: 7, NormalClearing: 16, UserBusy: 17, NoUserResponse: 18, NoAnswer: 19,
	SubscriberAbsent: 20, CallRejected: 21, NumberChanged: 22, RedirectionToNewDestination: 23,
	ExchangeRoutingError: 25, DestinationOutOfOrder: 27, InvalidNumberFormat: 28, FacilityRejected: 29,
	ResponseToStatusEnquiry: 30, NormalUnspecified: 31, NormalCircuitCongestion: 34, NetworkOutOfOrder: 38,
	NormalTemporaryFailure: 41, SwitchCongestion: 42, AccessInfoDiscarded: 43, RequestedChanUnavail: 44,
	PreEmpted: 45, FacilityNotSubscribed: 50, OutgoingCallBarred: 52, IncomingCallBarred: 54,
	BearerCapabilityNotAuth: 57, BearerCapabilityNotAvail: 58, ServiceUnavailable: 63,
	BearerCapabilityNotImpl: 65, ChanNotImplemented: 66, FacilityNotImplemented: 69, ServiceNotImplemented: 79,
	InvalidCallReference: 81, IncompatibleDestination: 88, InvalidMsgUnspecified: 95, MandatoryIEMissing: 96,
	MessageTypeNonexist: 97, WrongMessage: 98, IENonexist: 99, InvalidIEContents: 100, WrongCallState: 101,
	RecoveryOnTimerExpire: 102, MandatoryIELengthError: 103, ProtocolError: 111, Interworking: 127,
	Success: 142, OriginatorCancel: 487, Crash: 700, SystemShutdown: 701, LoseRace: 702, ManagerRequest: 703,
	BlindTransfer: 800, AttendedTransfer: 801, AllottedTimeout: 802, UserChallenge: 803, MediaTimeout: 804,
	PickedOff: 805, UserNotRegistered: 806, ProgressTimeout: 807, InvalidGateway: 808, GatewayDown: 809,
	InvalidURL: 810, InvalidProfile: 811, NoPickup: 812, SRTPReadError: 813, Bowout: 814, BusyEverywhere: 815,
	Decline: 816, DoesNotExistAnywhere: 817, NotAcceptable: 818, Unwanted: 819, NoIdentity: 820,
	BadIdentityInfo: 821, UnsupportedCertificate: 822, InvalidIdentity: 823, StaleDate: 824, RejectAll: 825,
}

// Known tells whether the cause is one of this package's constants.
func (c Cause) Known() bool {
	_, ok := numbers[c]
	return ok
}

// Number is FreeSWITCH's number for the cause, -1 for one that is not known.
func (c Cause) Number() int {
	if n, ok := numbers[c]; ok {
		return n
	}
	return -1
}

// Q850 is the ITU-T Q.850 number of the cause, as FreeSWITCH itself puts it into
// variable_hangup_cause_q850 (recording h1_async_full): its own number up to 127,
// 16 (normal clearing) for a cause that Q.850 does not have, 0 when there is no
// cause.
func (c Cause) Q850() int {
	switch n := c.Number(); {
	case c == "" || n == 0:
		return 0
	case n < 0 || n > Interworking.Number():
		return NormalClearing.Number()
	default:
		return n
	}
}

// CauseOf returns the cause whose FreeSWITCH number is n, "" when there is none.
func CauseOf(n int) Cause {
	for c, number := range numbers {
		if number == n {
			return c
		}
	}
	return ""
}

// Error makes a cause an error to compare with.
func (c Cause) Error() string {
	if c == "" {
		return "call ended, cause unknown"
	}
	return "call ended: " + string(c)
}

// label is the cause as a metric label: one of a closed set.
func (c Cause) label() string {
	if c == "" {
		return "unknown"
	}
	if !c.Known() {
		return "other"
	}
	return string(c)
}
