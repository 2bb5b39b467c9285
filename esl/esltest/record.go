package esltest

import (
	"strconv"
	"time"
)

// report sets the variables of the call's record. The caller holds mu.
func (ch *channel) report(end time.Time) {
	const us = 1_000_000
	endAt := end.UnixMicro()
	digits := "none"
	if len(ch.dialed) > 0 {
		digits = string(ch.dialed)
	}
	stamp := func(at int64) string { return time.UnixMicro(at).Format("2006-01-02 15:04:05") }
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	ch.add("hangup_cause", ch.cause, "hangup_cause_q850", number(int64(q850(ch.cause))), "digits_dialed", digits,
		"start_stamp", stamp(ch.start), "profile_start_stamp", stamp(ch.start))
	if ch.answerAt > 0 {
		ch.add("answer_stamp", stamp(ch.answerAt))
	}
	progress, _ := strconv.ParseInt(ch.profile.progress, 10, 64)
	media, _ := strconv.ParseInt(ch.profile.progressMedia, 10, 64)
	bridged, _ := strconv.ParseInt(ch.profile.bridged, 10, 64)
	hold, _ := strconv.ParseInt(ch.profile.lastHold, 10, 64)
	for _, s := range []struct {
		name string
		at   int64
	}{{"bridge_stamp", bridged}, {"hold_stamp", hold}, {"progress_stamp", progress}, {"progress_media_stamp", media}} {
		if s.at > 0 {
			ch.add(s.name, stamp(s.at))
		}
	}
	ch.add("end_stamp", stamp(endAt))
	epoch := func(name string, at int64) { ch.add(name+"_epoch", number(at/us), name+"_uepoch", number(at)) }
	epoch("start", ch.start)
	epoch("profile_start", ch.start)
	epoch("answer", ch.answerAt)
	epoch("bridge", bridged)
	epoch("last_hold", hold)
	ch.add("hold_accum_seconds", "0", "hold_accum_usec", "0", "hold_accum_ms", "0")
	epoch("resurrect", 0)
	epoch("progress", progress)
	epoch("progress_media", media)
	epoch("end", endAt)
	if ch.lastApp.App != "" {
		ch.add("last_app", ch.lastApp.App)
		if ch.lastApp.Data != "" {
			ch.add("last_arg", ch.lastApp.Data)
		}
	}
	callerID := ch.profile.cidNumber
	if ch.profile.cidName != "" {
		callerID = `"` + ch.profile.cidName + `" <` + callerID + ">"
	}
	ch.add("caller_id", callerID)
	ch.reportDurations(endAt, progress, media, bridged)
}

func (ch *channel) reportDurations(end, progress, media, bridged int64) {
	since := func(from, to int64) int64 {
		if from == 0 || to == 0 {
			return 0
		}
		return to - from
	}
	for _, unit := range []struct {
		prefix string
		size   int64
		names  [7]string
	}{
		{"", 1_000_000, [7]string{"duration", "billsec", "progresssec", "answersec", "waitsec", "progress_mediasec", "flow_billsec"}},
		{"m", 1000, [7]string{"mduration", "billmsec", "progressmsec", "answermsec", "waitmsec", "progress_mediamsec", "flow_billmsec"}},
		{"u", 1, [7]string{"uduration", "billusec", "progressusec", "answerusec", "waitusec", "progress_mediausec", "flow_billusec"}},
	} {
		span := func(from, to int64) string {
			if unit.size == 1_000_000 {
				// FreeSWITCH subtracts whole seconds.
				return strconv.FormatInt(since(from/unit.size, to/unit.size), 10)
			}
			return strconv.FormatInt(since(from, to)/unit.size, 10)
		}
		ch.add(unit.names[0], span(ch.start, end), unit.names[1], span(ch.answerAt, end),
			unit.names[2], span(ch.start, progress), unit.names[3], span(ch.start, ch.answerAt),
			unit.names[4], span(ch.start, bridged), unit.names[5], span(ch.start, media),
			unit.names[6], span(ch.start, end))
	}
}
