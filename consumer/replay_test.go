package consumer_test

import (
	"bytes"
	"context"
	"io"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/genesis-esl/genesis/consumer"
	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/esl/esltest"
	"github.com/genesis-esl/genesis/internal/recording"
)

// TestReplay plays a recorded session to an app: each event of it is handled once,
// in order within its call, and the hooks count just that.
func TestReplay(t *testing.T) {
	raw, err := recording.Read("../testdata/transcripts/c_event_plain_all.bin.gz")
	if err != nil {
		t.Fatal(err)
	}
	want, total := sequences(t, raw)
	replay, err := esltest.NewReplay(raw)
	if err != nil {
		t.Fatal(err)
	}
	defer replay.Close()
	app := newApp()
	var mu sync.Mutex
	got, handled, routed := map[string][]uint64{}, 0, 0
	all := make(chan struct{})
	app.Hooks = &consumer.Hooks{Routed: func(_ string, hit bool, n int) {
		mu.Lock()
		defer mu.Unlock()
		if hit {
			t.Error("a hit without a handler for a name")
		}
		routed += n
	}}
	app.HandleFunc("*", func(_ context.Context, ev *esl.Event) error {
		mu.Lock()
		defer mu.Unlock()
		got[orderKey(ev)] = append(got[orderKey(ev)], ev.Sequence())
		if handled++; handled == total {
			close(all)
		}
		return nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- app.Serve(ctx, esl.ClientConfig{Addr: replay.Addr()}) }()
	await(t, all, "all events")
	cancel()
	if err := await(t, done, "Serve"); err != nil {
		t.Error(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if !reflect.DeepEqual(got, want) || routed != total || handled != total {
		t.Errorf("handled %d and routed %d of %d events, or not in order", handled, routed, total)
	}
}

// sequences lists the events of a recording in order, by what they must stay in order with.
func sequences(t *testing.T, raw []byte) (byKey map[string][]uint64, total int) {
	t.Helper()
	byKey = map[string][]uint64{}
	for decoder := esl.NewDecoder(bytes.NewReader(raw), esl.Limits{}); ; {
		frame, err := decoder.Next()
		if err == io.EOF {
			return byKey, total
		}
		if err != nil {
			t.Fatal(err)
		}
		if frame.Type != esl.FrameEventPlain {
			continue
		}
		ev, err := frame.Event()
		if err != nil {
			t.Fatal(err)
		}
		byKey[orderKey(ev)] = append(byKey[orderKey(ev)], ev.Sequence())
		total++
	}
}

func orderKey(ev *esl.Event) string {
	for _, header := range []string{"Unique-ID", "Job-UUID", "Event-Name"} {
		if value := ev.Get(header); value != "" {
			return strings.Clone(value)
		}
	}
	return ""
}
