package esl

import "strconv"

// The functions in this file write what FreeSWITCH writes, byte for byte, each
// one complete frame. They are for whoever plays FreeSWITCH: package esltest
// above all. They append to dst and return the longer slice, as append does, so
// that a server can gather a burst of frames in one write.

const hexDigits = "0123456789ABCDEF"

// urlUnsafe holds, for each byte, whether FreeSWITCH writes it as %XX in the
// values of plain and xml events. The other punctuation, '/' and ',' above
// all, stands as it is (tone_stream%3A//%25(500,200,440,480)%3Bloops%3D2 in
// h1_async_full).
var urlUnsafe = func() (unsafe [256]bool) {
	for c := range unsafe {
		unsafe[c] = c < ' ' || c > '~'
	}
	for _, c := range []byte("\r\n \"#%&+:;<=>?@[\\]^`{|}") {
		unsafe[c] = true
	}
	return unsafe
}()

// AppendURLEncoded appends value as FreeSWITCH encodes it in plain and xml events.
// A percent sign followed by two upper-case hex digits is left alone, because
// FreeSWITCH takes such a value to be encoded already (variable_v_pct in
// p_weird_vars_plain). It does not survive the plain format.
func AppendURLEncoded(dst []byte, value string) []byte {
	start := 0
	for i := 0; i < len(value); i++ {
		c := value[i]
		if !urlUnsafe[c] || c == '%' && encodedAt(value, i) {
			continue
		}
		dst = append(dst, value[start:i]...)
		dst = append(dst, '%', hexDigits[c>>4], hexDigits[c&15])
		start = i + 1
	}
	return append(dst, value[start:]...)
}

func encodedAt(value string, i int) bool {
	return i+2 < len(value) && upperHex(value[i+1]) && upperHex(value[i+2])
}

func upperHex(c byte) bool {
	return '0' <= c && c <= '9' || 'A' <= c && c <= 'F'
}

// AppendEvent appends one complete event frame in the given format. A body that is
// not empty adds the Content-Length that FreeSWITCH adds after the headers. A value
// ARRAY::a|:b is written as FreeSWITCH writes a header with several values: a JSON
// array, or one XML element each.
func AppendEvent(dst []byte, f Format, headers []Header, body string) []byte {
	frame, length, start := openEventFrame(dst, f)
	switch f {
	case JSON:
		frame = appendJSONEvent(frame, headers, body)
	case XML:
		frame = appendXMLEvent(frame, headers, body)
	default:
		frame = appendPlainEvent(frame, headers, body)
	}
	return closeEventFrame(frame, length, start)
}

// lengthRoom is how many digits an event's length gets before it is known.
const lengthRoom = 8

// openEventFrame writes the outer header block with room for the length at
// index length; the event itself starts at index start.
func openEventFrame(dst []byte, f Format) (frame []byte, length, start int) {
	dst = append(dst, "Content-Length: "...)
	length = len(dst)
	dst = append(dst, "00000000\nContent-Type: text/event-"...)
	dst = append(dst, f.String()...)
	dst = append(dst, "\n\n"...)
	return dst, length, len(dst)
}

// closeEventFrame fills in the length of the event and moves what is behind the
// digits up or down to fit them.
func closeEventFrame(frame []byte, length, start int) []byte {
	var digits [20]byte
	n := strconv.AppendInt(digits[:0], int64(len(frame)-start), 10)
	end := len(frame) + len(n) - lengthRoom
	if end > len(frame) {
		frame = append(frame, make([]byte, end-len(frame))...)
	}
	copy(frame[length+len(n):], frame[length+lengthRoom:])
	copy(frame[length:], n)
	return frame[:end]
}

func appendPlainEvent(dst []byte, headers []Header, body string) []byte {
	for i := range headers {
		dst = append(dst, headers[i].Name...)
		dst = append(dst, ": "...)
		dst = AppendURLEncoded(dst, headers[i].Value)
		dst = append(dst, '\n')
	}
	if body != "" {
		dst = append(dst, "Content-Length: "...)
		dst = strconv.AppendInt(dst, int64(len(body)), 10)
		dst = append(dst, '\n')
	}
	dst = append(dst, '\n')
	return append(dst, body...)
}

