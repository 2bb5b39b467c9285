// Command cdr writes one line of JSON for each finished call to stdout: a call data record.
//
//	genesis consumer --simulate ./examples/cdr
package main

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/genesis-esl/genesis"
	"github.com/genesis-esl/genesis/call"
	"github.com/genesis-esl/genesis/consumer"
	"github.com/genesis-esl/genesis/esl"
)

func main() {
	genesis.Run(newApp(os.Stdout))
}

// record is what is written of a call. Times are those of FreeSWITCH; a call that was not answered has no Answered.
type record struct {
	Call        string     `json:"call"`
	Direction   string     `json:"direction"`
	From        string     `json:"from"`
	To          string     `json:"to"`
	Started     time.Time  `json:"started"`
	Answered    *time.Time `json:"answered,omitempty"`
	Ended       time.Time  `json:"ended"`
	Seconds     int        `json:"seconds"`
	BillSeconds int        `json:"billed_seconds"`
	Cause       call.Cause `json:"cause"`
	Q850        int        `json:"q850"`
}

func newApp(out io.Writer) *consumer.App {
	var mu sync.Mutex // handlers of different calls run at the same time
	lines := json.NewEncoder(out)
	app := consumer.New()
	app.HandleFunc("CHANNEL_HANGUP_COMPLETE", func(_ context.Context, ev *esl.Event) error {
		mu.Lock()
		defer mu.Unlock()
		return lines.Encode(recordOf(ev))
	})
	return app
}

func recordOf(ev *esl.Event) record {
	cause := call.Cause(ev.Get("Hangup-Cause"))
	r := record{
		Call: ev.UUID(), Direction: ev.Get("Call-Direction"),
		From: ev.Get("Caller-Caller-ID-Number"), To: ev.Get("Caller-Destination-Number"),
		Started: at(ev, "Caller-Channel-Created-Time"), Ended: at(ev, "Caller-Channel-Hangup-Time"),
		Seconds: number(ev, "duration"), BillSeconds: number(ev, "billsec"),
		Cause: cause, Q850: cause.Q850(),
	}
	if answered := at(ev, "Caller-Channel-Answered-Time"); answered.Unix() > 0 {
		r.Answered = &answered
	}
	return r
}

// at reads a time of the call, in microseconds since 1970, 0 for what never was.
func at(ev *esl.Event, header string) time.Time {
	us, _ := strconv.ParseInt(ev.Get(header), 10, 64)
	return time.UnixMicro(us).UTC()
}

func number(ev *esl.Event, variable string) int {
	n, _ := strconv.Atoi(ev.Variable(variable))
	return n
}
