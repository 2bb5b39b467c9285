package esltest_test

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/genesis-esl/genesis/esl"
)

// normaliser takes out of values what differs from run to run: identifiers, of
// which it only demands that equal ones stay equal, times, counters, addresses
// and the line numbers of FreeSWITCH's source.
type normaliser struct {
	ids  map[string]string // recorded UUID → simulated
	back map[string]string
	cut  bool // every playback of the recording was interrupted
}

func newNormaliser() *normaliser {
	return &normaliser{ids: map[string]string{}, back: map[string]string{}}
}

var (
	uuidPattern  = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	stampPattern = regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+ \d+\.\d+%)?`)
	gmtPattern   = regexp.MustCompile(`\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT`)
	epochPattern = regexp.MustCompile(`\b1[78]\d{8}(\d{6})?\b`)
	portPattern  = regexp.MustCompile(`127\.0\.0\.1:\d+`)
	upPattern    = regexp.MustCompile(`\d+ years?, \d+ days?, \d+ hours?, \d+ minutes?, \d+ seconds?, \d+ milliseconds?, \d+ microseconds?`)
	statePattern = regexp.MustCompile(`\d+ session\(s\)|peak \d+|last 5min \d+|idle cpu \d+\.\d+/\d+\.\d+|"(total|active|peak|peak5Min|current|used|allowed|years|days|hours|minutes|seconds|milliseconds|microseconds)":[\d.]+`)
)

// sessionPattern and sourcePattern are of log lines.
var (
	sessionPattern = regexp.MustCompile(`Session \d+|Cur \d+ Tot \d+`)
	sourcePattern  = regexp.MustCompile(`\w+\.c:\d+`)
)

// counters are headers whose values are times or counts.
var counters = regexp.MustCompile(`^(Event-Sequence|Event-Calling-Line-Number|Event-Date-.*|Uptime-msec|Up-Time|Session-(Count|Per-Sec.*|Since.*|Peak.*)|` +
	`Idle-CPU|Content-Length|variable_session_id|Member-ID|New-ID|variable_conference_member_id|event_count|Task-Runtime|` +
	`variable_(m|u|flow_)?(duration|bill(sec|msec|usec)|progress(sec|msec|usec)|answer(sec|msec|usec)|wait(sec|msec|usec)|progress_media(sec|msec|usec))|` +
	`variable_flow_bill(sec|msec|usec)|Log-Line|Text-Channel)$`)

// interrupted is how far a playback had come when it was interrupted.
var interrupted = regexp.MustCompile(`^variable_playback_(last_offset_pos|seconds|ms|samples)$`)

func (n *normaliser) value(h esl.Header, cut bool) string {
	if counters.MatchString(h.Name) || cut && interrupted.MatchString(h.Name) {
		return "#"
	}
	v := stampPattern.ReplaceAllString(h.Value, "DATE")
	v = gmtPattern.ReplaceAllString(v, "DATE")
	v = epochPattern.ReplaceAllString(v, "TIME")
	v = portPattern.ReplaceAllString(v, "ADDR")
	return n.text(v)
}

func (n *normaliser) text(v string) string {
	v = upPattern.ReplaceAllString(v, "UPTIME")
	v = statePattern.ReplaceAllString(v, "COUNT")
	v = stampPattern.ReplaceAllString(v, "DATE")
	v = sessionPattern.ReplaceAllString(v, "SESSION")
	v = sourcePattern.ReplaceAllString(v, "SOURCE")
	return v
}

// equal compares two normalised values and pairs their UUIDs.
func (n *normaliser) equal(want, got string) bool {
	w, g := uuidPattern.FindAllString(want, -1), uuidPattern.FindAllString(got, -1)
	if len(w) != len(g) {
		return false
	}
	for i := range w {
		if !n.pair(w[i], g[i]) {
			return false
		}
	}
	return uuidPattern.ReplaceAllString(want, "UUID") == uuidPattern.ReplaceAllString(got, "UUID")
}

func (n *normaliser) pair(want, got string) bool {
	if known, ok := n.ids[want]; ok {
		return known == got
	}
	if _, taken := n.back[got]; taken {
		return false
	}
	n.ids[want], n.back[got] = got, want
	return true
}

// compare returns how got differs from want.
func (n *normaliser) compare(want, got *frame) []string {
	var diffs []string
	if names(want) != names(got) {
		diffs = append(diffs, headerDifferences(want, got)...)
	}
	values := map[string][]string{}
	cut := n.cut || want.playbackCut()
	for _, h := range got.headers {
		values[h.Name] = append(values[h.Name], n.value(h, cut))
	}
	for _, h := range want.headers {
		have := values[h.Name]
		if len(have) == 0 {
			continue
		}
		values[h.Name] = have[1:]
		if value := n.value(h, cut); !n.equal(value, have[0]) {
			diffs = append(diffs, fmt.Sprintf("header %s is %q, recorded %q", h.Name, have[0], value))
		}
	}
	wantBody, gotBody := n.text(want.body), n.text(got.body)
	if strings.HasPrefix(want.body, "{\"command\"") {
		wantBody, gotBody = n.text(wantBody), n.text(gotBody)
	}
	if isNumber(want.body) && isNumber(got.body) {
		return diffs // uptime
	}
	if !n.equal(wantBody, gotBody) {
		diffs = append(diffs, fmt.Sprintf("body is %.200q, recorded %.200q", gotBody, wantBody))
	}
	return diffs
}

func isNumber(s string) bool {
	s = strings.TrimSuffix(s, "\n")
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// playbackCut says that the event's channel has had a playback interrupted,
// whose position then depends on the moment.
func (f *frame) playbackCut() bool {
	for _, h := range f.headers {
		if h.Value == "PLAYBACK ERROR" || h.Name == "Hangup-Cause" || h.Name == "variable_hangup_cause" {
			return true
		}
	}
	return false
}

func names(f *frame) string {
	var b strings.Builder
	for _, h := range f.headers {
		b.WriteString(h.Name + "\n")
	}
	return b.String()
}

// headerDifferences tells which headers are missing, extra or elsewhere.
func headerDifferences(want, got *frame) []string {
	var diffs []string
	count := map[string]int{}
	for _, h := range got.headers {
		count[h.Name]++
	}
	for _, h := range want.headers {
		if count[h.Name]--; count[h.Name] < 0 {
			diffs = append(diffs, "header "+h.Name+" is missing")
		}
	}
	for _, h := range got.headers {
		if count[h.Name] > 0 {
			count[h.Name]--
			diffs = append(diffs, "header "+h.Name+" is extra")
		}
	}
	if len(diffs) == 0 {
		for i := range want.headers {
			if want.headers[i].Name != got.headers[i].Name {
				diffs = append(diffs, fmt.Sprintf("header %s stands where %s was recorded", got.headers[i].Name, want.headers[i].Name))
				break
			}
		}
	}
	return diffs
}
