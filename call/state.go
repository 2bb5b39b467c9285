package call

// State is the state of a channel's state machine, Channel-State in events.
// States unknown to this package keep their name.
type State string

// FreeSWITCH's channel states, in the order in which a channel goes through them.
const (
	StateNew           State = "CS_NEW"
	StateInit          State = "CS_INIT"
	StateRouting       State = "CS_ROUTING"
	StateSoftExecute   State = "CS_SOFT_EXECUTE"
	StateExecute       State = "CS_EXECUTE"
	StateExchangeMedia State = "CS_EXCHANGE_MEDIA"
	StatePark          State = "CS_PARK"
	StateConsumeMedia  State = "CS_CONSUME_MEDIA"
	StateHibernate     State = "CS_HIBERNATE"
	StateReset         State = "CS_RESET"
	StateHangup        State = "CS_HANGUP"
	StateReporting     State = "CS_REPORTING"
	StateDestroy       State = "CS_DESTROY"
)

// Over tells whether a channel in this state has been hung up.
func (s State) Over() bool {
	return s == StateHangup || s == StateReporting || s == StateDestroy
}

// CallState is the state of a call as a user sees it, Channel-Call-State in events.
// States unknown to this package keep their name.
type CallState string

// FreeSWITCH's call states.
const (
	CallDown     CallState = "DOWN"
	CallDialing  CallState = "DIALING"
	CallRinging  CallState = "RINGING"
	CallEarly    CallState = "EARLY"
	CallActive   CallState = "ACTIVE"
	CallHeld     CallState = "HELD"
	CallRingWait CallState = "RING_WAIT"
	CallHangup   CallState = "HANGUP"
	CallUnheld   CallState = "UNHELD"
)

// AnswerState says how far a call has got, Answer-State in events. States unknown
// to this package keep their name.
type AnswerState string

// FreeSWITCH's answer states.
const (
	AnswerRinging  AnswerState = "ringing"
	AnswerEarly    AnswerState = "early"
	AnswerAnswered AnswerState = "answered"
	AnswerHangup   AnswerState = "hangup"
)