// AppendReply appends a command/reply with the given Reply-Text, followed by the
// headers in extra. Nothing is encoded: a newline in text makes a continuation
// line, as with FreeSWITCH.
func AppendReply(dst []byte, text string, extra ...Header) []byte {
	dst = append(dst, "Content-Type: command/reply\nReply-Text: "...)
	dst = append(dst, text...)
	dst = append(dst, '\n')
	return append(appendRawHeaders(dst, extra), '\n')
}

// AppendConnectReply appends the reply to an outbound socket's connect: the
// channel's headers, URL-encoded, then the headers of the reply itself, which
// the caller puts last (h1_async_full: Content-Type is the 103rd of 106).
func AppendConnectReply(dst []byte, headers []Header) []byte {
	for i := range headers {
		value := headers[i].Value
		dst = append(dst, headers[i].Name...)
		dst = append(dst, ": "...)
		if headers[i].Name == "Content-Type" {
			dst = append(dst, value...)
		} else {
			dst = AppendURLEncoded(dst, value)
		}
		dst = append(dst, '\n')
	}
	return append(dst, '\n')
}

// AppendAPIResponse appends the api/response with a command's output. Empty
// output is written as FreeSWITCH writes it, "-ERR no reply\n".
func AppendAPIResponse(dst []byte, output string) []byte {
	if output == "" {
		output = "-ERR no reply\n"
	}
	dst = append(dst, "Content-Type: api/response\nContent-Length: "...)
	dst = strconv.AppendInt(dst, int64(len(output)), 10)
	dst = append(dst, "\n\n"...)
	return append(dst, output...)
}

// AppendAuthRequest appends the first frame of an inbound connection.
func AppendAuthRequest(dst []byte) []byte {
	return append(dst, "Content-Type: auth/request\n\n"...)
}

// Goodbye is the text with which FreeSWITCH closes a connection.
const Goodbye = "Disconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n"

// AppendDisconnectNotice appends the frame that announces the end of the
// connection. uuid is the channel that an outbound socket controls, empty for an
// inbound connection; text is Goodbye, except for a shutdown.
func AppendDisconnectNotice(dst []byte, uuid, text string) []byte {
	dst = append(dst, "Content-Type: text/disconnect-notice\n"...)
	if uuid != "" {
		dst = append(dst, "Controlled-Session-UUID: "...)
		dst = append(dst, uuid...)
		dst = append(dst, "\nContent-Disposition: disconnect\n"...)
	}
	dst = append(dst, "Content-Length: "...)
	dst = strconv.AppendInt(dst, int64(len(text)), 10)
	dst = append(dst, "\n\n"...)
	return append(dst, text...)
}

// AppendLingerNotice appends the frame that tells a lingering outbound socket that
// its call has ended. seconds is -1 for a linger without a time.
func AppendLingerNotice(dst []byte, uuid, channelName string, seconds int) []byte {
	dst = append(dst, "Content-Type: text/disconnect-notice\nControlled-Session-UUID: "...)
	dst = append(dst, uuid...)
	dst = append(dst, "\nContent-Disposition: linger\nChannel-Name: "...)
	dst = append(dst, channelName...)
	dst = append(dst, "\nLinger-Time: "...)
	dst = strconv.AppendInt(dst, int64(seconds), 10)
	return append(dst, "\nContent-Length: 0\n\n"...)
}

// AppendRudeRejection appends the frame that an address refused by the ACL gets in
// place of the auth/request. FreeSWITCH sends a disconnect notice after it.
func AppendRudeRejection(dst []byte) []byte {
	return append(dst, "Content-Type: text/rude-rejection\nContent-Length: 24\n\nAccess Denied, go away.\n"...)
}

// AppendLog appends a log/data frame. headers are those that follow
// Content-Length: Log-Level, Text-Channel, Log-File, Log-Func, Log-Line,
// User-Data.
func AppendLog(dst []byte, headers []Header, line string) []byte {
	dst = append(dst, "Content-Type: log/data\nContent-Length: "...)
	dst = strconv.AppendInt(dst, int64(len(line)), 10)
	dst = append(dst, '\n')
	dst = append(appendRawHeaders(dst, headers), '\n')
	return append(dst, line...)
}

func appendRawHeaders(dst []byte, headers []Header) []byte {
	for i := range headers {
		dst = append(dst, headers[i].Name...)
		dst = append(dst, ": "...)
		dst = append(dst, headers[i].Value...)
		dst = append(dst, '\n')
	}
	return dst
}
