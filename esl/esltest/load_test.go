package esltest_test

import (
	"context"
	"encoding/json"
	"math"
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

// Calls beyond Concurrent wait for their place: all are made, and the report says how late.
func TestLoadWaitsForAPlace(t *testing.T) {
	srv := start(t, esltest.Config{})
	report, err := srv.Load(testContext(t), esltest.Load{
		Rate: 1000, Calls: 20, Concurrent: 5, Call: esltest.CallConfig{HangupAfter: 100 * time.Millisecond},
	})
	if err != nil || report.Started != 20 || report.Answered != 20 || report.Skipped != 0 || report.Peak != 5 {
		t.Errorf("report %+v, %v", report, err)
	}
	// The last five come after three rounds of the others, less the 19 ms after which their turn was.
	if report.Late.Count != 20 || report.Late.Max < 270*time.Millisecond || report.Late.P50 < 80*time.Millisecond {
		t.Errorf("late %+v", report.Late)
	}
	if report.Wanted != 1000 || report.Rate > 70 {
		t.Errorf("%v calls per second of %v, want 63 at most", report.Rate, report.Wanted)
	}
	if text := report.String(); !strings.Contains(text, "1000.0 wanted") || !strings.Contains(text, "started late by p50 ") {
		t.Errorf("text %q", text)
	}
}

// The end of the duration ends the making of calls, also for those that wait for a place.
func TestLoadEndsWithItsDuration(t *testing.T) {
	srv := start(t, esltest.Config{})
	report, err := srv.Load(testContext(t), esltest.Load{
		Rate: 100, Duration: 200 * time.Millisecond, Concurrent: 5, Call: esltest.CallConfig{HangupAfter: 2 * time.Second},
	})
	if err != nil || report.Started != 5 || report.Skipped != 15 || report.Ended != 5 || report.Cut != 0 || report.Rate > 25 {
		t.Errorf("report %+v, %v", report, err)
	}
	report, err = srv.Load(testContext(t), esltest.Load{Rate: 100, Duration: 200 * time.Millisecond, Drain: time.Millisecond})
	if err != nil || report.Started != 20 || report.Skipped != 0 {
		t.Errorf("without a bound: report %+v, %v", report, err)
	}
}

func TestLoadHangsUpWhatStays(t *testing.T) {
	srv := start(t, esltest.Config{})
	report, err := srv.Load(testContext(t), esltest.Load{Rate: 1000, Calls: 5, Drain: 20 * time.Millisecond})
	if err != nil || report.Started != 5 || report.Cut != 5 || report.Ended != 5 {
		t.Errorf("report %+v, %v", report, err)
	}
	ctx, cancel := context.WithTimeout(testContext(t), 100*time.Millisecond)
	defer cancel()
	report, err = srv.Load(ctx, esltest.Load{Rate: 1000, Calls: 20, Concurrent: 5})
	if err != nil || report.Started != 5 || report.Skipped != 15 || report.Cut != 5 || report.Ended != 5 {
		t.Errorf("stopped: report %+v, %v", report, err)
	}
}

// A FreeSWITCH that restarts refuses calls for a while; the load goes on.
func TestLoadOutlivesARestart(t *testing.T) {
	srv := start(t, esltest.Config{})
	seconds, before := 0, 0
	report, err := srv.Load(testContext(t), esltest.Load{
		Rate: 50, Calls: 120, Call: esltest.CallConfig{HangupAfter: 10 * time.Millisecond},
		Progress: func(r esltest.Report) {
			var err error
			switch seconds++; seconds {
			case 1:
				err = srv.Stop()
			case 2:
				before, err = r.Started, srv.Resume()
			}
			if err != nil {
				t.Error(err)
			}
		},
	})
	if err != nil || report.Refused == 0 || report.Started != 120-report.Refused || report.Started <= before || report.Ended != report.Started {
		t.Errorf("%d calls before the return of FreeSWITCH, report %+v, %v", before, report, err)
	}
	srv.Close()
	if report, err := srv.Load(testContext(t), esltest.Load{Calls: 1}); err == nil {
		t.Errorf("no error after Close, %+v", report)
	}
}

func TestLoadRefuses(t *testing.T) {
	srv := start(t, esltest.Config{})
	for name, load := range map[string]esltest.Load{
		"rate": {Rate: -1}, "no rate": {Rate: math.NaN()}, "no end of rate": {Rate: math.Inf(1)}, "duration": {Duration: -1}, "calls": {Calls: -1}, "concurrent": {Concurrent: -1},
		"uuid": {Call: esltest.CallConfig{UUID: "one"}},
	} {
		if report, err := srv.Load(testContext(t), load); err == nil {
			t.Errorf("%s: no error, %+v", name, report)
		}
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
