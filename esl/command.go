package esl

import (
	"bytes"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/percipia/eslgo/command"
	"github.com/percipia/eslgo/command/call"
)

// Command is what can be sent: the values of eslgo's command and command/call
// packages, Line, or anything else that builds one message.
type Command = command.Command

// Line is a command of one line, such as Line("api uptime"). A line break in it is
// refused with ErrInjection.
type Line string

// BuildMessage returns the line.
func (l Line) BuildMessage() string { return string(l) }

// jobCommand is bgapi with a Job-UUID of our own.
type jobCommand struct {
	Command, ID string
}

func (j jobCommand) BuildMessage() string {
	return "bgapi " + j.Command + "\nJob-UUID: " + j.ID
}

// encodeCommand builds the bytes of cmd, after checking that they are exactly one
// message: whatever user data went into it did not end it, extend it or start
// another. eslgo's builders do not check this.
func encodeCommand(cmd Command) (message []byte, err error) {
	defer func() {
		if r := recover(); r != nil { // eslgo's builders panic on nil headers
			message, err = nil, fmt.Errorf("esl: %T cannot be built: %v", cmd, r)
		}
	}()
	if err := checkFields(cmd); err != nil {
		return nil, err
	}
	built := cmd.BuildMessage()
	ended, err := checkMessage(built)
	if err != nil {
		return nil, err
	}
	message = make([]byte, 0, len(built)+2)
	message = append(message, built...)
	if !ended {
		message = append(message, "\n\n"...)
	}
	return message, nil
}

// checkFields looks for line breaks in what the caller filled in. Only bodies,
// whose length is sent with them, may hold any.
func checkFields(cmd Command) error {
	switch c := cmd.(type) {
	case Line:
		return checkText("line", string(c))
	case command.API:
		return checkText("command", c.Command+c.Arguments)
	case *call.Execute:
		body := len(c.AppArgs) > 2048 || c.ForceBody // as eslgo decides it
		if err := checkText("AppUUID", c.UUID+c.AppName+c.AppUUID); err != nil || body {
			return err
		}
		return checkText("AppArgs", c.AppArgs)
	case call.Set:
		return checkText("UUID", c.UUID)
	case call.Export:
		return checkText("UUID", c.UUID)
	case call.Push:
		return checkText("UUID", c.UUID)
	case call.Unicast: // an address can be anything with a String method
		if err := checkText("Local or Remote", c.Local.Network()+c.Local.String()+c.Remote.String()); err != nil {
			return err
		}
	case *call.Unicast:
		return checkFields(*c)
	}
	return checkValue(reflect.Indirect(reflect.ValueOf(cmd)), "")
}

// checkValue walks the fields of any other command.
func checkValue(v reflect.Value, field string) error {
	switch v.Kind() {
	case reflect.String:
		if field == "Body" {
			return nil
		}
		return checkText(field, v.String())
	case reflect.Struct:
		for i := range v.NumField() {
			if err := checkValue(v.Field(i), v.Type().Field(i).Name); err != nil {
				return err
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			if err := checkValue(v.Index(i), field); err != nil {
				return err
			}
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			if err := checkValue(it.Key(), field); err != nil {
				return err
			}
			if err := checkValue(it.Value(), field); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkText refuses line breaks, which end or extend a command, and NUL, at which
// FreeSWITCH takes a command to end. The text is not quoted in the error: it can be
// a password.
func checkText(field, text string) error {
	for _, c := range [...]byte{'\n', '\r', 0} {
		if i := strings.IndexByte(text, c); i >= 0 {
			return fmt.Errorf("%w: %s has a line break or NUL at byte %d", ErrInjection, field, i)
		}
	}
	return nil
}

// checkMessage reads the built message as FreeSWITCH would. It reports whether an empty line ends the
// message's header block, or still has to be written.
func checkMessage(message string) (ended bool, err error) {
	head, body, ended := cutBlankLine(message)
	line, headers, _ := strings.Cut(head, "\n")
	if strings.TrimSpace(line) == "" {
		return false, fmt.Errorf("%w: it has no command", ErrInjection)
	}
	if strings.IndexByte(head, 0) >= 0 || strings.Count(head, "\r") != strings.Count(head, "\r\n") {
		return false, fmt.Errorf("%w: it has a lone CR or a NUL", ErrInjection)
	}
	length, lengths := 0, 0
	for line := range strings.Lines(headers) {
		name, value, ok := strings.Cut(line, ":")
		if !ok || name == "" {
			return false, fmt.Errorf("%w: a line of it is no header", ErrInjection)
		}
		if strings.EqualFold(name, "Content-Length") {
			value = strings.TrimSpace(value)
			n, err := strconv.Atoi(value)
			if err != nil || n < 0 {
				return false, fmt.Errorf("%w: its Content-Length is %q", ErrInjection, value)
			}
			length = n
			if lengths++; lengths > 1 {
				return false, fmt.Errorf("%w: it has two Content-Lengths", ErrInjection) // FreeSWITCH reads a body at each
			}
		}
	}
	if len(body) != length {
		return false, fmt.Errorf("%w: %d bytes stand behind it, Content-Length says %d", ErrInjection, len(body), length)
	}
	return ended, nil
}

// cutBlankLine separates a message's header block from its body.
func cutBlankLine(message string) (head, body string, found bool) {
	crlf, lf := strings.Index(message, "\r\n\r\n"), strings.Index(message, "\n\n")
	switch {
	case crlf >= 0 && (lf < 0 || crlf < lf):
		return message[:crlf], message[crlf+4:], true
	case lf >= 0:
		return message[:lf], message[lf+2:], true
	}
	return strings.TrimRight(message, "\r\n"), "", false
}

// commandName returns the first word of a message, for hooks and errors.
func commandName(message []byte) string {
	if i := bytes.IndexAny(message, " \r\n"); i >= 0 {
		message = message[:i]
	}
	return string(message)
}

// commandLabel is commandName and, for api and bgapi, the name of the API command.
func commandLabel(message []byte) string {
	words := bytes.SplitN(message[:min(len(message), 128)], []byte(" "), 3)
	name := commandName(message)
	if (name == "api" || name == "bgapi") && len(words) > 1 {
		return name + " " + commandName(words[1])
	}
	return name
}

// replyError turns a refusal into an error.
func replyError(message []byte, r *Reply) error {
	if r.OK() {
		return nil
	}
	text := strings.TrimSpace(strings.TrimPrefix(r.Text(), "-ERR"))
	return &ReplyError{Command: commandLabel(message), Text: text}
}
