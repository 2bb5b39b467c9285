package program

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"

	"github.com/genesis-esl/genesis/call"
	"github.com/genesis-esl/genesis/esl"
)

// request is a line that a program wrote and that means something.
type request struct {
	id   json.RawMessage // as the program wrote it; nil when it wants no reply
	verb string
	arg  json.RawMessage
	more map[string]json.RawMessage // the fields that go with the verb; nil for none
	size int                        // the memory it takes, about
}

// errNoRequest says that a line is just output.
var errNoRequest = errors.New("program: not a request")

// verbs maps each verb to the further fields that it may have.
type verbs map[string][]string

// parseRequest reads a line. The error is errNoRequest unless the line is an
// object with one of the verbs; it is another error when it is, and is wrong.
func (v verbs) parseRequest(line []byte) (request, error) {
	line = bytes.TrimLeft(line, " \t\r\n") // JSON's white space
	if len(line) == 0 || line[0] != '{' || !utf8.Valid(line) {
		return request{}, errNoRequest
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(line, &fields) != nil {
		return request{}, errNoRequest
	}
	r := request{size: len(line) + requestSize}
	found := 0
	for name := range fields {
		if _, ok := v[name]; ok {
			r.verb, found = name, found+1
		}
	}
	if found == 0 {
		return request{}, errNoRequest
	}
	if id, ok := fields["id"]; ok {
		if id[0] != '"' && id[0] != '-' && (id[0] < '0' || id[0] > '9') {
			return r, invalid("id must be a string or a number")
		}
		r.id = id
		delete(fields, "id")
	}
	if found > 1 {
		return r, invalid("more than one command in a line")
	}
	r.arg, r.more = fields[r.verb], fields
	delete(fields, r.verb)
	for name := range fields {
		if !slices.Contains(v[r.verb], name) {
			return r, invalid("unknown field %q", name)
		}
	}
	if len(fields) == 0 {
		r.more = nil // it may wait for long
	} else {
		r.size += requestSize
	}
	return r, nil
}

// decode reads the verb's own value.
func (r request) decode(into any) error { return decodeField(r.verb, r.arg, into) }

// field reads a further field, if it is there.
func (r request) field(name string, into any) error {
	raw, ok := r.more[name]
	if !ok {
		return nil
	}
	return decodeField(name, raw, into)
}

func decodeField(name string, raw json.RawMessage, into any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	err := d.Decode(into)
	var typeErr *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &typeErr):
		where := name
		if typeErr.Field != "" {
			where += "." + typeErr.Field
		}
		return invalid("%s: a %s does not fit here", where, typeErr.Value)
	case errors.Is(err, io.EOF):
		return invalid("%s: no value", name)
	default:
		return invalid("%s: %v", name, err)
	}
}

// text reads the verb's value as a string that must not be empty.
func (r request) text() (string, error) {
	var s string
	if err := r.decode(&s); err != nil {
		return "", err
	}
	if s == "" {
		return "", invalid("%s: empty", r.verb)
	}
	return s, nil
}

// yes reads a verb whose only value is true.
func (r request) yes() error {
	var on bool
	if err := r.decode(&on); err != nil {
		return err
	}
	if !on {
		return invalid("%s: only true fits here", r.verb)
	}
	return nil
}

// invalidError is a request that makes no sense.
type invalidError struct{ text string }

func (e *invalidError) Error() string { return e.text }

func invalid(format string, args ...any) error { return &invalidError{fmt.Sprintf(format, args...)} }

// reply is the answer to a request with an id.
type reply struct {
	ID     json.RawMessage `json:"id"`
	OK     bool            `json:"ok"`
	Result any             `json:"result,omitempty"`
	Error  string          `json:"error,omitempty"`
	Kind   string          `json:"kind,omitempty"`
	Cause  string          `json:"cause,omitempty"`
}

// encodeReply makes the line that answers a request.
func encodeReply(id json.RawMessage, result any, err error) []byte {
	r := reply{ID: id, OK: err == nil, Result: result}
	if err != nil {
		r.Error, r.Kind = err.Error(), kindOf(err)
		var hangup *call.HangupError
		if errors.As(err, &hangup) {
			r.Cause = string(hangup.Cause)
		}
	}
	var line bytes.Buffer
	encoder := json.NewEncoder(&line)
	encoder.SetEscapeHTML(false)
	if failed := encoder.Encode(r); failed != nil {
		line.Reset()
		_ = encoder.Encode(reply{ID: id, Error: failed.Error(), Kind: "failed"})
	}
	return line.Bytes()
}

// kindOf sorts an error for the program.
func kindOf(err error) string {
	var wrong *invalidError
	var refused *esl.ReplyError
	var hangup *call.HangupError
	var app *call.AppError
	switch {
	case errors.As(err, &wrong), errors.Is(err, esl.ErrInjection), errors.Is(err, call.ErrUnencodable):
		return "invalid"
	case errors.As(err, &hangup):
		return "hangup"
	case errors.As(err, &app):
		return "application"
	case errors.Is(err, call.ErrMode):
		return "mode"
	case errors.Is(err, call.ErrNoDigits):
		return "no_digits"
	case errors.As(err, &refused):
		return "refused"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, esl.ErrDisconnected), errors.Is(err, esl.ErrClosed), errors.Is(err, context.Canceled):
		return "disconnected"
	default:
		return "failed"
	}
}
