package call

import (
	"context"
	"slices"
	"sync"

	"github.com/genesis-esl/genesis/esl"
)

// Stream is a stream of a channel's events, in order. It is safe for concurrent use.
// It ends some time after the channel: events that follow the hangup,
// CHANNEL_HANGUP_COMPLETE above all, are still part of it.
type Stream struct {
	c     *Channel
	names []string
	limit int           // events that may wait
	bytes int           // memory that they may still take
	ready chan struct{} // holds one token while events wait

	mu     sync.Mutex
	events []*esl.Event
	err    error
}

// Events returns a stream of this channel's events from now on: those with the given
// names or CUSTOM subclasses, or without names all of them. Close the stream when
// you stop reading it. A stream that nobody reads overflows and ends with
// esl.ErrSlowConsumer; in an outbound session that ends the session.
func (c *Channel) Events(names ...string) *Stream {
	s := &Stream{c: c, names: names, limit: c.cfg.StreamLimit, bytes: c.cfg.StreamBytes, ready: make(chan struct{}, 1)}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lost != nil {
		s.close(c.lost)
		return s
	}
	c.streams = append(c.streams, s)
	return s
}

// stream gives the event to those who read along. c.mu is held.
func (c *Channel) stream(name string, ev *esl.Event) (overflow bool) {
	if len(c.streams) == 0 {
		return false
	}
	c.streams = slices.DeleteFunc(c.streams, func(s *Stream) bool {
		if len(s.names) > 0 && !named(s.names)(name, ev) {
			return false
		}
		if s.push(ev) {
			return false
		}
		overflow = true
		s.close(esl.ErrSlowConsumer)
		return true
	})
	return overflow
}

func (s *Stream) push(ev *esl.Event) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	// One event that is larger than all may be still gets in.
	if len(s.events) >= s.limit || len(s.events) > 0 && ev.Size() > s.bytes {
		return false
	}
	s.bytes -= ev.Size()
	s.events = append(s.events, ev)
	s.signal()
	return true
}

func (s *Stream) signal() {
	select {
	case s.ready <- struct{}{}:
	default:
	}
}

func (s *Stream) close(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
	}
	s.signal()
}

// Next waits for the next event. After the last one it returns what ended the
// stream: the connection's error, esl.ErrSlowConsumer, or esl.ErrClosed after
// Close. When ctx ends first, it returns ctx's cause.
func (s *Stream) Next(ctx context.Context) (*esl.Event, error) {
	for {
		if ev, err, ok := s.take(); ok {
			return ev, err
		}
		select {
		case <-s.ready:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (s *Stream) take() (ev *esl.Event, err error, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.events) > 0 {
		ev = s.events[0]
		s.bytes += ev.Size()
		s.events[0] = nil
		s.events = s.events[1:]
	}
	if len(s.events) > 0 || s.err != nil {
		s.signal() // there may be other readers, and one token stands for all that waits
	}
	if ev != nil {
		return ev, nil, true
	}
	return nil, s.err, s.err != nil
}

// Close ends the stream and drops what was not read.
func (s *Stream) Close() {
	s.c.mu.Lock()
	s.c.streams = slices.DeleteFunc(s.c.streams, func(other *Stream) bool { return other == s })
	s.c.mu.Unlock()
	s.mu.Lock()
	s.events = nil
	s.mu.Unlock()
	s.close(esl.ErrClosed)
}
