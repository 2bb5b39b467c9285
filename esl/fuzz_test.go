package esl_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/genesis-esl/genesis/esl"
)

// The reference parsers in this file do what the protocol says in the plainest way
// there is. The fuzzers hold the real ones to them.

type refFrame struct {
	header map[string]string // outer names in lower case, the last one wins
	body   string
}

// refFrames cuts a stream into frames, up to the first one that is incomplete or
// says nothing sensible.
func refFrames(data string, limit int) (frames []refFrame) {
	for {
		data = strings.TrimLeft(data, "\r\n")
		f, n, replied := refFrame{header: map[string]string{}}, 0, false
		for {
			line, rest, ok := strings.Cut(data, "\n")
			if !ok {
				return frames
			}
			data = rest
			line = strings.TrimSuffix(line, "\r")
			if line == "" {
				break
			}
			name, value, ok := strings.Cut(line, ":")
			if !ok || replied && strings.HasPrefix(strings.ToLower(name), "content-") {
				continue // no header, or perhaps a value's line
			}
			replied = replied || name == "Reply-Text" && refReply(f.header["content-type"])
			value = strings.TrimSpace(value)
			f.header[strings.ToLower(name)] = value
			if strings.EqualFold(name, "Content-Length") {
				var err error
				if n, err = strconv.Atoi(value); err != nil || n < 0 || n > limit {
					return frames
				}
			}
		}
		if len(data) < n {
			return frames
		}
		f.body, data = data[:n], data[n:]
		frames = append(frames, f)
	}
}

// refReply reports whether a frame of this type is a reply when it has a Reply-Text.
func refReply(contentType string) bool {
	for kind := esl.FrameAuthRequest; kind <= esl.FrameRudeRejection; kind++ {
		if kind.String() == contentType {
			return kind == esl.FrameCommandReply
		}
	}
	return true
}

// FuzzDecoder holds the decoder to the reference, whole and byte by byte.
func FuzzDecoder(f *testing.F) {
	for _, name := range []string{"a_auth_ok", "b_auth_wrong", "l_rude_rejection", "n_framing_misc", "m2_heartbeat_json", "h6_async_full_exit"} {
		data := recording(f, name)
		f.Add(data[:min(len(data), 6000)])
	}
	f.Add([]byte("Content-Length: 5\r\nContent-Type: text/event-plain\r\n\r\nA: b\n\n\nReply-Text: x\n\n"))
	f.Add([]byte("Content-Type: command/reply\nReply-Text: x\nContent-Length: 5\n\nContent-Length: 2\nReply-Text: x\nContent-Length: 5\n\nab"))
	f.Add([]byte("Content-Length: -1\n\n"))
	f.Add([]byte("Content-Type: log/data\nContent-Length: 10737418240\n\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		const limit = 1 << 16
		limits := esl.Limits{Header: limit, Body: limit}
		want := refFrames(string(data), limit)
		for _, r := range []io.Reader{bytes.NewReader(data), iotest.OneByteReader(bytes.NewReader(data))} {
			d := esl.NewDecoder(r, limits)
			for i := 0; ; i++ {
				frame, err := d.Next()
				if err != nil {
					checkEnd(t, err)
					if i != len(want) {
						t.Fatalf("%d frames, then %v; want %d", i, err, len(want))
					}
					break
				}
				if i >= len(want) || string(frame.Body()) != want[i].body {
					t.Fatalf("frame %d: body %q; want %d frames: %q", i, frame.Body(), len(want), want)
				}
				lookInto(frame)
			}
		}
	})
}

func checkEnd(t *testing.T, err error) {
	t.Helper()
	for _, known := range []error{io.EOF, io.ErrUnexpectedEOF, esl.ErrProtocol, esl.ErrFrameTooLarge} {
		if errors.Is(err, known) {
			return
		}
	}
	t.Fatalf("an error without a kind: %v", err)
}

// lookInto asks a frame for all that it can tell.
func lookInto(frame esl.Frame) {
	_ = frame.Type.String() + frame.Get("Content-Type") + string(frame.Header())
	if r := frame.Reply(); r != nil {
		_ = r.Text() + r.Get("Job-UUID") + r.Body()
		lookAt(r.Event())
	}
	if e, err := frame.Event(); err == nil && e != nil {
		lookAt(e)
	}
}

