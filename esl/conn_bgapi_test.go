package esl_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/genesis-esl/genesis/esl"
)

// subscribed answers the subscription that comes before the first background job.
func (p *peer) subscribed() {
	p.t.Helper()
	p.expect("event plain BACKGROUND_JOB")
	p.reply("+OK event listener enabled plain")
}

// subscribedStatus answers a BgAPI of status that subscribes first, and takes its result.
func (p *peer) subscribedStatus(done <-chan outcome[string]) {
	p.t.Helper()
	p.subscribed()
	id := p.job("status")
	p.reply("+OK Job-UUID: " + id)
	p.send(jobEvent(id, "UP"))
	if got := receive(p.t, done, "the job"); got.value != "UP" || got.err != nil {
		p.t.Errorf("got %q, %v", got.value, got.err)
	}
}

// job reads a bgapi and returns its Job-UUID.
func (p *peer) job(cmd string) string {
	p.t.Helper()
	id := p.expect("bgapi " + cmd).Get("Job-UUID")
	if len(id) != 36 {
		p.t.Fatalf("Job-UUID %q", id)
	}
	return id
}

func TestBgAPI(t *testing.T) {
	for name, tc := range map[string]struct {
		output string
		want   *esl.ReplyError
	}{
		"output":  {"+OK 7f4db0f2-b848-4b0a-b3cf-559bdca96b38\n", nil},
		"refused": {"-ERR USER_BUSY\n", &esl.ReplyError{Command: "bgapi originate", Text: "USER_BUSY"}},
		"usage":   {"-USAGE, originate\n", &esl.ReplyError{Command: "bgapi originate", Text: "-USAGE, originate"}},
		"nothing": {"", nil},
	} {
		t.Run(name, func(t *testing.T) {
			c, far := connected(t, esl.ConnConfig{})
			done := start(func() (string, error) { return c.BgAPI(within(t), "originate user/1000 &park") })
			far.subscribed()
			id := far.job("originate user/1000 &park")
			far.reply("+OK Job-UUID: " + id)
			nothing(t, done, "before the job has ended")
			far.send(jobEvent(esl.NewUUID(), "+OK another job's\n"), jobEvent(id, tc.output))
			got := receive(t, done, "the job")
			var refused *esl.ReplyError
			if got.value != tc.output || errors.As(got.err, &refused) != (tc.want != nil) {
				t.Fatalf("got %q, %v", got.value, got.err)
			}
			if tc.want != nil && *refused != *tc.want {
				t.Errorf("got %+v, want %+v", refused, tc.want)
			}
		})
	}
}

// TestBgAPIWithCRLF: an event is known by its name, whatever its lines end with.
func TestBgAPIWithCRLF(t *testing.T) {
	c, far := connected(t, esl.ConnConfig{})
	done := start(func() (string, error) { return c.BgAPI(within(t), "status") })
	far.subscribed()
	id := far.job("status")
	far.reply("+OK Job-UUID: " + id)
	body := "Event-Name: BACKGROUND_JOB\r\nJob-UUID: " + id + "\r\nContent-Length: 2\r\n\r\nUP"
	far.send(fmt.Appendf(nil, "Content-Length: %d\nContent-Type: text/event-plain\n\n%s", len(body), body))
	if got := receive(t, done, "the job"); got.value != "UP" || got.err != nil {
		t.Errorf("got %q, %v", got.value, got.err)
	}
}

// TestBgAPIEventBeforeReply: the id is our own, so the order does not matter.
func TestBgAPIEventBeforeReply(t *testing.T) {
	c, far := connected(t, esl.ConnConfig{})
	done := start(func() (string, error) { return c.BgAPI(within(t), "status") })
	far.subscribed()
	id := far.job("status")
	far.send(jobEvent(id, "UP\n"), jobEvent(id, "UP twice\n"))
	far.reply("+OK Job-UUID: " + id)
	if got := receive(t, done, "the job"); got.value != "UP\n" || got.err != nil {
		t.Errorf("got %q, %v", got.value, got.err)
	}
}

// TestBgAPIManyAtOnce ends the jobs in the opposite order, each event twice.
func TestBgAPIManyAtOnce(t *testing.T) {
	const jobs = 50
	c, far := connected(t, esl.ConnConfig{})
	ctx := within(t)
	first := start(func() (string, error) { return c.BgAPI(ctx, "first") })
	far.subscribed()
	id := far.job("first")
	far.reply("+OK Job-UUID: " + id)
	far.send(jobEvent(id, "+OK"))
	receive(t, first, "the first job")

	var wg sync.WaitGroup
	for i := range jobs {
		wg.Go(func() {
			got, err := c.BgAPI(ctx, fmt.Sprint("eval ", i))
			if err != nil || got != fmt.Sprint("bgapi eval ", i) {
				t.Errorf("job %d got %q, %v", i, got, err)
			}
		})
	}
	var events [][]byte
	for range jobs {
		request := far.next()
		id := request.Get("Job-UUID")
		far.reply("+OK Job-UUID: " + id)
		events = append(events, jobEvent(id, request.Line))
	}
	for i := len(events) - 1; i >= 0; i-- {
		far.send(events[i], events[i])
	}
	wg.Wait()
}

