package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/genesis-esl/genesis/esl"
)

// callScript is FreeSWITCH's side of calls to an outbound server, in the bytes of
// recording h1_async_full: the channel's data, the events of an application that
// answers, the end.
type callScript struct {
	connect  []byte // the reply to connect
	execute  []byte // events of an application, with a placeholder for its id
	hangup   []byte // events of the end
	goodbye  []byte // the notice before FreeSWITCH closes
	lingered []byte // the notice that it will
}

// recordedApplication is the id of the first application in the recording.
const recordedApplication = "d77f456d-3247-4748-a127-79428fe02bcd"

// recordedCall is the channel of the recording.
const recordedCall = "597ed01e-0365-4ae5-999c-e410ae8aae11"

var (
	executeOK = esl.AppendReply(nil, "+OK")
	killOK    = esl.AppendAPIResponse(nil, "+OK\n")
)

func newCallScript(dir string) (*callScript, error) {
	data, err := readRecording(filepath.Join(dir, "h1_async_full"))
	if err != nil {
		return nil, err
	}
	c := &callScript{
		goodbye:  esl.AppendDisconnectNotice(nil, recordedCall, "Disconnected, goodbye.\n"),
		lingered: esl.AppendLingerNotice(nil, recordedCall, "loopback/9999-b", 10),
	}
	for d := esl.NewDecoder(bytes.NewReader(data), esl.Limits{}); ; {
		f, err := d.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		ev, _ := f.Event()
		switch {
		case c.connect == nil:
			c.connect = bytes.Clone(f.Raw)
		case ev == nil:
		case ev.Get("Application-UUID") == recordedApplication || ev.Name() == "CHANNEL_ANSWER":
			c.execute = append(c.execute, f.Raw...)
		case strings.HasPrefix(ev.Name(), "CHANNEL_HANGUP"):
			c.hangup = append(c.hangup, f.Raw...)
		}
	}
	if c.connect == nil || c.execute == nil || c.hangup == nil {
		return nil, fmt.Errorf("%s: not the call that was expected", dir)
	}
	return c, nil
}

// run makes n calls to addr, so many at a time, and returns how long they took.
func (c *callScript) run(addr string, n, atOnce int) (time.Duration, error) {
	var wg sync.WaitGroup
	var next atomic.Int64
	errs := make(chan error, atOnce)
	begun := time.Now()
	for range atOnce {
		wg.Go(func() {
			for next.Add(1) <= int64(n) {
				if err := c.call(addr, nil); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wg.Wait()
	close(errs)
	return time.Since(begun), <-errs
}

// hold makes n calls and returns when all are answered; release cuts them.
func (c *callScript) hold(addr string, n int) (release func(), err error) {
	over := make(chan struct{})
	var answered, calls sync.WaitGroup
	var failed atomic.Pointer[error]
	const atOnce = 100
	slots := make(chan struct{}, atOnce)
	for range n {
		slots <- struct{}{}
		answered.Add(1)
		calls.Go(func() {
			once := sync.OnceFunc(func() { answered.Done(); <-slots })
			defer once()
			if err := c.call(addr, func() { once(); <-over }); err != nil {
				failed.Store(&err)
			}
		})
	}
	answered.Wait()
	release = func() { close(over); calls.Wait() }
	if err := failed.Load(); err != nil {
		return release, *err
	}
	return release, nil
}

// call makes one call. It ends when the server has closed the connection, or
// FreeSWITCH would. When answered is not nil, it is called once an application has
// run, and then the connection is cut.
func (c *callScript) call(addr string, answered func()) error {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(5 * time.Minute))
	s := callState{script: c}
	in, out := make([]byte, 2048), make([]byte, 0, 16<<10)
	for held := 0; !s.over; {
		n, err := nc.Read(in[held:])
		if err != nil && s.ended {
			return nil // closed, or reset when it left the last events unread
		}
		if err != nil {
			return fmt.Errorf("the server ended a call early: %w", err)
		}
		held += n
		rest := in[:held]
		for out = out[:0]; ; {
			message, after, ok := cutMessage(rest)
			if !ok {
				break
			}
			rest = after
			out = s.answer(out, message)
		}
		held = copy(in, rest)
		if _, err := nc.Write(out); err != nil && !s.ended {
			return err
		}
		if answered != nil && s.answered {
			answered()
			return nil
		}
	}
	return nil
}

// callState is where a call stands.
type callState struct {
	script                              *callScript
	events, linger                      bool // asked for
	answered, ended /* hung up */, over bool
}

var applicationID = []byte("event-uuid: ")

func (s *callState) answer(dst, message []byte) []byte {
	word, rest, _ := bytes.Cut(message, []byte(" "))
	word, _, _ = bytes.Cut(word, []byte("\n"))
	switch word = bytes.TrimSpace(word); string(word) {
	case "connect":
		return append(dst, s.script.connect...)
	case "linger":
		s.linger = true
	case "event", "myevents":
		s.events = true
	case "exit":
		s.ended, s.over = true, true
	case "sendmsg", "api":
		lower := bytes.ToLower(message)
		if bytes.HasPrefix(rest, []byte("uuid_kill")) {
			return s.hangup(append(dst, killOK...))
		}
		if bytes.Contains(lower, []byte("call-command: hangup")) {
			return s.hangup(append(dst, executeOK...))
		}
		s.answered = true
		dst = append(dst, executeOK...)
		if !s.events {
			return dst
		}
		from := len(dst)
		dst = append(dst, s.script.execute...)
		_, id, ok := bytes.Cut(lower, applicationID)
		if ok && len(id) >= len(recordedApplication) {
			patch(dst[from:], id[:len(recordedApplication)])
		}
		return dst
	}
	return append(dst, accepted...)
}

func (s *callState) hangup(dst []byte) []byte {
	s.ended = true
	if s.events {
		dst = append(dst, s.script.hangup...)
	}
	if s.linger {
		return append(dst, s.script.lingered...)
	}
	s.over = true
	return append(dst, s.script.goodbye...)
}

// patch puts id wherever the recorded one stands.
func patch(events, id []byte) {
	for {
		i := bytes.Index(events, []byte(recordedApplication))
		if i < 0 {
			return
		}
		events = events[i+copy(events[i:], id):]
	}
}
