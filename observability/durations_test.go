package observability_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/observability"
)

// TestHandlerDurations records the same with the histogram of our own and with
// OpenTelemetry's, which is in use when something of it is asked for. What is shown must
// be the same to the letter.
func TestHandlerDurations(t *testing.T) {
	shown := func(t *testing.T) string {
		s := serve(t, observability.Config{Mode: observability.Consumer})
		var wait sync.WaitGroup
		for i := range 4 {
			wait.Go(func() {
				for _, took := range []time.Duration{
					0, 1, 99 * time.Microsecond, 100 * time.Microsecond, 100001, 250 * time.Millisecond, 30 * time.Second, time.Hour,
				} {
					s.obs.HandlerEnd(t.Context(), "CHANNEL_ANSWER", took, "", nil)
				}
				s.obs.HandlerEnd(t.Context(), fmt.Sprintf("conference::%d\xff", i), time.Second, "error", nil)
			})
		}
		wait.Wait()
		s.obs.EventsRouted("CHANNEL_PARK", true, 1) // no handler has run yet
		var lines strings.Builder
		_, body := s.do(t, "GET", "/metrics", nil)
		for line := range strings.Lines(body) {
			if strings.Contains(line, "genesis_handler_") {
				lines.WriteString(line)
			}
		}
		return lines.String()
	}
	own := shown(t)
	t.Setenv("OTEL_METRICS_EXEMPLAR_FILTER", "always_off")
	theirs := shown(t)
	if own != theirs {
		t.Errorf("our own:\n%s\nOpenTelemetry's:\n%s", own, theirs)
	}
	for _, want := range []string{
		`genesis_handler_duration_seconds_bucket{event_name="CHANNEL_ANSWER",le="0.0001"} 16`,
		`genesis_handler_duration_seconds_bucket{event_name="CHANNEL_ANSWER",le="0.0005"} 20`,
		`genesis_handler_duration_seconds_bucket{event_name="CHANNEL_ANSWER",le="+Inf"} 32`,
		`genesis_handler_duration_seconds_count{event_name="conference::0?"} 1`,
	} {
		if !strings.Contains(own, want+"\n") {
			t.Errorf("no %s in\n%s", want, own)
		}
	}
	if strings.Contains(own, `duration_seconds_count{event_name="CHANNEL_PARK"}`) {
		t.Error("a histogram of a handler that never ran")
	}
}