// TestBgAPISubscribesWithoutShowingIt: other clients' jobs do not reach an
// application that did not ask for BACKGROUND_JOB, however many callers race to
// be the first.
func TestBgAPISubscribesWithoutShowingIt(t *testing.T) {
	c, far := connected(t, esl.ConnConfig{})
	ctx := within(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := c.BgAPI(ctx, "status"); err != nil {
				t.Error(err)
			}
		})
	}
	for jobs := 0; jobs < 8; {
		request := far.next()
		far.send(jobEvent(esl.NewUUID(), "another client's"))
		far.reply("+OK")
		if id := request.Get("Job-UUID"); id != "" {
			far.send(jobEvent(id, "done"))
			jobs++
		}
	}
	wg.Wait()
	far.send(event("HEARTBEAT"))
	if e, err := c.ReadEvent(ctx); err != nil || e.Name() != "HEARTBEAT" {
		t.Errorf("got %v, %v; want the heartbeat only", e, err)
	}
}

// TestBgAPIWithAnApplicationThatSubscribed shows the events to it as well.
func TestBgAPIWithAnApplicationThatSubscribed(t *testing.T) {
	for _, line := range []string{"event plain ALL", "event plain all", "events plain CHANNEL_ANSWER background_job", "event BACKGROUND_JOB"} {
		t.Run(line, func(t *testing.T) {
			c, far := connected(t, esl.ConnConfig{})
			sent := start(func() (*esl.Reply, error) { return c.Send(within(t), esl.Line(line)) })
			far.expect(line)
			far.reply("+OK event listener enabled plain")
			receive(t, sent, "the subscription")
			done := start(func() (string, error) { return c.BgAPI(within(t), "status") })
			id := far.job("status")
			far.reply("+OK Job-UUID: " + id)
			far.send(jobEvent(id, "UP"))
			if got := receive(t, done, "the job"); got.value != "UP" {
				t.Errorf("got %q, %v", got.value, got.err)
			}
			if e, err := c.ReadEvent(within(t)); err != nil || e.Get("Job-UUID") != id {
				t.Errorf("got %v, %v; want the job's event", e, err)
			}
		})
	}
}

// TestBgAPIAfterUnsubscribing: what the application switches off, BgAPI switches
// on again, lest it wait for ever.
func TestBgAPIAfterUnsubscribing(t *testing.T) {
	for _, line := range []string{"noevents", "nixevent BACKGROUND_JOB", "nixevent plain all", "nixevent ALL"} {
		t.Run(line, func(t *testing.T) {
			c, far := connected(t, esl.ConnConfig{})
			ctx := within(t)
			for _, command := range []string{"event plain ALL", line} {
				sent := start(func() (*esl.Reply, error) { return c.Send(ctx, esl.Line(command)) })
				far.expect(command)
				far.reply("+OK")
				receive(t, sent, command)
			}
			done := start(func() (string, error) { return c.BgAPI(ctx, "status") })
			far.subscribedStatus(done)
		})
	}
}

// unsubscribed reads BgAPI's subscription, and answers it when a noevents of the application's has come behind.
func (p *peer) unsubscribed(c *esl.Conn) {
	p.t.Helper()
	p.expect("event plain BACKGROUND_JOB")
	sent := start(func() (*esl.Reply, error) { return c.Send(within(p.t), esl.Line("noevents")) })
	p.expect("noevents")
	p.reply("+OK event listener enabled plain")
	p.reply("+OK no longer listening for events")
	receive(p.t, sent, "noevents")
}

// TestBgAPIWhileUnsubscribing: a noevents that goes out while BgAPI's subscription is on its way
// undoes it, whatever the answer to the subscription says.
func TestBgAPIWhileUnsubscribing(t *testing.T) {
	c, far := connected(t, esl.ConnConfig{})
	done := start(func() (string, error) { return c.BgAPI(within(t), "status") })
	far.unsubscribed(c)
	far.subscribedStatus(done)
}

