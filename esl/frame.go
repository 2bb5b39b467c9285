package esl

import (
	"bytes"
	"strings"
)

// FrameType is the kind of a message from FreeSWITCH, by its Content-Type.
type FrameType uint8

// The kinds of frames. FrameUnknown is any other content type, which a client
// skips.
const (
	FrameUnknown FrameType = iota
	FrameAuthRequest
	FrameCommandReply
	FrameAPIResponse
	FrameEventPlain
	FrameEventJSON
	FrameEventXML
	FrameLog
	FrameDisconnectNotice
	FrameRudeRejection
)

var frameTypes = map[string]FrameType{
	"auth/request":           FrameAuthRequest,
	"command/reply":          FrameCommandReply,
	"api/response":           FrameAPIResponse,
	"text/event-plain":       FrameEventPlain,
	"text/event-json":        FrameEventJSON,
	"text/event-xml":         FrameEventXML,
	"log/data":               FrameLog,
	"text/disconnect-notice": FrameDisconnectNotice,
	"text/rude-rejection":    FrameRudeRejection,
}

// String returns the Content-Type, or "unknown".
func (t FrameType) String() string {
	for name, known := range frameTypes {
		if known == t {
			return name
		}
	}
	return "unknown"
}

// Frame is one message from FreeSWITCH, in a Decoder's buffer: it is valid until
// the next call of Next. Event and Reply copy what they return.
type Frame struct {
	// Type is the kind of the message.
	Type FrameType
	// Raw is the whole message: header block, empty line, body.
	Raw []byte

	body int // where in Raw the body starts
}

// Header returns the header block, without the empty line that closes it.
func (f Frame) Header() []byte { return bytes.TrimRight(f.Raw[:f.body], "\r\n") }

// Body returns the body: Content-Length bytes, or none.
func (f Frame) Body() []byte { return f.Raw[f.body:] }

// Get returns the first header of the outer block called name, as it stands on the
// wire, or "".
func (f Frame) Get(name string) string {
	var b block
	b.init(f.Raw[:f.body], plainRaw)
	value, _ := b.lookup(name)
	return value
}

// Event returns the event that the frame carries: a real one, a log line as LOG or
// a notice as SERVER_DISCONNECTED. It is nil for every other frame. The error is
// ErrProtocol when the body is not of the announced format.
func (f Frame) Event() (*Event, error) {
	switch f.Type {
	case FrameEventPlain:
		return newEvent(f.Body(), plainEncoded), nil
	case FrameEventJSON:
		return ParseEvent(JSON, f.Body())
	case FrameEventXML:
		return ParseEvent(XML, f.Body())
	case FrameLog:
		return f.outerEvent(logID), nil
	case FrameDisconnectNotice:
		return f.outerEvent(disconnectedID), nil
	}
	return nil, nil
}

// outerEvent makes an event of the frame's own headers and body.
func (f Frame) outerEvent(id uint8) *Event {
	e := &Event{id: id}
	e.init(f.Raw, plainRaw)
	return e
}

// Reply returns the answer that the frame carries to a command.
func (f Frame) Reply() *Reply {
	r := &Reply{api: f.Type == FrameAPIResponse}
	// The answer to connect is the one reply whose values are URL-encoded.
	if bytes.HasPrefix(f.Raw, []byte("Event-Name: ")) {
		r.event.init(f.Raw, plainEncoded)
		r.event.id = r.event.identify()
	} else {
		r.event.init(f.Raw, plainRaw)
	}
	return r
}

// Reply is FreeSWITCH's answer to a command. It is immutable and safe for
// concurrent use.
type Reply struct {
	event Event // the headers and the body of the frame
	api   bool
}

// Text returns FreeSWITCH's answer: the Reply-Text of a command/reply, such as "+OK
// accepted", or the output of an api command. Line breaks at its end are cut off;
// Body has the output untouched.
func (r *Reply) Text() string {
	if r.api {
		return strings.TrimRight(r.Body(), "\r\n")
	}
	return strings.TrimRight(r.Get("Reply-Text"), "\r\n")
}

// OK reports whether the command was carried out: the text starts with neither
// -ERR nor -USAGE.
func (r *Reply) OK() bool {
	text := r.Text()
	return !strings.HasPrefix(text, "-ERR") && !strings.HasPrefix(text, "-USAGE")
}

// Get returns the first header called name, or "".
func (r *Reply) Get(name string) string { return r.event.Get(name) }

// Lookup is Get that tells a missing header from an empty one.
func (r *Reply) Lookup(name string) (value string, ok bool) { return r.event.Lookup(name) }

// Body returns the output of an api command, exactly as it was sent, or "".
func (r *Reply) Body() string { return r.event.Body() }

// Event returns the reply's headers as an event: the channel, in the reply to
// connect (Event-Name CHANNEL_DATA).
func (r *Reply) Event() *Event { return &r.event }
