package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/esl/esltest"
)

// startOutbound starts an outbound app on a free port.
func startOutbound(t *testing.T, args ...string) (app *process, addr string) {
	t.Helper()
	app = startGenesis(t, append([]string{"outbound", "--port", "0"}, args...)...)
	return app, app.stderr.match(t, `msg="awaiting FreeSWITCH".* address=(\S+)`)
}

// load sends calls to an outbound app and reports what became of them.
func load(t *testing.T, addr string, args ...string) esltest.Report {
	t.Helper()
	sim := startGenesis(t, append([]string{"simulate", "--json", "--port", "0", "--outbound", addr}, args...)...)
	if code := sim.wait(); code != 0 {
		t.Fatalf("simulate: exit code %d", code)
	}
	var report esltest.Report
	if err := json.Unmarshal([]byte(sim.stdout.String()), &report); err != nil {
		t.Fatalf("%v in %q", err, sim.stdout)
	}
	return report
}

func TestOutboundAThousandCalls(t *testing.T) {
	app, addr := startOutbound(t, "--execute", "answer", "--execute", "sleep:1000")
	url := app.url()
	if body := await(t, url+"/ready", http.StatusOK, 5*time.Second); body != `{"status": "ready"}` {
		t.Errorf("/ready: %q", body)
	}
	before := metrics(t, url, "go_goroutines", "")[""]

	// A hundred new calls a second, each of a second: a hundred at a time. The app hangs up.
	report := load(t, addr, "--calls", "1000", "--calls-per-second", "100", "--call-duration", "1m")
	if report.Started != 1000 || report.Answered != 1000 || report.Ended != 1000 || report.Failed+report.Refused+report.Cut != 0 {
		t.Errorf("not all of 1,000 calls went well:\n%v", report)
	}
	if report.Peak < 80 {
		t.Errorf("%d calls at once at most, want about 100", report.Peak)
	}
	deadline := time.Now().Add(10 * time.Second)
	after := metrics(t, url, "go_goroutines", "")[""]
	for after > before+5 && time.Now().Before(deadline) {
		<-time.After(20 * time.Millisecond)
		after = metrics(t, url, "go_goroutines", "")[""]
	}
	if after > before+5 {
		t.Errorf("%v goroutines when the calls are over, %v before", after, before)
	}
	if active := metrics(t, url, "genesis_connections_active", "type")["outbound"]; active != 0 {
		t.Errorf("genesis_connections_active{type=outbound} %v, want 0", active)
	}
	if failed := metrics(t, url, "genesis_handler_errors_total", "")[""]; failed != 0 {
		t.Errorf("genesis_handler_errors_total %v, want none", failed)
	}
	app.stop()
	if log := app.stderr.String(); strings.Contains(log, "level=ERROR") || strings.Contains(log, "level=WARN") {
		t.Errorf("the log has complaints:\n%s", log)
	}
}

func TestOutboundExecute(t *testing.T) {
	app, addr := startOutbound(t, "--execute", "answer", "--execute", "set:greeting=a,b", "--execute", "hangup:USER_BUSY")
	report := load(t, addr, "--calls", "1", "--call-duration", "30s")
	if report.Causes["USER_BUSY"] != 1 || report.Answered != 1 {
		t.Errorf("the call was not answered and hung up with USER_BUSY:\n%v", report)
	}
	app.stop()
}

func TestOutboundFinishesCalls(t *testing.T) {
	app, addr := startOutbound(t)
	sim := startGenesis(t, "simulate", "--json", "--port", "0", "--outbound", addr, "--calls", "1", "--call-duration", "2s")
	app.awaitCall()
	app.stop()
	if code := sim.wait(); code != 0 || !strings.Contains(sim.stdout.String(), `"NORMAL_CLEARING":1`) {
		t.Errorf("the call in progress was not finished: %s", sim.stdout)
	}
}

func TestOutboundBusyPort(t *testing.T) {
	_, addr := startOutbound(t)
	second := startGenesis(t, "outbound", "--port", port(addr))
	if code := second.wait(); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	want := "genesis: cannot listen for FreeSWITCH on " + addr + " (ESL_APP_HOST, ESL_APP_PORT): bind: address already in use\n"
	if got := second.stderr.String(); got != want {
		t.Errorf("stderr %q, want %q", got, want)
	}
}

// Who stops a whole process group, or a supervisor that signals every process of a service, makes two signals of one
// request: the call in progress is finished.
func TestTwoSignalsOfOneRequest(t *testing.T) {
	app, addr := startOutbound(t)
	sim := startGenesis(t, "simulate", "--port", "0", "--outbound", addr, "--calls", "1", "--call-duration", "2s")
	app.awaitCall()
	app.signal(syscall.SIGTERM)
	app.signal(syscall.SIGINT)
	if code := app.wait(); code != 0 || !strings.Contains(app.stderr.String(), "msg=stopped") {
		t.Errorf("exit code %d, want a graceful stop and 0", code)
	}
	sim.wait()
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	app, addr := startOutbound(t, "--shutdown-timeout", "1h")
	sim := startGenesis(t, "simulate", "--port", "0", "--outbound", addr, "--calls", "1", "--call-duration", "1h")
	app.awaitCall()
	app.signal(syscall.SIGTERM)
	app.stderr.match(t, "msg=stopping")
	if code := app.insist(syscall.SIGTERM); code == 0 {
		t.Error("exit code 0 after a second signal, although a call went on")
	}
	sim.signal(syscall.SIGKILL)
	sim.wait()
}
