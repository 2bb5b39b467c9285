package esl

import (
	"bytes"
	"fmt"
	"iter"
	"math"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/genesis-esl/genesis/internal/peek"
)

// Event is one event from FreeSWITCH. It is immutable, safe for concurrent use, and
// stays valid for as long as it is kept.
//
// Header names are looked up without regard to ASCII case, and the first match
// wins, as in FreeSWITCH. Values are decoded when asked for. A string from an Event
// may share the event's memory: to keep single values of many events, keep their
// strings.Clone.
type Event struct {
	block
	id   uint8         // index into eventNames, 0 for a name that is not there
	uuid atomic.Uint32 // where the Unique-ID stands, once somebody has asked; see UUID
}

// ParseEvent decodes an event from the body of a text/event-plain, text/event-json
// or text/event-xml frame, which it copies. The error is ErrProtocol when body is
// not of that format at all.
func ParseEvent(format Format, body []byte) (*Event, error) {
	switch format {
	case JSON:
		if !bytes.HasPrefix(bytes.TrimLeft(body, " \r\n\t"), []byte("{")) {
			return nil, fmt.Errorf("%w: a JSON event that starts with %q", ErrProtocol, clip(body))
		}
		return newEvent(body, jsonObject), nil
	case XML:
		if !bytes.Contains(body, []byte("<headers>")) {
			return nil, fmt.Errorf("%w: an XML event without headers: %q", ErrProtocol, clip(body))
		}
		return newEvent(body, xmlElements), nil
	default:
		return newEvent(body, plainEncoded), nil
	}
}

// clip cuts what is quoted in an error.
func clip(b []byte) []byte { return b[:min(len(b), 40)] }

func newEvent(text []byte, kind dialect) *Event {
	e := new(Event)
	e.init(text, kind)
	e.id = e.identify()
	return e
}

// identify finds the event's name.
func (e *Event) identify() uint8 {
	if id, ok := e.firstName(); ok && id != 0 {
		return id
	}
	return eventID(e.Get("Event-Name"))
}

// firstName finds the event's name without making the index where the name stands first,
// as it does in all events but those from sendevent.
func (e *Event) firstName() (id uint8, ok bool) {
	first, closing := "", byte('\n')
	switch e.kind {
	case plainEncoded:
		first = "Event-Name: "
	case jsonObject:
		first, closing = `{"Event-Name":"`, '"'
	default:
		return 0, false
	}
	if name, ok := strings.CutPrefix(e.string(0, int(e.size)), first); ok {
		if i := strings.IndexByte(name, closing); i >= 0 {
			return eventID(strings.TrimSuffix(name[:i], "\r")), true
		}
	}
	return 0, false
}

// Name returns the Event-Name, such as CHANNEL_ANSWER. A log line is called LOG:
// its headers are Log-Level, Text-Channel, Log-File, Log-Func, Log-Line and
// User-Data, its body is the line. A notice that the connection or the call ends is
// called SERVER_DISCONNECTED (headers Content-Disposition, Linger-Time, …).
func (e *Event) Name() string {
	if e.id != 0 {
		return eventNames[e.id]
	}
	return e.Get("Event-Name")
}

// Subclass returns the Event-Subclass of a CUSTOM event, such as sofia::register.
func (e *Event) Subclass() string { return e.Get("Event-Subclass") }

// UUID returns the Unique-ID: the channel that the event is about, or "".
func (e *Event) UUID() string {
	// Whoever takes an event asks for this: who queues it, who counts it, who handles it.
	switch at := e.uuid.Load(); at {
	case 0:
		return e.findUUID()
	case noUUID:
		return ""
	default:
		from := int(at / maxUUID)
		return e.string(from, from+int(at%maxUUID))
	}
}

// A place of a Unique-ID is its offset times maxUUID and its length, which is less than that.
const (
	maxUUID = 1 << 8
	noUUID  = 1
)

