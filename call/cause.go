package call

// Cause is a hangup cause: why a call ended or was never set up, by FreeSWITCH's
// name, such as "USER_BUSY". A cause unknown to this package keeps its name. The
// zero value means that no cause is known.
//
// A Cause is an error, so that a caller can write
//
//	if errors.Is(err, call.UserBusy) { … }
//
// with the *HangupError that operations return.
type Cause string

// The causes of FreeSWITCH 1.10 and 1.11, with the number each has there. Up to
// 127 the numbers are those of ITU-T Q.850.
const (
	None                        Cause = "NONE"                           // 0
	UnallocatedNumber           Cause = "UNALLOCATED_NUMBER"             // 1
	NoRouteTransitNet           Cause = "NO_ROUTE_TRANSIT_NET"           // 2
	NoRouteDestination          Cause = "NO_ROUTE_DESTINATION"           // 3
	ChannelUnacceptable         Cause = "CHANNEL_UNACCEPTABLE"           // 6
	CallAwardedDelivered        Cause = "CALL_AWARDED_DELIVERED"         // 7
	NormalClearing              Cause = "NORMAL_CLEARING"                // 16
	UserBusy                    Cause = "USER_BUSY"                      // 17
	NoUserResponse              Cause = "NO_USER_RESPONSE"               // 18
	NoAnswer                    Cause = "NO_ANSWER"                      // 19
	SubscriberAbsent            Cause = "SUBSCRIBER_ABSENT"              // 20
	CallRejected                Cause = "CALL_REJECTED"                  // 21
	NumberChanged               Cause = "NUMBER_CHANGED"                 // 22
	RedirectionToNewDestination Cause = "REDIRECTION_TO_NEW_DESTINATION" // 23
	ExchangeRoutingError        Cause = "EXCHANGE_ROUTING_ERROR"         // 25
	DestinationOutOfOrder       Cause = "DESTINATION_OUT_OF_ORDER"       // 27
	InvalidNumberFormat         Cause = "INVALID_NUMBER_FORMAT"          // 28
	FacilityRejected            Cause = "FACILITY_REJECTED"              // 29
	ResponseToStatusEnquiry     Cause = "RESPONSE_TO_STATUS_ENQUIRY"     // 30
	NormalUnspecified           Cause = "NORMAL_UNSPECIFIED"             // 31
	NormalCircuitCongestion     Cause = "NORMAL_CIRCUIT_CONGESTION"      // 34
	NetworkOutOfOrder           Cause = "NETWORK_OUT_OF_ORDER"           // 38
	NormalTemporaryFailure      Cause = "NORMAL_TEMPORARY_FAILURE"       // 41
	SwitchCongestion            Cause = "SWITCH_CONGESTION"              // 42
	AccessInfoDiscarded         Cause = "ACCESS_INFO_DISCARDED"          // 43
	RequestedChanUnavail        Cause = "REQUESTED_CHAN_UNAVAIL"         // 44
	PreEmpted                   Cause = "PRE_EMPTED"                     // 45
	FacilityNotSubscribed       Cause = "FACILITY_NOT_SUBSCRIBED"        // 50
	OutgoingCallBarred          Cause = "OUTGOING_CALL_BARRED"           // 52
	IncomingCallBarred          Cause = "INCOMING_CALL_BARRED"           // 54
	BearerCapabilityNotAuth     Cause = "BEARERCAPABILITY_NOTAUTH"       // 57
	BearerCapabilityNotAvail    Cause = "BEARERCAPABILITY_NOTAVAIL"      // 58
	ServiceUnavailable          Cause = "SERVICE_UNAVAILABLE"            // 63
	BearerCapabilityNotImpl     Cause = "BEARERCAPABILITY_NOTIMPL"       // 65
	ChanNotImplemented          Cause = "CHAN_NOT_IMPLEMENTED"           // 66
	FacilityNotImplemented      Cause = "FACILITY_NOT_IMPLEMENTED"       // 69
	ServiceNotImplemented       Cause = "SERVICE_NOT_IMPLEMENTED"        // 79
	InvalidCallReference        Cause = "INVALID_CALL_REFERENCE"         // 81
	IncompatibleDestination     Cause = "INCOMPATIBLE_DESTINATION"       // 88
	InvalidMsgUnspecified       Cause = "INVALID_MSG_UNSPECIFIED"        // 95
	MandatoryIEMissing          Cause = "MANDATORY_IE_MISSING"           // 96
	MessageTypeNonexist         Cause = "MESSAGE_TYPE_NONEXIST"          // 97
	WrongMessage                Cause = "WRONG_MESSAGE"                  // 98
	IENonexist                  Cause = "IE_NONEXIST"                    // 99
	InvalidIEContents           Cause = "INVALID_IE_CONTENTS"            // 100
	WrongCallState              Cause = "WRONG_CALL_STATE"               // 101
	RecoveryOnTimerExpire       Cause = "RECOVERY_ON_TIMER_EXPIRE"       // 102
	MandatoryIELengthError      Cause = "MANDATORY_IE_LENGTH_ERROR"      // 103
	ProtocolError               Cause = "PROTOCOL_ERROR"                 // 111
	Interworking                Cause = "INTERWORKING"                   // 127
	Success                     Cause = "SUCCESS"                        // 142
	OriginatorCancel            Cause = "ORIGINATOR_CANCEL"              // 487
	Crash                       Cause = "CRASH"                          // 700
	SystemShutdown              Cause = "SYSTEM_SHUTDOWN"                // 701
	LoseRace                    Cause = "LOSE_RACE"                      // 702
	ManagerRequest              Cause = "MANAGER_REQUEST"                // 703
	BlindTransfer               Cause = "BLIND_TRANSFER"                 // 800
	AttendedTransfer            Cause = "ATTENDED_TRANSFER"              // 801
	AllottedTimeout             Cause = "ALLOTTED_TIMEOUT"               // 802
	UserChallenge               Cause = "USER_CHALLENGE"                 // 803
	MediaTimeout                Cause = "MEDIA_TIMEOUT"                  // 804
	PickedOff                   Cause = "PICKED_OFF"                     // 805
	UserNotRegistered           Cause = "USER_NOT_REGISTERED"            // 806
	ProgressTimeout             Cause = "PROGRESS_TIMEOUT"               // 807
	InvalidGateway              Cause = "INVALID_GATEWAY"                // 808
	GatewayDown                 Cause = "GATEWAY_DOWN"                   // 809
	InvalidURL                  Cause = "INVALID_URL"                    // 810
	InvalidProfile              Cause = "INVALID_PROFILE"                // 811
	NoPickup                    Cause = "NO_PICKUP"                      // 812
	SRTPReadError               Cause = "SRTP_READ_ERROR"                // 813
	Bowout                      Cause = "BOWOUT"                         // 814
	BusyEverywhere              Cause = "BUSY_EVERYWHERE"                // 815
	Decline                     Cause = "DECLINE"                        // 816
	DoesNotExistAnywhere        Cause = "DOES_NOT_EXIST_ANYWHERE"        // 817
	NotAcceptable               Cause = "NOT_ACCEPTABLE"                 // 818
	Unwanted                    Cause = "UNWANTED"                       // 819
	NoIdentity                  Cause = "NO_IDENTITY"                    // 820
	BadIdentityInfo             Cause = "BAD_IDENTITY_INFO"              // 821
	UnsupportedCertificate      Cause = "UNSUPPORTED_CERTIFICATE"        // 822
	InvalidIdentity             Cause = "INVALID_IDENTITY"               // 823
	StaleDate                   Cause = "STALE_DATE"                     // 824
	RejectAll                   Cause = "REJECT_ALL"                     // 825
)