func lookAt(e *esl.Event) {
	_ = e.Name() + e.Subclass() + e.UUID() + e.Variable("x") + e.Body() + e.String()
	_, _, _ = e.Sequence(), e.Timestamp(), e.Size()
	for name := range e.Headers() {
		_ = e.Values(name)
	}
	if _, err := e.MarshalJSON(); err != nil {
		panic(err)
	}
}

type pair struct{ name, value string }

func pairs(e *esl.Event) (all []pair) {
	for name, value := range e.Headers() {
		all = append(all, pair{name, value})
	}
	return all
}

// refPlain parses a plain event: a header a line, name up to the first colon and
// space, value URL-encoded; behind the empty line the body.
func refPlain(data string) (headers []pair, body string) {
	for data != "" {
		line, rest, _ := strings.Cut(data, "\n")
		data = rest
		if line = strings.TrimSuffix(line, "\r"); line == "" {
			return headers, data
		}
		name, value, _ := strings.Cut(line, ": ")
		headers = append(headers, pair{name, refUnescape(value)})
	}
	return headers, ""
}

func refUnescape(s string) string {
	var out strings.Builder
	for len(s) > 0 {
		if s[0] == '%' && len(s) >= 3 {
			if decoded, err := url.PathUnescape(s[:3]); err == nil {
				out.WriteString(decoded)
				s = s[3:]
				continue
			}
		}
		out.WriteByte(s[0])
		s = s[1:]
	}
	return out.String()
}

// FuzzPlainEvent holds headers, their order, look-ups and body to the reference.
func FuzzPlainEvent(f *testing.F) {
	f.Add("Event-Name: CHANNEL_ANSWER\nUnique-ID: a%20b\nvariable_v:colon: x%0Ay\nevent-name: again\nEmpty: \n\nbody\n\nmore")
	f.Add("A: %\nB: %4\nC: %zz%41+\r\n\r\nb")
	f.Add("Event-Name: X\nContent-Length: 3\nContent-Length: 4\n\nabcd")
	f.Fuzz(func(t *testing.T, data string) {
		e, err := esl.ParseEvent(esl.Plain, []byte(data))
		if err != nil {
			t.Fatal(err)
		}
		lookAt(e)
		for line := range strings.Lines(data) {
			line = strings.TrimRight(line, "\n")
			if line == "" || line == "\r" {
				break
			}
			// What FreeSWITCH never writes need only do no harm.
			if i := strings.Index(line, ": "); i < 1 || strings.Contains(line, "\r") && !strings.HasSuffix(line, "\r") || strings.Count(line, "\r") > 1 || strings.HasPrefix(line, "\r") {
				return
			}
		}
		headers, body := refPlain(data)
		if got := pairs(e); !slices.Equal(got, headers) || e.Body() != body {
			t.Fatalf("headers %q, body %q\nwant    %q, body %q", got, e.Body(), headers, body)
		}
		checkLookups(t, e, headers)
	})
}

// checkLookups asks for every name in another case; the first one counts.
func checkLookups(t *testing.T, e *esl.Event, headers []pair) {
	t.Helper()
	for _, h := range headers {
		first := slices.IndexFunc(headers, func(o pair) bool { return asciiUpper(o.name) == asciiUpper(h.name) })
		for _, name := range []string{h.name, asciiUpper(h.name)} {
			if got, ok := e.Lookup(name); !ok || got != headers[first].value {
				t.Fatalf("Lookup(%q) is %q, %v; want %q", name, got, ok, headers[first].value)
			}
		}
	}
}

func asciiUpper(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'a' <= c && c <= 'z' {
			b[i] = c - 32
		}
	}
	return string(b)
}

// refJSON parses an event with encoding/json; ok is false for what is no flat
// object of strings and arrays of strings.
func refJSON(data []byte) (headers []pair, body string, ok bool) {
	d := json.NewDecoder(bytes.NewReader(data))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil, "", false
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, "", false
		}
		var value any
		if err := d.Decode(&value); err != nil {
			return nil, "", false
		}
		text, isText := value.(string)
		if list, isList := value.([]any); isList {
			var texts []string
			for _, item := range list {
				s, isText := item.(string)
				if !isText {
					return nil, "", false
				}
				texts = append(texts, s)
			}
			text, isText = strings.Join(texts, "|:"), true
			if len(texts) > 1 {
				text = "ARRAY::" + text
			}
		}
		if !isText {
			return nil, "", false
		}
		if name == "_body" {
			body = text
			continue
		}
		headers = append(headers, pair{name.(string), text})
	}
	_, err := d.Token()
	return headers, body, err == nil && !d.More()
}