// findUUID looks for the Unique-ID, and remembers where it stands if it does so in plain sight.
func (e *Event) findUUID() string {
	value, _ := e.lookup("Unique-ID")
	if value == "" {
		e.uuid.Store(noUUID)
		return ""
	}
	from := uintptr(unsafe.Pointer(unsafe.StringData(value))) - uintptr(unsafe.Pointer(unsafe.SliceData(e.buf)))
	if from < uintptr(e.size) && from <= math.MaxUint32/maxUUID && len(value) < maxUUID {
		e.uuid.Store(uint32(from)*maxUUID + uint32(len(value)))
	}
	return value
}

func init() {
	peek.Channel = func(event any) (state, direction, answer, cause string) { return event.(*Event).channel() }
}

// channel is peek.Channel. FreeSWITCH writes what it tells of a channel in the same order always, the Unique-ID
// in the midst of it.
func (e *Event) channel() (state, direction, answer, cause string) {
	near, at := 0, int(e.uuid.Load()/maxUUID)
	get := func(name string, from, to int) string {
		if at > 0 {
			if value, off := e.seekBetween(name, from, to); off >= 0 {
				near = off
				return value
			}
		}
		return e.Get(name)
	}
	if state = get("Channel-State", max(at-256, 0), at); state == "" {
		return "", "", "", ""
	}
	direction = get("Call-Direction", at, at+128)
	answer = get("Answer-State", max(near, at), at+512)
	switch answer {
	case "ringing", "early", "answered":
		// A channel has a cause once it is hung up. Not to look for it before spares reading such events to their end.
	default:
		cause = get("Hangup-Cause", near, near+64)
	}
	return state, direction, answer, cause
}

// Get returns the decoded value of the first header called name, or "". A header
// with several values reads ARRAY::one|:two, as FreeSWITCH writes it.
func (e *Event) Get(name string) string {
	value, _ := e.lookup(name)
	return value
}

// Lookup is Get that tells a missing header from an empty one.
func (e *Event) Lookup(name string) (value string, ok bool) { return e.lookup(name) }

// Values returns the values of all headers called name, with arrays split into their
// values.
func (e *Event) Values(name string) []string { return e.values(name) }

// Variable returns the channel variable called name: the header variable_NAME.
func (e *Event) Variable(name string) string { return e.Get("variable_" + name) }

// Len returns the number of headers.
func (e *Event) Len() int { return e.index() }

// Headers yields the headers in the order of the wire, values decoded.
func (e *Event) Headers() iter.Seq2[string, string] { return e.headers }

func (b *block) headers(yield func(name, value string) bool) {
	for i := range b.index() {
		if name := b.name(i); name != "" && !yield(name, b.value(i)) {
			return
		}
	}
}

// Body returns the body, or "". Only the escapes of the format itself are decoded.
func (e *Event) Body() string {
	e.endKnown()
	switch e.kind {
	case jsonObject:
		if e.end < e.size {
			return e.jsonString(int(e.end))
		}
		return ""
	case xmlElements:
		return e.xmlBody()
	}
	rest := e.string(int(e.end), int(e.size))
	if cut, ok := strings.CutPrefix(rest, "\r\n"); ok {
		return cut
	}
	return strings.TrimPrefix(rest, "\n")
}

// Sequence returns the Event-Sequence, which counts the events of a FreeSWITCH
// core as they are created; 0 when there is none.
func (e *Event) Sequence() uint64 {
	n, _ := strconv.ParseUint(e.Get("Event-Sequence"), 10, 64)
	return n
}

// Timestamp returns when FreeSWITCH created the event, to the microsecond; the
// zero time when the event does not say.
func (e *Event) Timestamp() time.Time {
	us, err := strconv.ParseInt(e.Get("Event-Date-Timestamp"), 10, 64)
	if err != nil || us <= 0 {
		return time.Time{}
	}
	return time.UnixMicro(us)
}

// Size returns about how many bytes of memory the event takes. The number does not change.
func (e *Event) Size() int { return int(e.size) + int(e.size)/8 }

// String returns the event's name and channel, for logs.
func (e *Event) String() string {
	name := e.Name()
	if sub := e.Subclass(); sub != "" {
		name += " " + sub
	}
	if uuid := e.UUID(); uuid != "" {
		name += " " + uuid
	}
	return name
}
