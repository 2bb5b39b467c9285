package esl

import "strings"

// MarshalJSON writes the event in FreeSWITCH's own shape: one object, header
// names as keys in the order of the wire, an array where a header has several
// values, the body under _body. A header that comes twice is written twice, as
// FreeSWITCH does. Bytes that are not UTF-8 become U+FFFD.
func (e *Event) MarshalJSON() ([]byte, error) {
	return e.AppendJSON(make([]byte, 0, int(e.size)*5/4+64)), nil
}

// AppendJSON appends what MarshalJSON returns to dst.
func (e *Event) AppendJSON(dst []byte) []byte {
	dst = append(dst, '{')
	open := len(dst)
	for i := range e.index() {
		name := e.name(i)
		if name == "" {
			continue
		}
		if len(dst) > open {
			dst = append(dst, ',')
		}
		dst = appendJSONText(dst, name)
		dst = append(dst, ':')
		dst = appendJSONValue(dst, e.value(i))
	}
	if body := e.Body(); body != "" {
		if len(dst) > open {
			dst = append(dst, ',')
		}
		dst = append(dst, `"`+bodyKey+`":`...)
		dst = appendJSONText(dst, body)
	}
	return append(dst, '}')
}

func appendJSONValue(dst []byte, value string) []byte {
	values, ok := arrayValues(value)
	if !ok {
		return appendJSONText(dst, value)
	}
	dst = append(dst, '[')
	for i, one := range values {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendJSONText(dst, one)
	}
	return append(dst, ']')
}

// appendJSONText quotes s for readers that insist on UTF-8.
func appendJSONText(dst []byte, s string) []byte {
	return appendJSONString(dst, strings.ToValidUTF8(s, "\ufffd"))
}

// NewEvent makes an event from headers and a body, for simulators and tests. Header
// names are taken as they are: a name with a line break or a ": " in it does not
// survive.
func NewEvent(headers []Header, body string) *Event {
	size := 1 + len(body)
	for _, h := range headers {
		size += len(h.Name) + len(": \n") + len(h.Value)*5/4
	}
	text := make([]byte, 0, size)
	for _, h := range headers {
		text = append(append(text, h.Name...), ": "...)
		text = append(AppendURLEncoded(text, h.Value), '\n')
	}
	text = append(append(text, '\n'), body...)
	return newEvent(text, plainEncoded)
}
