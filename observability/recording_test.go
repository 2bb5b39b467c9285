package observability_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/internal/recording"
	"github.com/genesis-esl/genesis/observability"
)

// recorded returns the bytes of a recording of FreeSWITCH.
func recorded(t *testing.T, file string) []byte {
	t.Helper()
	data, err := recording.Read("../testdata/transcripts/" + file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// events returns the events of a recording.
func events(t *testing.T, data []byte) []*esl.Event {
	t.Helper()
	dec := esl.NewDecoder(bytes.NewReader(data), esl.Limits{})
	var list []*esl.Event
	for {
		frame, err := dec.Next()
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(frame.Get("Content-Type"), "text/event-") {
			ev, err := frame.Event()
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, ev)
		}
	}
}

// The counters hold exactly what FreeSWITCH sent, counted here by regular
// expressions over the bytes of the recording.
func TestCountersHoldTheRecording(t *testing.T) {
	data := recorded(t, "c_event_plain_all.bin.gz")
	s := serve(t, observability.Config{Mode: observability.Consumer})
	list := events(t, data)
	for start := 0; start < len(list); start += 7 { // batches of any size
		s.obs.Hooks().Events(list[start:min(start+7, len(list))])
	}
	want := map[string]float64{}
	for _, m := range regexp.MustCompile(`(?m)^(Event-Name|Event-Subclass): (\S+)$`).FindAllSubmatch(data, -1) {
		value, err := url.QueryUnescape(string(m[2]))
		if err != nil {
			t.Fatal(err)
		}
		want[fmt.Sprintf("%s %s", m[1], value)]++
	}
	got := map[string]float64{}
	for _, m := range s.scrape(t)["genesis_events_received_total"].GetMetric() {
		for _, l := range m.Label {
			switch {
			case l.GetName() == "event_name":
				got["Event-Name "+l.GetValue()] += m.GetCounter().GetValue()
			case l.GetName() == "event_subclass" && l.GetValue() != "":
				got["Event-Subclass "+l.GetValue()] += m.GetCounter().GetValue()
			}
		}
	}
	if len(want) < 15 || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("counted\n%v, the recording holds\n%v", got, want)
	}
}

// What a real HEARTBEAT says is what the gauges say.
func TestGaugesOfTheRecordedHeartbeat(t *testing.T) {
	for _, file := range []string{"m_heartbeat.bin", "m2_heartbeat_json.bin"} {
		s := serve(t, observability.Config{Mode: observability.Consumer})
		hooks := s.obs.Hooks()
		hooks.ConnectEnd(t.Context(), esl.ConnInfo{Type: "inbound", Role: "events"}, nil)
		data := recorded(t, file)
		idle := regexp.MustCompile(`Idle-CPU\W+([0-9.]+)`).FindAllSubmatch(data, -1)
		percent, err := strconv.ParseFloat(string(idle[len(idle)-1][1]), 64)
		if err != nil {
			t.Fatal(err)
		}
		for _, ev := range events(t, data) {
			if ev.Name() == "HEARTBEAT" {
				hooks.Heartbeat(ev)
			}
		}
		s.wantSeries(t,
			`freeswitch_up{} 1`, `freeswitch_sessions{} 0`, `freeswitch_sessions_max{} 5000`, `freeswitch_sessions_peak{} 4`,
			`freeswitch_sessions_total{} 144`, fmt.Sprintf("freeswitch_idle_cpu_ratio{} %v", percent/100),
			`freeswitch_info{core_uuid="8ccf1759-e740-4518-9c02-f45e57183b57",hostname="vm",version="1.11.3-dev~64bit"} 1`,
		)
	}
}
