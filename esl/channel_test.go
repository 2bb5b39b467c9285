package esl

import (
	"strings"
	"testing"
)

// TestChannel holds what recorded events tell of their channels to Get.
func TestChannel(t *testing.T) {
	told := 0
	for name, kind := range map[string]dialect{"c_event_plain_all": plainEncoded, "d_event_json_all": jsonObject, "e_event_xml_all": xmlElements} {
		for body := range recordedBodies(t, "../testdata/transcripts/"+name+".bin.gz") {
			e := newEvent(body, kind)
			var want [4]string
			if state := e.Get("Channel-State"); state != "" {
				want = [4]string{state, e.Get("Call-Direction"), e.Get("Answer-State")}
				if want[2] == "hangup" {
					want[3] = e.Get("Hangup-Cause")
				}
				told++
			}
			for range 2 {
				if got := channelOf(e); got != want {
					t.Errorf("%v: %q, want %q", e, got, want)
				}
				e.UUID()
			}
		}
	}
	if told < 300 {
		t.Errorf("only %d events tell of a channel", told)
	}
}

func channelOf(e *Event) (all [4]string) {
	all[0], all[1], all[2], all[3] = e.channel()
	return all
}

// checkChannel sees to it that what any text is taken to tell of a channel stands in it.
func checkChannel(t *testing.T, text string) {
	for _, text := range []string{text, "Unique-ID: first\n" + text, text + "Unique-ID: last\n" + text} {
		e := newEvent([]byte(text), plainEncoded)
		e.UUID()
		for i, name := range []string{"Channel-State", "Call-Direction", "Answer-State", "Hangup-Cause"} {
			value := channelOf(e)[i]
			found := value == ""
			for header, held := range e.Headers() {
				found = found || held == value && strings.EqualFold(header, name)
			}
			if !found {
				t.Errorf("%s is %q, which no header says", name, value)
			}
		}
	}
}
