package esltest

import "strings"

// eventID numbers FreeSWITCH's events, so that a subscription is a bit set.
type eventID uint8

const (
	evCustom eventID = iota
	evClone
	evChannelCreate
	evChannelDestroy
	evChannelState
	evChannelCallState
	evChannelAnswer
	evChannelHangup
	evChannelHangupComplete
	evChannelExecute
	evChannelExecuteComplete
	evChannelHold
	evChannelUnhold
	evChannelBridge
	evChannelUnbridge
	evChannelProgress
	evChannelProgressMedia
	evChannelOutgoing
	evChannelPark
	evChannelUnpark
	evChannelApplication
	evChannelOriginate
	evChannelUUID
	evAPI
	evLog
	evInboundChan
	evOutboundChan
	evStartup
	evShutdown
	evPublish
	evUnpublish
	evTalk
	evNotalk
	evSessionCrash
	evModuleLoad
	evModuleUnload
	evDTMF
	evMessage
	evPresenceIn
	evNotifyIn
	evPresenceOut
	evPresenceProbe
	evMessageWaiting
	evMessageQuery
	evRoster
	evCodec
	evBackgroundJob
	evDetectedSpeech
	evDetectedTone
	evPrivateCommand
	evHeartbeat
	evTrap
	evAddSchedule
	evDelSchedule
	evExeSchedule
	evReSchedule
	evReloadXML
	evNotify
	evPhoneFeature
	evPhoneFeatureSubscribe
	evSendMessage
	evRecvMessage
	evRequestParams
	evChannelData
	evGeneral
	evCommand
	evSessionHeartbeat
	evClientDisconnected
	evServerDisconnected
	evSendInfo
	evRecvInfo
	evRecvRTCPMessage
	evSendRTCPMessage
	evCallSecure
	evNAT
	evRecordStart
	evRecordStop
	evPlaybackStart
	evPlaybackStop
	evCallUpdate
	evFailure
	evSocketData
	evMediaBugStart
	evMediaBugStop
	evConferenceDataQuery
	evConferenceData
	evCallSetupReq
	evCallSetupResult
	evCallDetail
	evDeviceState
	evText
	evShutdownRequested
	evAll
)

var eventNames = [...]string{
	"CUSTOM", "CLONE", "CHANNEL_CREATE", "CHANNEL_DESTROY", "CHANNEL_STATE", "CHANNEL_CALLSTATE",
	"CHANNEL_ANSWER", "CHANNEL_HANGUP", "CHANNEL_HANGUP_COMPLETE", "CHANNEL_EXECUTE",
	"CHANNEL_EXECUTE_COMPLETE", "CHANNEL_HOLD", "CHANNEL_UNHOLD", "CHANNEL_BRIDGE", "CHANNEL_UNBRIDGE",
	"CHANNEL_PROGRESS", "CHANNEL_PROGRESS_MEDIA", "CHANNEL_OUTGOING", "CHANNEL_PARK", "CHANNEL_UNPARK",
	"CHANNEL_APPLICATION", "CHANNEL_ORIGINATE", "CHANNEL_UUID", "API", "LOG", "INBOUND_CHAN",
	"OUTBOUND_CHAN", "STARTUP", "SHUTDOWN", "PUBLISH", "UNPUBLISH", "TALK", "NOTALK", "SESSION_CRASH",
	"MODULE_LOAD", "MODULE_UNLOAD", "DTMF", "MESSAGE", "PRESENCE_IN", "NOTIFY_IN", "PRESENCE_OUT",
	"PRESENCE_PROBE", "MESSAGE_WAITING", "MESSAGE_QUERY", "ROSTER", "CODEC", "BACKGROUND_JOB",
	"DETECTED_SPEECH", "DETECTED_TONE", "PRIVATE_COMMAND", "HEARTBEAT", "TRAP", "ADD_SCHEDULE",
	"DEL_SCHEDULE", "EXE_SCHEDULE", "RE_SCHEDULE", "RELOADXML", "NOTIFY", "PHONE_FEATURE",
	"PHONE_FEATURE_SUBSCRIBE", "SEND_MESSAGE", "RECV_MESSAGE", "REQUEST_PARAMS", "CHANNEL_DATA",
	"GENERAL", "COMMAND", "SESSION_HEARTBEAT", "CLIENT_DISCONNECTED", "SERVER_DISCONNECTED",
	"SEND_INFO", "RECV_INFO", "RECV_RTCP_MESSAGE", "SEND_RTCP_MESSAGE", "CALL_SECURE", "NAT",
	"RECORD_START", "RECORD_STOP", "PLAYBACK_START", "PLAYBACK_STOP", "CALL_UPDATE", "FAILURE",
	"SOCKET_DATA", "MEDIA_BUG_START", "MEDIA_BUG_STOP", "CONFERENCE_DATA_QUERY", "CONFERENCE_DATA",
	"CALL_SETUP_REQ", "CALL_SETUP_RESULT", "CALL_DETAIL", "DEVICE_STATE", "TEXT", "SHUTDOWN_REQUESTED",
	"ALL",
}

var eventIDs = func() map[string]eventID {
	ids := make(map[string]eventID, len(eventNames))
	for i, name := range eventNames {
		ids[name] = eventID(i)
	}
	return ids
}()

func (id eventID) String() string { return eventNames[id] }

// eventByName finds an event as FreeSWITCH does, in any case.
func eventByName(name string) (eventID, bool) {
	id, ok := eventIDs[strings.ToUpper(name)]
	return id, ok
}

// eventSet is a set of events.
type eventSet [2]uint64

func (s *eventSet) add(id eventID)      { s[id>>6] |= 1 << (id & 63) }
func (s *eventSet) remove(id eventID)   { s[id>>6] &^= 1 << (id & 63) }
func (s *eventSet) has(id eventID) bool { return s[id>>6]&(1<<(id&63)) != 0 }
func (s *eventSet) addAll()             { s[0], s[1] = ^uint64(0), ^uint64(0) }

func setOf(ids ...eventID) (s eventSet) {
	for _, id := range ids {
		s.add(id)
	}
	return s
}

// ownEvents is what myevents subscribes to (h1_async_full: no
// CHANNEL_CALLSTATE, no PLAYBACK_START).
var ownEvents = setOf(evChannelAnswer, evChannelApplication, evChannelBridge, evChannelCreate,
	evChannelData, evChannelDestroy, evChannelExecute, evChannelExecuteComplete, evChannelHangup,
	evChannelHangupComplete, evChannelOriginate, evChannelUUID, evChannelOutgoing, evChannelPark,
	evChannelProgress, evChannelProgressMedia, evChannelState, evChannelUnbridge, evChannelUnpark,
	evDetectedSpeech, evDTMF, evNotalk, evTalk)

// basicEvents carry the channel's state and caller but not its variables.
var basicEvents = setOf(evChannelState, evChannelCallState, evCodec, evChannelOutgoing, evDTMF, evCustom,
	evTalk, evNotalk)
