package consumer_test

import (
	"context"
	"fmt"
	"strconv"
	"testing"

	"github.com/genesis-esl/genesis/consumer"
	"github.com/genesis-esl/genesis/esl"
)

// plainEvents returns n events of about 2 KB, spread over so many calls.
func plainEvents(b testing.TB, n, calls int) []*esl.Event {
	b.Helper()
	events := make([]*esl.Event, n)
	for i := range events {
		headers := []esl.Header{
			{Name: "Event-Name", Value: "CHANNEL_EXECUTE"},
			{Name: "Core-UUID", Value: "3e9b2a6c-5c3e-4a0e-8a8d-0b7f6f6d5d11"},
			{Name: "FreeSWITCH-Hostname", Value: "bench"},
			{Name: "Event-Date-GMT", Value: "Sat, 21 Nov 2026 04:00:00 GMT"},
			{Name: "Event-Date-Timestamp", Value: "1795233600000000"},
			{Name: "Event-Sequence", Value: strconv.Itoa(i + 1)},
			{Name: "Channel-State", Value: "CS_EXECUTE"},
			{Name: "Unique-ID", Value: fmt.Sprintf("%08x-5c3e-4a0e-8a8d-0b7f6f6d5d11", i%calls)},
			{Name: "Call-Direction", Value: "inbound"},
		}
		for j := range 40 {
			headers = append(headers, esl.Header{
				Name: "variable_some_name_" + strconv.Itoa(j), Value: "value number " + strconv.Itoa(j),
			})
		}
		text := esl.AppendEvent(nil, esl.Plain, headers, "")
		ev, err := esl.ParseEvent(esl.Plain, bodyOf(text))
		if err != nil {
			b.Fatal(err)
		}
		events[i] = ev
	}
	return events
}

// bodyOf cuts the frame's own header off.
func bodyOf(frame []byte) []byte {
	for i := range frame {
		if string(frame[i:i+2]) == "\n\n" {
			return frame[i+2:]
		}
	}
	return nil
}

// readFive is the handler that the comparisons use: five headers, one of them a
// number.
func readFive(_ context.Context, ev *esl.Event) error {
	if ev.UUID() == "" || ev.Get("Channel-State") == "" || ev.Get("Call-Direction") == "" {
		return fmt.Errorf("headers are missing in %v", ev)
	}
	if ev.Get("Event-Date-GMT") == "" || ev.Sequence() == 0 {
		return fmt.Errorf("headers are missing in %v", ev)
	}
	return nil
}

// BenchmarkDispatch is the cost of an event from the connection's batch to the
// end of its handler, with the events in memory already.
func BenchmarkDispatch(b *testing.B) {
	for _, workers := range []int{1, 64} {
		for _, calls := range []int{1, 100, 10_000} {
			b.Run(fmt.Sprintf("workers=%d/calls=%d", workers, calls), func(b *testing.B) {
				benchmarkDispatch(b, workers, calls, nil)
			})
		}
	}
}

// BenchmarkDispatchHooks is the same with hooks that count.
func BenchmarkDispatchHooks(b *testing.B) {
	hooks := &consumer.Hooks{
		Routed:     func(string, bool, int) {},
		HandlerEnd: func(context.Context, *consumer.Handled) {},
	}
	for _, calls := range []int{1, 10_000} {
		b.Run(fmt.Sprintf("workers=64/calls=%d", calls), func(b *testing.B) {
			benchmarkDispatch(b, 64, calls, hooks)
		})
	}
}

func benchmarkDispatch(b *testing.B, workers, calls int, hooks *consumer.Hooks) {
	const batch = 256
	events := plainEvents(b, 10_240, calls)
	app := consumer.New()
	app.Workers, app.QueueEvents, app.Hooks = workers, 4096, hooks
	app.HandleFunc("CHANNEL_EXECUTE", readFive)
	b.ReportAllocs()
	b.ResetTimer()
	err := app.Run(b.Context(), func(ctx context.Context, h esl.Handler) error {
		batches := h.(esl.BatchHandler)
		for done := 0; done < b.N; done += batch {
			from := done % len(events)
			batches.HandleEvents(ctx, events[from:from+min(batch, b.N-done)])
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