// FuzzJSONEvent compares with encoding/json wherever that can read the event.
func FuzzJSONEvent(f *testing.F) {
	f.Add([]byte(`{"Event-Name":"HEARTBEAT","A":"x\n\u00e9\ud83d\ude00\/\\","L":["a","b"],"_body":"text","A":"again"}`))
	f.Add([]byte(`{ "Event-Name" : "X" , "\u0041" : "" , "E":[] }`))
	f.Add([]byte(`{"A":"\xff\xfe","B":{"C":["}"]},"D":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := esl.ParseEvent(esl.JSON, data)
		if err != nil {
			return
		}
		lookAt(e)
		headers, body, ok := refJSON(data)
		// Lone surrogates are the one thing that encoding/json changes; invalid UTF-8 is
		// passed on here and replaced there.
		if !ok || !utf8.Valid(data) || bytes.Contains(bytes.ToLower(data), []byte(`\ud`)) {
			return
		}
		if slices.ContainsFunc(headers, func(h pair) bool { return h.name == "" }) {
			return
		}
		if got := pairs(e); !slices.Equal(got, headers) || e.Body() != body {
			t.Fatalf("headers %q, body %q\nwant    %q, body %q", got, e.Body(), headers, body)
		}
		checkLookups(t, e, headers)
	})
}

// FuzzXMLEvent asks only that nothing breaks: what FreeSWITCH writes as XML need
// not be well-formed. FuzzEventRoundTrip holds what is read to what was written.
func FuzzXMLEvent(f *testing.F) {
	f.Add([]byte("<event>\n  <headers>\n    <Event-Name>X</Event-Name>\n    <a<b>x%20y</a<b>\n    <E/>\n  </headers>\n  <Content-Length>3</Content-Length>\n  <body>a&amp;</body>\n</event>\n"))
	f.Add([]byte("<headers>\n<>\n</>\n<x\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if e, err := esl.ParseEvent(esl.XML, data); err == nil {
			lookAt(e)
		}
	})
}

// FuzzEventRoundTrip writes an event as FreeSWITCH does and reads it back.
func FuzzEventRoundTrip(f *testing.F) {
	f.Add(uint8(0), "variable_x", "value with % and \n", "body\n")
	f.Add(uint8(1), "Name", "\"\\\u2028\x01", "")
	f.Add(uint8(2), "Name", "<&>", "<body>&amp;\n")
	f.Fuzz(func(t *testing.T, kind uint8, name, value, body string) {
		format := esl.Format(kind % 3)
		if !fitForWire(format, name, value, body) {
			return
		}
		frame := esl.AppendEvent(nil, format, []esl.Header{{Name: "Event-Name", Value: "CUSTOM"}, {Name: name, Value: value}}, body)
		d := esl.NewDecoder(bytes.NewReader(frame), esl.Limits{})
		got, err := d.Next()
		if err != nil {
			t.Fatalf("%q: %v", frame, err)
		}
		e, err := got.Event()
		if err != nil {
			t.Fatalf("%q: %v", frame, err)
		}
		if v, ok := e.Lookup(name); !ok || v != value || e.Body() != body || e.Name() != "CUSTOM" {
			t.Fatalf("%s: name %q value %q body %q\nread %q, %v, body %q of %q", format, name, value, body, v, ok, e.Body(), frame)
		}
		if _, err := d.Next(); err != io.EOF {
			t.Fatalf("behind the event: %v", err)
		}
	})
}

// fitForWire leaves out what the formats cannot carry, as FreeSWITCH writes them.
func fitForWire(format esl.Format, name, value, body string) bool {
	for _, taken := range []string{"Event-Name", "Content-Length", "_body"} {
		if strings.EqualFold(name, taken) {
			return false
		}
	}
	if name == "" || strings.ContainsAny(name, ":\r\n \x00") || strings.HasPrefix(value, "ARRAY::") || !utf8.ValidString(name+value+body) {
		return false
	}
	encoded := string(esl.AppendURLEncoded(nil, value))
	if format != esl.JSON && refUnescape(encoded) != value {
		return false // what looks encoded already is not encoded again
	}
	if format == esl.XML {
		return !strings.ContainsAny(name, "<>&/\t") && !strings.ContainsAny(body, "\r") && strings.TrimRight(body, " ") == body
	}
	return true
}
