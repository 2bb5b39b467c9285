package esl_test

import (
	"bytes"
	"io"
	"strconv"
	"testing"

	"github.com/genesis-esl/genesis/esl"
)

// BenchmarkDecode cuts every frame of the recording out and does with its event
// what a handler does: reads five headers, one an integer, one URL-encoded.
func BenchmarkDecode(b *testing.B) {
	for _, name := range []string{"c_event_plain_all", "d_event_json_all", "e_event_xml_all"} {
		b.Run(name, func(b *testing.B) {
			data := recording(b, name)
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			events := 0
			for b.Loop() {
				for d := esl.NewDecoder(bytes.NewReader(data), esl.Limits{}); ; {
					f, err := d.Next()
					if err == io.EOF {
						break
					}
					if e, _ := f.Event(); e != nil {
						events++
						readFive(e)
					}
				}
			}
			b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

func readFive(e *esl.Event) int {
	n, _ := strconv.Atoi(e.Get("Event-Date-Timestamp"))
	return n + len(e.Name()) + len(e.UUID()) + len(e.Get("Caller-Destination-Number")) +
		len(e.Get("Event-Date-GMT")) + len(e.Get("Answer-State"))
}
