package esltest

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/genesis-esl/genesis/esl"
)

// event is built once and encoded once a format, however many listeners get it.
type event struct {
	id       eventID
	subclass string
	uuid     string // Unique-ID
	owner    string // Job-Owner-UUID: the channel whose socket started the job
	headers  []esl.Header
	body     string
	frames   [3]atomic.Pointer[[]byte]
}

// frame returns the event as it stands on the wire. The bytes are shared.
func (e *event) frame(f esl.Format) []byte {
	if p := e.frames[f].Load(); p != nil {
		return *p
	}
	size := 512
	for i := range e.headers {
		size += len(e.headers[i].Name) + len(e.headers[i].Value) + 8
	}
	b := esl.AppendEvent(make([]byte, 0, size+len(e.body)), f, e.headers, e.body)
	e.frames[f].Store(&b)
	return b
}

func (e *event) get(name string) string {
	for i := range e.headers {
		if strings.EqualFold(e.headers[i].Name, name) {
			return e.headers[i].Value
		}
	}
	return ""
}

// source is where in FreeSWITCH an event is made: Event-Calling-File and so on.
type source struct {
	file, function, line string
}

var (
	srcReadCodec  = source{"switch_core_codec.c", "switch_core_session_set_read_codec", "300"}
	srcWriteCodec = source{"switch_core_codec.c", "switch_core_session_set_write_codec", "471"}
	srcUUID       = source{"switch_core_session.c", "switch_core_session_set_uuid", "2056"}
	srcOutgoing   = source{"switch_core_session.c", "switch_core_session_outgoing_channel", "768"}
	srcState      = source{"switch_channel.c", "switch_channel_perform_set_running_state", "2409"}
	srcCreate     = source{"switch_core_state_machine.c", "switch_core_session_run", "626"}
	srcOriginate  = source{"switch_core_state_machine.c", "switch_core_session_run", "632"}
	srcCallState  = source{"switch_channel.c", "switch_channel_perform_set_callstate", "302"}
	srcExecute    = source{"switch_core_session.c", "switch_core_session_exec", "2949"}
	srcComplete   = source{"switch_core_session.c", "switch_core_session_exec", "2972"}
	srcAnswer     = source{"switch_channel.c", "switch_channel_perform_mark_answered", "3848"}
	srcProgress   = source{"switch_channel.c", "switch_channel_perform_mark_ring_ready_value", "3541"}
	srcMedia      = source{"switch_channel.c", "switch_channel_perform_mark_pre_answered", "3610"}
	srcFlip       = source{"switch_channel.c", "switch_channel_flip_cid", "3279"}
	srcAPI        = source{"switch_loadable_module.c", "switch_api_execute", "3140"}
	srcPlayStart  = source{"switch_ivr_play_say.c", "switch_ivr_play_file", "1649"}
	srcPlayStop   = source{"switch_ivr_play_say.c", "switch_ivr_play_file", "2023"}
	srcRecStart   = source{"switch_ivr_play_say.c", "switch_ivr_record_file_event", "662"}
	srcRecStop    = source{"switch_ivr_play_say.c", "switch_ivr_record_file_event", "952"}
	srcDTMF       = source{"switch_channel.c", "switch_channel_dequeue_dtmf", "678"}
	srcHold       = source{"switch_ivr.c", "switch_ivr_hold", "1558"}
	srcUnhold     = source{"switch_ivr.c", "switch_ivr_unhold", "1622"}
	srcHangup     = source{"switch_channel.c", "switch_channel_perform_hangup", "3447"}
	srcReporting  = source{"switch_core_state_machine.c", "switch_core_session_reporting_state", "943"}
	srcDestroy    = source{"switch_core_session.c", "switch_core_session_perform_destroy", "1588"}
	srcPark       = source{"switch_ivr.c", "switch_ivr_park", "1002"}
	srcUnpark     = source{"switch_ivr.c", "switch_ivr_park", "1213"}
	srcBridge     = source{"switch_ivr_bridge.c", "switch_ivr_multi_threaded_bridge", "1709"}
	srcUnbridge   = source{"switch_ivr_bridge.c", "audio_bridge_thread", "916"}
	srcJob        = source{"mod_event_socket.c", "api_exec", "1580"}
	srcConnect    = source{"mod_event_socket.c", "parse_command", "2029"}
	srcSendEvent  = source{"mod_event_socket.c", "parse_command", "2283"}
	srcHeartbeat  = source{"switch_core.c", "send_heartbeat", "95"}
	srcReschedule = source{"switch_scheduler.c", "switch_scheduler_execute", "71"}
	srcDump       = source{"mod_commands.c", "uuid_dump_function", "6240"}
)

// base returns the headers every event has, with room for more. The sequence
// counts the event as created, whether anybody listens or not.
func (c *core) base(id eventID, src source, room int) []esl.Header {
	return c.stamp(make([]esl.Header, 0, 14+room), id, src, c.seq.Add(1), time.Now())
}

func (c *core) stamp(h []esl.Header, id eventID, src source, seq uint64, now time.Time) []esl.Header {
	cfg := &c.srv.cfg
	return append(h,
		esl.Header{Name: "Event-Name", Value: eventNames[id]},
		esl.Header{Name: "Core-UUID", Value: c.uuid},
		esl.Header{Name: "FreeSWITCH-Hostname", Value: cfg.Hostname},
		esl.Header{Name: "FreeSWITCH-Switchname", Value: cfg.Switchname},
		esl.Header{Name: "FreeSWITCH-IPv4", Value: cfg.IPv4},
		esl.Header{Name: "FreeSWITCH-IPv6", Value: cfg.IPv6},
		esl.Header{Name: "Event-Date-Local", Value: now.Format("2006-01-02 15:04:05")},
		esl.Header{Name: "Event-Date-GMT", Value: now.UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT")},
		esl.Header{Name: "Event-Date-Timestamp", Value: strconv.FormatInt(now.UnixMicro(), 10)},
		esl.Header{Name: "Event-Calling-File", Value: src.file},
		esl.Header{Name: "Event-Calling-Function", Value: src.function},
		esl.Header{Name: "Event-Calling-Line-Number", Value: src.line},
		esl.Header{Name: "Event-Sequence", Value: strconv.FormatUint(seq, 10)},
	)
}

// baseCustom is base for a CUSTOM event, whose subclass stands in front.
func (c *core) baseCustom(subclass string, src source, room int) []esl.Header {
	h := make([]esl.Header, 0, 15+room)
	if subclass != "" {
		h = append(h, esl.Header{Name: "Event-Subclass", Value: subclass})
	}
	return c.stamp(h, evCustom, src, c.seq.Add(1), time.Now())
}

// fire makes an event that belongs to no channel and sends it to whoever
// listens.
func (c *core) fire(id eventID, src source, body string, headers ...esl.Header) {
	if !c.wanted(id, "") {
		c.seq.Add(1)
		return
	}
	c.publish(&event{id: id, headers: append(c.base(id, src, len(headers)), headers...), body: body})
}

// newUUID returns a random UUID in FreeSWITCH's spelling. It needs to be unique,
// not secret.
func newUUID() string {
	const digits = "0123456789abcdef"
	hi, lo := rand.Uint64(), rand.Uint64()
	hi = hi&^0xf000 | 0x4000
	lo = lo&^(3<<62) | 2<<62
	var b [36]byte
	n := 0
	for i := range 32 {
		switch i {
		case 8, 12, 16, 20:
			b[n] = '-'
			n++
		}
		word := hi
		if i >= 16 {
			word = lo
		}
		b[n] = digits[word>>(60-4*(i%16))&15]
		n++
	}
	return string(b[:])
}
