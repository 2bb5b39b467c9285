package esl

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
)

// Decoder reads what FreeSWITCH sends: an io.Reader in, frames out, with no goroutine
// and no timeout. It is not safe for concurrent use.
//
// It has one buffer, from which frames are cut without being copied. The buffer starts
// small, so that ten thousand quiet connections cost little (a Conn has none while it
// waits). It grows while reads fill it, so that a busy stream is read in large pieces.
type Decoder struct {
	r       io.Reader
	patient patientReader // r, if it is one
	limits  Limits
	buf     []byte
	from    int // first byte not yet given out
	to      int // end of what was read

	searched int       // bytes of the next header block known not to end it
	next     frameHead // of the next frame; size 0 until it is known
}

const (
	smallBuffer  = 4 << 10
	pooledBuffer = 16 << 10
	briefBuffer  = 64 << 10 // up to this, memory is given back when a burst is over
	largeBuffer  = 512 << 10
	hugeBuffer   = 1 << 20 // beyond this, memory is given back after the frame
)

// NewDecoder returns a decoder that reads from r. Zero limits mean the defaults.
func NewDecoder(r io.Reader, limits Limits) *Decoder {
	patient, _ := r.(patientReader)
	return &Decoder{r: r, patient: patient, limits: limits.withDefaults()}
}

// patientReader is an input that can be waited for without a buffer.
type patientReader interface {
	// readInto reads once into d's room, which it asks for when there may be something to
	// read, and lets d rest when there is not.
	readInto(d *Decoder) (n int, err error)
}

// Next returns the next frame, which is valid until the next call. At the end of
// the input it returns io.EOF, or io.ErrUnexpectedEOF within a frame.
// ErrFrameTooLarge and ErrProtocol are final, because nobody knows where the next
// frame starts.
func (d *Decoder) Next() (Frame, error) {
	for {
		frame, ok, err := d.cut()
		if ok || err != nil {
			return frame, err
		}
		if err := d.fill(); err != nil {
			return Frame{}, err
		}
	}
}

// fill reads once from the input.
func (d *Decoder) fill() error {
	var n int
	var err error
	if d.patient != nil {
		n, err = d.patient.readInto(d)
	} else {
		if d.to < len(d.buf) {
			d.rest()
		}
		n, err = d.r.Read(d.room())
	}
	d.to += n
	if n > 0 {
		return nil // an error will come again
	}
	switch {
	case err == nil:
		return io.ErrNoProgress
	case err == io.EOF && d.to > d.from:
		return io.ErrUnexpectedEOF
	}
	return err
}

// rest gives a buffer back that holds nothing: a burst is over. The smallest is kept, for the
// next one would be as small, and a large one, for who needed it will need it again.
func (d *Decoder) rest() {
	if d.to == d.from && smallBuffer < len(d.buf) && len(d.buf) <= briefBuffer {
		d.release()
	}
}

// room moves what is left to the front and returns the space to read into, some at least.
// The buffer only grows when bytes that arrived fill it, never because a peer announces
// much.
func (d *Decoder) room() []byte {
	held := d.to - d.from
	switch {
	case d.buf == nil && d.patient != nil:
		d.buf = newBuffer(pooledBuffer)
	case d.buf == nil:
		d.buf = newBuffer(smallBuffer)
	case held > len(d.buf)/2, d.to == len(d.buf) && len(d.buf) < largeBuffer:
		d.replace(newBuffer(2 * len(d.buf)))
	case len(d.buf) > hugeBuffer && held < largeBuffer:
		d.replace(newBuffer(2 * largeBuffer))
	case d.from > 0:
		d.to = copy(d.buf, d.buf[d.from:d.to])
		d.from = 0
	}
	return d.buf[d.to:]
}

// replace moves what is left into another buffer.
func (d *Decoder) replace(buf []byte) {
	d.to = copy(buf, d.buf[d.from:d.to])
	d.from = 0
	freeBuffer(d.buf)
	d.buf = buf
}

// turn goes on in another buffer, which it allocates at first, and leaves the one that
// frames were cut from as it is; *spare is that one then. It does so only where reads are
// large, and the buffer has not been made for a single frame.
func (d *Decoder) turn(spare *[]byte) bool {
	if len(d.buf) < largeBuffer || len(d.buf) > hugeBuffer {
		return false
	}
	if len(*spare) < len(d.buf) {
		*spare = make([]byte, len(d.buf))
	}
	d.buf, *spare = *spare, d.buf
	d.to = copy(d.buf, (*spare)[d.from:d.to])
	d.from = 0
	return true
}

// release gives the buffer back. No frame is valid any longer, and Next may not be
// called again.
func (d *Decoder) release() {
	freeBuffer(d.buf)
	d.buf, d.from, d.to = nil, 0, 0
}

// buffers keeps what connections have left: a server of many short calls would spend much
// of its time on them, and one of many quiet calls much of its memory.
var buffers = sync.Pool{New: func() any { return new([pooledBuffer]byte) }}

func newBuffer(size int) []byte {
	if size == pooledBuffer {
		return buffers.Get().(*[pooledBuffer]byte)[:]
	}
	return make([]byte, size)
}

func freeBuffer(buf []byte) {
	if len(buf) == pooledBuffer {
		buffers.Put((*[pooledBuffer]byte)(buf))
	}
}

