package esl

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Bounds that FreeSWITCH sets on what a client sends.
const (
	maxRequestHeader = 10 << 20
	maxRequestBody   = 16 << 20
)

// ErrBadRequest is the error of a RequestReader for a Content-Length that is
// negative, not a number or over its limit. FreeSWITCH closes the connection then
// (n_framing_misc).
var ErrBadRequest = errors.New("esl: bad request")

// Request is one message from a client: a command line, header lines and a body.
type Request struct {
	// Line is the command line without its line end.
	Line string
	// Headers are the header lines in their order, Content-Length included.
	// A line without a colon is left out, as FreeSWITCH does; a value keeps
	// its trailing spaces and loses its leading ones.
	Headers []Header
	// Body holds as many bytes as Content-Length says; nil without one.
	Body []byte
}

// Get returns the value of the first header called name, in any case, or "".
func (r *Request) Get(name string) string {
	for i := range r.Headers {
		if strings.EqualFold(r.Headers[i].Name, name) {
			return r.Headers[i].Value
		}
	}
	return ""
}

// RequestReader reads what a client sends to FreeSWITCH, as a server needs it. It
// is not safe for concurrent use.
type RequestReader struct {
	r      *bufio.Reader
	header int
	body   int
}

// NewRequestReader returns a reader of requests from r. Zero limits mean
// FreeSWITCH's own: 10 MiB for the lines of one command, 16 MiB for its body.
// A *bufio.Reader is used as it is.
func NewRequestReader(r io.Reader, limits Limits) *RequestReader {
	br, ok := r.(*bufio.Reader)
	if !ok {
		br = bufio.NewReader(r)
	}
	rr := &RequestReader{r: br, header: limits.Header, body: limits.Body}
	if rr.header <= 0 {
		rr.header = maxRequestHeader
	}
	if rr.body <= 0 {
		rr.body = maxRequestBody
	}
	return rr
}

// Next returns the next request. Blank lines before it are skipped, and lines may
// end in CRLF. At the end of the input it returns io.EOF, or io.ErrUnexpectedEOF
// within a request. A command that is too long is an error that wraps
// ErrFrameTooLarge, a bad Content-Length one that wraps ErrBadRequest.
func (rr *RequestReader) Next() (*Request, error) {
	req := &Request{}
	var budget int
	for req.Line == "" {
		budget = rr.header
		line, err := rr.line(&budget)
		if err != nil {
			return nil, err
		}
		req.Line = line
	}
	for {
		raw, err := rr.line(&budget)
		if err != nil {
			return nil, unexpected(err)
		}
		if raw == "" {
			break
		}
		if name, value, ok := strings.Cut(raw, ":"); ok && name != "" {
			req.Headers = append(req.Headers, Header{Name: name, Value: strings.TrimLeft(value, " ")})
		}
	}
	return req, rr.readBody(req)
}

// Pending tells whether the whole header block of a further request has already
// been read from the socket, so that Next will not wait for its lines.
func (rr *RequestReader) Pending() bool {
	n := rr.r.Buffered()
	if n == 0 {
		return false
	}
	held, _ := rr.r.Peek(n)
	held = bytes.TrimLeft(held, "\r\n")
	return bytes.Contains(held, []byte("\n\n")) || bytes.Contains(held, []byte("\n\r\n"))
}

// line reads one line and takes its length from the budget.
func (rr *RequestReader) line(budget *int) (string, error) {
	var long []byte
	for {
		part, err := rr.r.ReadSlice('\n')
		*budget -= len(part)
		if *budget < 0 {
			return "", fmt.Errorf("esl: command of more than %d bytes: %w", rr.header, ErrFrameTooLarge)
		}
		if err == bufio.ErrBufferFull {
			long = append(long, part...)
			continue
		}
		if err != nil {
			if len(part) > 0 || len(long) > 0 {
				return "", unexpected(err)
			}
			return "", err
		}
		if long != nil {
			part = append(long, part...)
		}
		part = bytes.TrimSuffix(part[:len(part)-1], []byte("\r"))
		return string(part), nil
	}
}

func (rr *RequestReader) readBody(req *Request) error {
	length := req.Get("Content-Length")
	if length == "" {
		return nil
	}
	n, err := strconv.Atoi(strings.TrimSpace(length))
	if err != nil || n < 0 || n > rr.body {
		return fmt.Errorf("%w: Content-Length %q", ErrBadRequest, length)
	}
	// Memory grows with what arrives, not with what is announced.
	var body bytes.Buffer
	if _, err := io.CopyN(&body, rr.r, int64(n)); err != nil {
		return unexpected(err)
	}
	req.Body = body.Bytes()
	return nil
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
