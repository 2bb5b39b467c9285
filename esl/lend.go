package esl

import "github.com/genesis-esl/genesis/internal/headroom"

// An event that comes as plain text or JSON is lent at first: its text lies in the decoder's
// buffer, and is copied by whichever goroutine needs that first. Who looks into an event
// copies it, so that what it looks at is near. The goroutine that reads copies what is left
// before it reads into the buffer again, from the end, so that the two meet somewhere in
// the middle. A busy connection has two buffers and reads into them in turn, so that who
// looks into events always finds some, and neither goroutine waits for the other: where the
// application is quick it does most of the copying, where it is slow, the one that reads
// does all.

// lend returns an event that refers to a frame's body, or nil when it must have its own memory at
// once.
func lend(frame Frame) *Event {
	kind := plainEncoded
	switch frame.Type {
	case FrameEventPlain:
	case FrameEventJSON:
		kind = jsonObject
	default:
		return nil
	}
	e, text := &Event{}, frame.Body()
	e.kind, e.buf, e.size = kind, text, uint32(len(text))
	id, ok := e.firstName()
	if !ok || id == 0 {
		return nil // its name may be written with escapes
	}
	e.id = id
	e.known.lend()
	return e
}

// event returns the event that a frame carries.
func (c *Conn) event(frame Frame) (*Event, error) {
	if c.queue != nil {
		if e := lend(frame); e != nil {
			c.lent = append(c.lent, e)
			return e, nil
		}
	}
	return frame.Event()
}

// makeWay sees that the decoder's buffer may be read into. Where reads are large that is
// the other one, whose events had the time of a read to be taken; else what is lent of the
// only one is copied.
func (c *Conn) makeWay() {
	reclaim(&c.earlier)
	if len(c.lent) > 0 && c.dec.turn(&c.resting) {
		headroom.Take(headroom.Flood)
		c.lent, c.earlier = c.earlier, c.lent
		return
	}
	reclaim(&c.lent)
}

// reclaim copies what is still lent. Then the buffer that it lay in may be changed.
func reclaim(lent *[]*Event) {
	for i := len(*lent) - 1; i >= 0; i-- {
		(*lent)[i].own()
	}
	clear(*lent)
	*lent = (*lent)[:0]
}
