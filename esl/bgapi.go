package esl

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// jobTable knows the background jobs whose end somebody awaits. It is guarded by
// the connection's mutex.
type jobTable struct {
	waiting map[string]chan answer
	format  Format // of the last event command
	ours    bool   // BACKGROUND_JOB is subscribed to for BgAPI
	apps    bool   // the application subscribed to BACKGROUND_JOB itself
	changes uint64 // how often ours or apps was set for a command of the application's
}

// refusal is what it means to BACKGROUND_JOB when FreeSWITCH refuses a command: what was
// subscribed to before stays.
type refusal uint8

const (
	meansNothing refusal = iota
	asBefore             // what the application subscribed to stands, what BgAPI did is to be asked for again
	notWanted            // the same, and the application has not subscribed to BACKGROUND_JOB
)

// watch looks at an application's message, as it is put in the queue, for what it means to
// BACKGROUND_JOB: the format that is in force, and whether the application wants these events.
func (t *jobTable) watch(message []byte) refusal {
	verb, words := eventWords(message)
	if verb == "" {
		return meansNothing
	}
	if len(words) > 0 {
		if format, err := ParseFormat(strings.ToLower(words[0])); err == nil {
			if verb == "event" {
				t.format = format
			}
			words = words[1:]
		}
	}
	before := asBefore
	if !t.apps {
		before = notWanted
	}
	named := slices.ContainsFunc(words, func(word string) bool {
		return strings.EqualFold(word, "ALL") || strings.EqualFold(word, "BACKGROUND_JOB")
	})
	if named || verb == "noevents" {
		t.ours, t.apps = verb == "event", verb == "event"
		t.changes++
		return before
	}
	return asBefore
}

// refused undoes watch.
func (t *jobTable) refused(r refusal) {
	if r == meansNothing {
		return
	}
	t.ours = false
	t.changes++
	if r == notWanted {
		t.apps = false
	}
}

// eventWords takes a command about subscriptions apart: event (or events), nixevent
// and noevents. The verb is empty for any other.
func eventWords(message []byte) (verb string, words []string) {
	if c := message[0] | 0x20; c != 'e' && c != 'n' {
		return "", nil
	}
	line, _, _ := bytes.Cut(message[:min(len(message), 4096)], newline)
	words = strings.Fields(string(line))
	for _, verb := range [...]string{"event", "nixevent", "noevents"} {
		if word := strings.ToLower(words[0]); word == verb || word == verb+"s" {
			return verb, words[1:]
		}
	}
	return "", nil
}

func (t *jobTable) drain() map[string]chan answer {
	left := t.waiting
	t.waiting = nil
	return left
}

// BgAPI runs an api command in the background and waits for its output; the
// connection carries on with other work meanwhile. BgAPI chooses the Job-UUID
// itself, so that the result cannot be missed. At first use it subscribes to
// BACKGROUND_JOB; these events reach the app only if it subscribed to them too.
//
// Errors are those of API, and ErrDisconnected when the connection ends before the
// job does. When ctx ends first, the job goes on in FreeSWITCH. A filter set on
// this connection can keep the result away; a Client, which has its own connection
// for commands, is free of that.
func (c *Conn) BgAPI(ctx context.Context, cmd string) (string, error) {
	if err := checkText("command", cmd); err != nil {
		return "", err
	}
	if err := c.subscribeJobs(ctx); err != nil {
		return "", unsent(err)
	}
	event, err := c.job(ctx, cmd)
	if err != nil {
		return "", err
	}
	output := event.Body()
	if strings.HasPrefix(output, "-ERR") || strings.HasPrefix(output, "-USAGE") {
		text := strings.TrimSpace(strings.TrimPrefix(output, "-ERR"))
		return output, &ReplyError{Command: commandLabel([]byte("bgapi " + cmd)), Text: text}
	}
	return output, nil
}

// subscribeAttempts bounds how often BACKGROUND_JOB is asked for against an application that
// unsubscribes from it all the time.
const subscribeAttempts = 5

var errUnsubscribed = errors.New("esl: the application unsubscribes from the results of background jobs")

// subscribeJobs sees that BACKGROUND_JOB events come. An answer proves that only where the
// application has not unsubscribed while it was on its way.
func (c *Conn) subscribeJobs(ctx context.Context) error {
	for range subscribeAttempts {
		c.mu.Lock()
		ours, format, changes := c.jobs.ours, c.jobs.format, c.jobs.changes
		c.mu.Unlock()
		if ours {
			return nil
		}
		if err := c.quietly(ctx, "event "+format.String()+" BACKGROUND_JOB"); err != nil {
			return err
		}
		c.mu.Lock()
		c.jobs.ours = c.jobs.ours || c.jobs.changes == changes
		ours = c.jobs.ours
		c.mu.Unlock()
		if ours {
			return nil
		}
	}
	return errUnsubscribed
}

// quietly sends a command of our own about BACKGROUND_JOB, which is not to be taken
// for one of the application's.
func (c *Conn) quietly(ctx context.Context, line string) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	_, err := c.roundTrip(ctx, []byte(line+"\n\n"), fromUs)
	return err
}

// unsubscribeJobs undoes subscribeJobs, so that other clients' jobs do not come.
func (c *Conn) unsubscribeJobs(ctx context.Context) error {
	wanted := func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.jobs.ours = c.jobs.apps
		return c.jobs.apps
	}
	if wanted() {
		return nil
	}
	if err := c.quietly(ctx, "nixevent BACKGROUND_JOB"); err != nil || !wanted() {
		return err
	}
	c.mu.Lock() // the application has subscribed meanwhile, perhaps before that was sent
	c.jobs.ours = false
	c.mu.Unlock()
	return c.subscribeJobs(ctx)
}

// job runs cmd in the background and returns its BACKGROUND_JOB event.
func (c *Conn) job(ctx context.Context, cmd string) (*Event, error) {
	id, done := NewUUID(), make(chan answer, 1)
	c.mu.Lock()
	if c.jobs.waiting == nil {
		c.jobs.waiting = make(map[string]chan answer)
	}
	c.jobs.waiting[id] = done
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.jobs.waiting, id)
		c.mu.Unlock()
	}()
	if _, err := c.Send(ctx, jobCommand{Command: cmd, ID: id}); err != nil {
		return nil, err
	}
	select {
	case a := <-done:
		if a.err != nil {
			return nil, a.err
		}
		return a.event, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// whose tells who awaits a BACKGROUND_JOB event, nil for nobody, and whether the application asked
// for such events, too.
func (c *Conn) whose(e *Event) (awaits chan<- answer, app bool) {
	id := e.Get("Job-UUID")
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.jobs.waiting[id], c.jobs.apps
}

// finishJob gives a BACKGROUND_JOB event to whoever awaits it, if anybody does.
func finishJob(awaits chan<- answer, e *Event) {
	select {
	case awaits <- answer{event: e}:
	default: // nobody, or a second event for the same job
	}
}

// NewUUID returns a random UUID (version 4), as FreeSWITCH takes them for jobs,
// channels and applications.
func NewUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
