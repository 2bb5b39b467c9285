package deploy_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/genesis-esl/genesis"
	"github.com/genesis-esl/genesis/consumer"
	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/esl/esltest"
	"github.com/genesis-esl/genesis/observability"
)

// lab is an app with a FreeSWITCH of its own, between them a wire that can freeze.
type lab struct {
	fault
	t       *testing.T
	ctx     context.Context
	cancel  context.CancelFunc
	fs      *esltest.Server
	wire    *wire
	logs    *logs
	url     string
	client  http.Client
	severed chan struct{}
	ended   chan error
	busy    net.Listener
}

func (l *lab) check(err error) {
	if err != nil {
		l.t.Errorf("%s: %v", l.name, err)
	}
}

// start runs the app as its main would.
func (l *lab) start() {
	l.fs = esltest.NewUnstartedServer(l.fault.fs)
	l.check(l.fs.Start())
	l.wire = newWire()
	if l.absent {
		l.check(l.fs.Stop())
	}
	app := consumer.New()
	app.HandleFunc("test::flood", func(context.Context, *esl.Event) error { return nil })
	if l.app != nil {
		app = l.app(l)
	}
	app.Logger = slog.New(observability.NewLogHandler(l.logs, observability.LogConfig{}))
	started := make(chan string, 1)
	options := []genesis.Option{
		genesis.FreeSWITCH(l.fs.Addr(), "ClueCon"), genesis.Observability("127.0.0.1:0"), genesis.Logger(app.Logger),
		genesis.Client(func(c *esl.ClientConfig) { c.Dial = l.wire.dial }),
		genesis.Environ(func(string) (string, bool) { return "", false }),
		genesis.OnStart(func(s genesis.Started) { started <- "http://" + s.Observability.String() }),
	}
	if l.options != nil {
		options = append(options, l.options(l)...)
	}
	go func() { l.ended <- genesis.RunContext(l.ctx, app, options...) }()
	select {
	case l.url = <-started:
	case err := <-l.ended:
		l.ended <- err
	case <-l.ctx.Done():
	}
}

func (l *lab) stop() {
	l.cancel()
	select {
	case <-l.ended:
	case <-time.After(30 * time.Second):
		l.t.Errorf("%s: the app does not end", l.name)
	}
	l.client.CloseIdleConnections()
	l.wire.close()
	l.fs.Close()
	if l.busy != nil {
		l.busy.Close()
	}
}

// flood lets FreeSWITCH send n events.
func (l *lab) flood(n int) {
	conn, err := esl.Dial(l.ctx, l.fs.Addr(), esl.DialConfig{})
	if err != nil {
		l.check(err)
		return
	}
	defer conn.Close()
	for range n {
		if _, err := conn.Send(l.ctx, flood{}); err != nil {
			l.check(err)
			return
		}
	}
}

// flood is the command that has FreeSWITCH send an event.
type flood struct{}

func (flood) BuildMessage() string { return "sendevent CUSTOM\nEvent-Subclass: test::flood" }

func (l *lab) cut() { close(l.severed) }

// taken returns an address in use.
func (l *lab) taken() string {
	var err error
	l.busy, err = net.Listen("tcp", "127.0.0.1:0")
	l.check(err)
	return l.busy.Addr().String()
}

func (l *lab) get(path, accept string) (int, string) {
	req, err := http.NewRequestWithContext(l.ctx, "GET", l.url+path, nil)
	if err != nil {
		return 0, ""
	}
	req.Header.Set("Accept", accept)
	res, err := l.client.Do(req)
	if err != nil {
		return 0, ""
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(body)
}

// missing returns where the fault does not show yet.
func (l *lab) missing() []string {
	var missing []string
	want := func(place, text, in string) {
		if !strings.Contains(in, text) {
			missing = append(missing, fmt.Sprintf("%s: no %q in %s", place, text, tail(in)))
		}
	}
	if l.health == 0 {
		select {
		case err := <-l.ended:
			l.ended <- err
			if got := genesis.ExitCode(err); got != l.exit {
				missing = append(missing, fmt.Sprintf("exit code %d (%v)", got, err))
			}
		default:
			missing = append(missing, "the process goes on")
		}
		want("log", l.log, l.logs.String())
		return missing
	}
	if code, _ := l.get("/health", ""); code != l.health {
		missing = append(missing, fmt.Sprintf("/health: %d", code))
	}
	if code, _ := l.get("/ready", ""); code != l.ready {
		missing = append(missing, fmt.Sprintf("/ready: %d", code))
	}
	if len(missing) > 0 {
		return missing // the rest is only asked for when it can be so
	}
	_, detail := l.get("/ready", "application/health+json")
	want("detail", l.detail, detail)
	_, metrics := l.get("/metrics", "")
	want("metric", l.metric, metrics)
	if l.metric != "" && !strings.Contains(l.metric, " ") && strings.Contains(metrics, "\n"+l.metric+" 0\n") {
		missing = append(missing, "metric: "+l.metric+" is 0")
	}
	_, page := l.get("/", "")
	want("page", l.page, page)
	want("log", l.log, l.logs.String())
	return missing
}

func tail(text string) string { return text[max(0, len(text)-600):] }

// until waits for what holds, and returns what still does not in the end.
func (l *lab) until(limit time.Duration, missing func() []string) []string {
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		last := missing()
		if len(last) == 0 {
			return nil
		}
		select {
		case <-ticker.C:
		case <-deadline.C:
			return last
		}
	}
}

func (l *lab) run() {
	defer l.stop()
	l.start()
	if l.settled {
		missing := l.until(20*time.Second, func() []string {
			l.fs.Beat()
			if code, _ := l.get("/ready", ""); code != http.StatusOK {
				return []string{"/ready"}
			}
			return nil
		})
		if missing != nil {
			l.t.Errorf("%s: the app does not get ready\n%s", l.name, l.logs)
			return
		}
	}
	if l.provoke != nil {
		l.provoke(l)
	}
	start := time.Now()
	if missing := l.until(l.within, l.missing); missing != nil {
		l.t.Errorf("%s: after %v:\n  %s\nlog:\n%s", l.name, l.within, strings.Join(missing, "\n  "), l.logs)
		return
	}
	l.t.Logf("%s: shows everywhere after %v", l.name, time.Since(start).Round(10*time.Millisecond))
}
