package program_test

import (
	"context"
	"log/slog"
	"strconv"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/consumer"
	"github.com/genesis-esl/genesis/esl"
)

// realistic returns events of about 2 KB.
func realistic(n int) []*esl.Event {
	events := make([]*esl.Event, n)
	for i := range events {
		headers := []esl.Header{{Name: "Event-Name", Value: "CHANNEL_EXECUTE"}, {Name: "Event-Sequence", Value: strconv.Itoa(i + 1)},
			{Name: "Unique-ID", Value: callName(i % 100)}}
		for j := range 50 {
			headers = append(headers, esl.Header{Name: "variable_some_name_" + strconv.Itoa(j), Value: "value number " + strconv.Itoa(j)})
		}
		events[i] = esl.NewEvent(headers, "")
	}
	return events
}

// BenchmarkHosted is a consumer whose handler is another process, which reads
// every event as JSON and looks at none of it, next to one in this process, which
// looks at three headers. It prints the ratio.
func BenchmarkHosted(b *testing.B) {
	events := realistic(1000)
	source := func(ctx context.Context, h esl.Handler) error {
		for done := 0; done < b.N; done += 250 {
			from := done % len(events)
			h.(esl.BatchHandler).HandleEvents(ctx, events[from:from+min(250, b.N-done)])
		}
		return nil
	}
	app := func() *consumer.App {
		a := consumer.New()
		a.QueueEvents, a.Logger = 10_000, slog.New(slog.DiscardHandler)
		return a
	}
	inProcess := app()
	inProcess.HandleFunc("*", func(_ context.Context, ev *esl.Event) error {
		_, _, _ = ev.UUID(), ev.Variable("some_name_7"), ev.Variable("some_name_49")
		return nil
	})
	begun := time.Now()
	if err := inProcess.Run(b.Context(), source); err != nil {
		b.Fatal(err)
	}
	alone := time.Since(begun)

	hosted, p := app(), actor(b, "discard")
	if err := p.Register(hosted); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	err := p.Run(b.Context(), func(ctx context.Context) error { return hosted.Run(ctx, source) })
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(alone.Seconds()/b.Elapsed().Seconds(), "of-in-process")
}
