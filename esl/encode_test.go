package esl_test

import (
	"testing"

	"github.com/genesis-esl/genesis/esl"
)

func TestAppendURLEncoded(t *testing.T) {
	for in, want := range map[string]string{
		"tone_stream://%(500,200,440,480);loops=2": "tone_stream%3A//%25(500,200,440,480)%3Bloops%3D2",
		"gr\u00fc\u00dfe a+b":                      "gr%C3%BC%C3%9Fe%20a%2Bb",
		"100%25%0A":                                "100%25%0A",
		"100%2":                                    "100%252",
		"100%2f":                                   "100%252f",
		"a\x01\x1b[31mb\tc":                        "a%01%1B%5B31mb%09c",
		`<b>&amp;"q"</b>`:                          "%3Cb%3E%26amp%3B%22q%22%3C/b%3E",
		"it's ~ (fine)!*$,.-_/":                    "it's%20~%20(fine)!*$,.-_/",
		"":                                         "",
	} {
		if got := string(esl.AppendURLEncoded(nil, in)); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

func TestAppendEventOfNothing(t *testing.T) {
	for f, want := range map[esl.Format]string{
		esl.Plain: "Content-Length: 1\nContent-Type: text/event-plain\n\n\n",
		esl.JSON:  "Content-Length: 2\nContent-Type: text/event-json\n\n{}",
		esl.XML:   "Content-Length: 42\nContent-Type: text/event-xml\n\n<event>\n  <headers>\n  </headers>\n</event>\n",
	} {
		if got := string(esl.AppendEvent(nil, f, nil, "")); got != want {
			t.Errorf("%v: %q, want %q", f, got, want)
		}
	}
}

func TestAppendFrames(t *testing.T) {
	for got, want := range map[string]string{
		string(esl.AppendReply(nil, "+OK Job-UUID: x", esl.Header{Name: "Job-UUID", Value: "x"})): "Content-Type: command/reply\nReply-Text: +OK Job-UUID: x\nJob-UUID: x\n\n",
		string(esl.AppendAPIResponse(nil, "")):                                                    "Content-Type: api/response\nContent-Length: 14\n\n-ERR no reply\n",
		string(esl.AppendDisconnectNotice(nil, "", esl.Goodbye)):                                  "Content-Type: text/disconnect-notice\nContent-Length: 67\n\n" + esl.Goodbye,
		string(esl.AppendDisconnectNotice(nil, "u", esl.Goodbye)):                                 "Content-Type: text/disconnect-notice\nControlled-Session-UUID: u\nContent-Disposition: disconnect\nContent-Length: 67\n\n" + esl.Goodbye,
		string(esl.AppendLingerNotice(nil, "u", "n", -1)):                                         "Content-Type: text/disconnect-notice\nControlled-Session-UUID: u\nContent-Disposition: linger\nChannel-Name: n\nLinger-Time: -1\nContent-Length: 0\n\n",
		string(esl.AppendLog(nil, []esl.Header{{Name: "Log-Level", Value: "7"}}, "x\n")):          "Content-Type: log/data\nContent-Length: 2\nLog-Level: 7\n\nx\n",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