// cut takes the next whole frame from the buffer; ok is false when more must be
// read first.
func (d *Decoder) cut() (frame Frame, ok bool, err error) {
	// An empty line before a header block says nothing.
	for d.from < d.to && (d.buf[d.from] == '\n' || d.buf[d.from] == '\r') {
		d.from++
	}
	held := d.buf[d.from:d.to]
	if d.next.size == 0 {
		head, ok, err := d.head(held)
		if !ok || err != nil {
			return Frame{}, false, err
		}
		d.next, d.searched = head, 0
	}
	size := d.next.size + d.next.length
	if len(held) < size {
		return Frame{}, false, nil
	}
	frame = Frame{Type: d.next.kind, Raw: held[:size:size], body: d.next.size}
	d.from += size
	d.next = frameHead{}
	return frame, true, nil
}

// frameHead is what must be known of a header block to cut a frame.
type frameHead struct {
	kind   FrameType
	size   int // bytes of the block, with the empty line
	length int // bytes of the body
	// replied is set by a reply's text. It can hold a caller's line breaks, which nobody
	// encodes: what looks like a header of the frame from there on may be a caller's, too.
	replied bool
}

// usualHeads are the header blocks of nearly all frames with a body, around its length.
var usualHeads = [...]struct {
	opening, closing []byte
	kind             FrameType
}{
	{[]byte("Content-Length: "), []byte("\nContent-Type: text/event-plain\n\n"), FrameEventPlain},
	{[]byte("Content-Length: "), []byte("\nContent-Type: text/event-json\n\n"), FrameEventJSON},
	{[]byte("Content-Length: "), []byte("\nContent-Type: text/event-xml\n\n"), FrameEventXML},
	{[]byte("Content-Type: api/response\nContent-Length: "), []byte("\n\n"), FrameAPIResponse},
}

// head reads a header block. The usual ones are recognised as they stand.
func (d *Decoder) head(held []byte) (frameHead, bool, error) {
	for i := range usualHeads {
		usual := &usualHeads[i]
		rest, ok := bytes.CutPrefix(held, usual.opening)
		if !ok {
			continue
		}
		n, digits := leadingNumber(rest)
		if digits > 0 && bytes.HasPrefix(rest[digits:], usual.closing) {
			size := len(usual.opening) + digits + len(usual.closing)
			return frameHead{kind: usual.kind, size: size, length: n}, true, d.checkBody(int64(n))
		}
	}
	return d.anyHead(held)
}

// leadingNumber reads up to nine decimal digits.
func leadingNumber(b []byte) (n, digits int) {
	for digits < len(b) && digits < 9 && '0' <= b[digits] && b[digits] <= '9' {
		n = n*10 + int(b[digits]-'0')
		digits++
	}
	return n, digits
}

func (d *Decoder) checkBody(n int64) error {
	if n > int64(d.limits.Body) {
		return fmt.Errorf("%w: a body of %d bytes, %d allowed", ErrFrameTooLarge, n, d.limits.Body)
	}
	return nil
}

// anyHead reads a header block of any kind. What was searched in vain for its end
// is not searched again when more has come.
func (d *Decoder) anyHead(held []byte) (head frameHead, ok bool, err error) {
	_, head.size = emptyLine(held, d.searched)
	if head.size < 0 || head.size > d.limits.Header {
		d.searched = max(0, len(held)-len("\n\r"))
		if len(held) > d.limits.Header {
			err = fmt.Errorf("%w: a header block of more than %d bytes", ErrFrameTooLarge, d.limits.Header)
		}
		return frameHead{}, false, err
	}
	for at := 0; at < head.size && !head.replied; {
		line := held[at:head.size]
		if i := bytes.IndexByte(line, '\n'); i >= 0 {
			line = line[:i]
		}
		at += len(line) + 1
		if err := d.headLine(&head, line); err != nil {
			return frameHead{}, false, err
		}
	}
	return head, true, nil
}

// emptyLine returns where the first empty line starts that has a line break before it, at from or
// behind, and where it ends: behind its own. Both are -1 when there is none yet.
func emptyLine(text []byte, from int) (start, end int) {
	for at := from; ; {
		i := bytes.IndexByte(text[at:], '\n')
		if i < 0 {
			return -1, -1
		}
		at += i + 1
		rest := text[at:]
		if len(rest) > 0 && rest[0] == '\n' {
			return at, at + 1
		}
		if len(rest) > 1 && rest[0] == '\r' && rest[1] == '\n' {
			return at, at + 2
		}
	}
}

var (
	contentPrefix = []byte("Content-")
	replyText     = []byte("Reply-Text:")
)

// headLine takes from one line what cutting the frame needs.
func (d *Decoder) headLine(head *frameHead, line []byte) error {
	if len(line) < len(contentPrefix) || line[3]|0x20 != 't' || !bytes.EqualFold(line[:len(contentPrefix)], contentPrefix) {
		if bytes.HasPrefix(line, replyText) {
			if head.kind == FrameUnknown {
				head.kind = FrameCommandReply // without a Content-Type it is still a reply
			}
			head.replied = head.kind == FrameCommandReply
		}
		return nil
	}
	name, value, ok := strings.Cut(string(line), ":")
	if !ok {
		return nil // no header
	}
	value = strings.TrimSpace(value) // the carriage return of a CRLF too
	switch {
	case strings.EqualFold(name, "Content-Type"):
		head.kind = frameTypes[value]
	case strings.EqualFold(name, "Content-Length"):
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n < 0 {
			return fmt.Errorf("%w: Content-Length %q", ErrProtocol, clip([]byte(value)))
		}
		head.length = int(n)
		return d.checkBody(n)
	}
	return nil
}