// TestBgAPIAgainstUnsubscribing: an application that always unsubscribes is told.
func TestBgAPIAgainstUnsubscribing(t *testing.T) {
	c, far := connected(t, esl.ConnConfig{})
	done := start(func() (string, error) { return c.BgAPI(within(t), "status") })
	for range 5 { // subscribeAttempts
		far.unsubscribed(c)
	}
	if got := receive(t, done, "the job"); got.err == nil || c.Err() != nil {
		t.Errorf("got %q, %v; want an error and the connection as it was, which has %v", got.value, got.err, c.Err())
	}
}

func TestBgAPICancelled(t *testing.T) {
	c, far := connected(t, esl.ConnConfig{})
	ctx, cancel := context.WithCancel(context.Background())
	first := start(func() (string, error) { return c.BgAPI(ctx, "slow") })
	far.subscribed()
	slow := far.job("slow")
	far.reply("+OK Job-UUID: " + slow)
	cancel()
	if got := receive(t, first, "the caller that left"); !errors.Is(got.err, context.Canceled) {
		t.Fatalf("got %q, %v", got.value, got.err)
	}
	second := start(func() (string, error) { return c.BgAPI(within(t), "quick") })
	quick := far.job("quick")
	far.reply("+OK Job-UUID: " + quick)
	far.send(jobEvent(slow, "late"), jobEvent(quick, "right"))
	if got := receive(t, second, "the next job"); got.value != "right" || got.err != nil {
		t.Errorf("got %q, %v", got.value, got.err)
	}
}

// TestBgAPICutOff at each of its steps: the job has not run before its own command was sent.
func TestBgAPICutOff(t *testing.T) {
	for name, step := range map[string]struct {
		take func(*peer)
		sent bool
	}{
		"subscribing": {func(far *peer) { far.expect("event plain BACKGROUND_JOB") }, false},
		"sending":     {func(far *peer) { far.subscribed(); far.job("status") }, true},
		"running": {func(far *peer) {
			far.subscribed()
			far.reply("+OK Job-UUID: " + far.job("status"))
		}, true},
	} {
		for end, cut := range map[string]func(*peer){"FIN": (*peer).fin, "RST": (*peer).rst} {
			t.Run(name+" "+end, func(t *testing.T) {
				c, far := connected(t, esl.ConnConfig{})
				done := start(func() (string, error) { return c.BgAPI(context.Background(), "status") })
				step.take(far)
				cut(far)
				checkLost(t, receive(t, done, "the job").err, step.sent)
			})
		}
	}
}

func TestBgAPIRefused(t *testing.T) {
	c, far := connected(t, esl.ConnConfig{})
	done := start(func() (string, error) { return c.BgAPI(within(t), "status") })
	far.subscribed()
	far.job("status")
	far.reply("-ERR permission denied")
	var refused *esl.ReplyError
	if got := receive(t, done, "the job"); !errors.As(got.err, &refused) || refused.Text != "permission denied" {
		t.Errorf("got %q, %v", got.value, got.err)
	}
}

// TestRefusedEventCommands: FreeSWITCH goes on with what it had subscribed to, whether or not
// somebody waits for the refusal.
func TestRefusedEventCommands(t *testing.T) {
	c, far := connected(t, esl.ConnConfig{})
	send := func(ctx context.Context, line, reply string) {
		t.Helper()
		sent := start(func() (*esl.Reply, error) { return c.Send(ctx, esl.Line(line)) })
		far.expect(line)
		far.reply(reply)
		receive(t, sent, line)
	}
	gone, cancel := context.WithCancel(t.Context())
	sent := start(func() (*esl.Reply, error) { return c.Send(gone, esl.Line("event plain ALL")) })
	far.expect("event plain ALL")
	cancel()
	receive(t, sent, "the end of the context")
	far.reply("-ERR permission denied")
	send(t.Context(), "nolog", "+OK") // then the refusal has come, too

	job := start(func() (string, error) { return c.BgAPI(within(t), "status") })
	far.subscribed()
	id := far.job("status")
	far.reply("+OK Job-UUID: " + id)
	far.send(jobEvent(id, "UP"))
	if got := receive(t, job, "the job"); got.value != "UP" {
		t.Errorf("got %q, %v", got.value, got.err)
	}

	send(t.Context(), "event plain BACKGROUND_JOB NOTIFY", "+OK")
	send(t.Context(), "event plain", "-ERR no keywords supplied")
	send(t.Context(), "event plain BACKGROUND_JOB TRAP", "-ERR permission denied")
	far.send(jobEvent(esl.NewUUID(), "another one's"))
	if e, err := c.ReadEvent(within(t)); err != nil || e.Name() != "BACKGROUND_JOB" {
		t.Errorf("got %v, %v", e, err)
	}
}
