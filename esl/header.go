package esl

import "fmt"

// Header is one header of an event or a reply, as on the wire but with URL or JSON
// encoding removed.
type Header struct {
	Name  string
	Value string
}

// Format is the shape in which FreeSWITCH writes events.
type Format uint8

// The formats that FreeSWITCH knows. The zero value is Plain, which also decodes
// fastest.
const (
	Plain Format = iota
	JSON
	XML
)

// String returns the word that the event command takes: plain, json or xml.
func (f Format) String() string {
	switch f {
	case JSON:
		return "json"
	case XML:
		return "xml"
	default:
		return "plain"
	}
}

// ParseFormat returns the format called name: plain, json or xml.
func ParseFormat(name string) (Format, error) {
	switch name {
	case "plain":
		return Plain, nil
	case "json":
		return JSON, nil
	case "xml":
		return XML, nil
	}
	return Plain, fmt.Errorf("esl: unknown event format %q: plain, json and xml are allowed", name)
}

// Limits bounds how much memory one frame of a peer can take. A zero field means
// its default.
type Limits struct {
	// Header is the longest header block, in bytes. Default 1 MiB.
	Header int
	// Body is the longest body, in bytes. Default 16 MiB, FreeSWITCH's own bound.
	Body int
}

const (
	defaultHeaderLimit = 1 << 20
	defaultBodyLimit   = 16 << 20
)

func (l Limits) withDefaults() Limits {
	if l.Header <= 0 {
		l.Header = defaultHeaderLimit
	}
	if l.Body <= 0 {
		l.Body = defaultBodyLimit
	}
	return l
}
