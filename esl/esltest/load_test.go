package esltest_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/esl/esltest"
)

func TestLoad(t *testing.T) {
	srv := start(t, esltest.Config{})
	report, err := srv.Load(testContext(t), esltest.Load{
		Rate: 500, Calls: 50, Drain: time.Minute,
		Call: esltest.CallConfig{HangupAfter: time.Second},
	})
	if err != nil {
		t.Fatal(err)
	}
	if report.Started != 50 || report.Answered != report.Started || report.Ended != report.Started || report.Failed != 0 {
		t.Errorf("report %+v", report)
	}
	if report.Duration.P50 < time.Second || report.Answer.Count != report.Answered {
		t.Errorf("latencies %+v %+v", report.Duration, report.Answer)
	}
	if text := report.String(); !strings.Contains(text, "answered ") || !strings.Contains(text, "NORMAL_CLEARING") {
		t.Errorf("text %q", text)
	}
	if _, err := json.Marshal(report); err != nil {
		t.Error(err)
	}
}

func TestLoadCountsFailures(t *testing.T) {
	srv := start(t, esltest.Config{})
	report, err := srv.Load(testContext(t), esltest.Load{Rate: 1000, Calls: 10, Call: esltest.CallConfig{To: "3001"}})
	if err != nil || report.Failed != 10 || report.Causes["USER_BUSY"] != 10 {
		t.Errorf("report %+v, %v", report, err)
	}
}

func TestLoadHangsUpWhatStays(t *testing.T) {
	srv := start(t, esltest.Config{})
	ctx, cancel := context.WithCancel(testContext(t))
	report, err := srv.Load(ctx, esltest.Load{Rate: 1000, Calls: 20, Concurrent: 5, Drain: 20 * time.Millisecond})
	cancel()
	if err != nil || report.Started != 5 || report.Skipped != 15 || report.Cut != 5 || report.Ended != 5 {
		t.Errorf("report %+v, %v", report, err)
	}
}

func TestScenario(t *testing.T) {
	sc, err := esltest.ParseScenario([]byte(`
pace: 10
endpoints:
  - match: ^user/1001$
    cause: USER_BUSY
extensions:
  - match: ^77$
    actions:
      - {app: answer}
      - {app: play_and_get_digits, data: "1 4 1 5000 # silence silence got"}
      - {app: hangup, data: "${got}"}
calls:
  - to: "77"
    from: "4912345"
    count: 3
    every: 1ms
    variables: {tenant: acme}
    steps:
      - {answered: true, after: 1ms, press: "17#"}
events:
  - name: sofia::register
    headers: {from-user: "1001", contact: a}
faults: ["split:chunk=10"]
`))
	if err != nil {
		t.Fatal(err)
	}
	var cfg esltest.Config
	if err := sc.Configure(&cfg); err != nil {
		t.Fatal(err)
	}
	srv := start(t, cfg)
	ctx := testContext(t)
	conn := connect(t, srv)
	subscribe(t, conn, "event json CHANNEL_HANGUP CUSTOM sofia::register")
	if err := sc.Run(ctx, srv); err != nil {
		t.Fatal(err)
	}
	hangups, registers := 0, 0
	for hangups+registers < 4 {
		ev, err := conn.ReadEvent(ctx)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case ev.Subclass() == "sofia::register" && ev.Get("from-user") == "1001":
			registers++
		case ev.Get("Hangup-Cause") == "USER_BUSY" && ev.Variable("tenant") == "acme" && ev.Get("Caller-Caller-ID-Number") == "4912345":
			hangups++
		default:
			t.Errorf("event %s %s", ev.Name(), ev.Get("Hangup-Cause"))
		}
	}
	if got := api(t, conn, "originate user/1001 &park()"); !strings.Contains(got, "USER_BUSY") {
		t.Errorf("busy user: %q", got)
	}
}

func TestScenarioRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"unknown field":   "callz: []",
		"bad expression":  "endpoints: [{match: '('}]",
		"bad fault":       "faults: [earthquake]",
		"step of nothing": "calls: [{steps: [{after: 1s}]}]",
		"no interval":     "calls: [{count: 2}]",
		"nameless event":  "events: [{after: 1s}]",
		"no duration":     "heartbeat: soon",
	} {
		if _, err := esltest.ParseScenario([]byte(text)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := esltest.ParseScenario([]byte(`{"calls": [{"to": "1", "after": "1s"}]}`)); err != nil {
		t.Errorf("JSON: %v", err)
	}
}
