package queue_test

import (
	"context"
	"testing"

	"github.com/genesis-esl/genesis/call/queue"
)

// BenchmarkAcquire takes and gives back a slot that is free.
func BenchmarkAcquire(b *testing.B) {
	q, err := queue.New(queue.Config{})
	if err != nil {
		b.Fatal(err)
	}
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		slot, err := q.Acquire(ctx, "bench")
		if err != nil {
			b.Fatal(err)
		}
		if err := slot.Release(ctx); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkHandOver has ten callers for each slot: what it takes from one to the next.
func BenchmarkHandOver(b *testing.B) {
	q, err := queue.New(queue.Config{})
	if err != nil {
		b.Fatal(err)
	}
	ctx := context.Background()
	b.SetParallelism(10)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			slot, err := q.Acquire(ctx, "bench")
			if err != nil {
				b.Error(err)
				return
			}
			if err := slot.Release(ctx); err != nil {
				b.Error(err)
			}
		}
	})
}
