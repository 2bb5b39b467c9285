package printer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/internal/printer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func event(name string, headers ...string) *esl.Event {
	all := []esl.Header{{Name: "Event-Name", Value: name}}
	for i := 0; i < len(headers); i += 2 {
		all = append(all, esl.Header{Name: headers[i], Value: headers[i+1]})
	}
	return esl.NewEvent(all, "")
}

// lines runs the app over events and returns the lines that it writes.
func lines(t *testing.T, cfg printer.Config, events ...*esl.Event) []string {
	t.Helper()
	var out bytes.Buffer
	app, err := printer.New(&out, cfg)
	if err != nil {
		t.Fatal(err)
	}
	err = app.Run(t.Context(), func(ctx context.Context, h esl.Handler) error {
		for _, ev := range events {
			h.HandleEvent(ctx, ev)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
}

func TestFilters(t *testing.T) {
	events := []*esl.Event{
		event("CHANNEL_ANSWER", "Unique-ID", "a", "Caller-Caller-ID-Number", "1001", "Call-Direction", "inbound", "Mark", "1"),
		event("CHANNEL_ANSWER", "Unique-ID", "a", "Caller-Caller-ID-Number", "1002", "Call-Direction", "inbound", "Mark", "2"),
		event("CHANNEL_ANSWER", "Unique-ID", "a", "Caller-Caller-ID-Number", "10012", "Call-Direction", "outbound", "Mark", "3"),
		event("CHANNEL_HANGUP", "Unique-ID", "a", "Caller-Caller-ID-Number", "1001", "Mark", "4"),
	}
	tests := []struct {
		name string
		cfg  printer.Config
		want string
	}{
		{"all", printer.Config{}, "1234"},
		{"by name", printer.Config{Events: []string{"CHANNEL_HANGUP"}}, "4"},
		{"one value", printer.Config{Filters: []string{"Caller-Caller-ID-Number=1001"}}, "14"},
		{"one of two values", printer.Config{Filters: []string{"Caller-Caller-ID-Number=1001", "Caller-Caller-ID-Number=1002"}}, "124"},
		{"one header, spelt twice", printer.Config{Filters: []string{"Call-Direction=inbound", "call-direction=outbound"}}, "123"},
		{"two headers", printer.Config{Filters: []string{"Caller-Caller-ID-Number=1001", "Call-Direction=inbound"}}, "1"},
		{"an expression is no value", printer.Config{Filters: []string{"Caller-Caller-ID-Number=100."}}, ""},
		{"expression", printer.Config{Matches: []string{"Caller-Caller-ID-Number=^1001"}}, "134"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := marks(t, tt.cfg, events...); got != tt.want {
				t.Errorf("printed %q, want %q", got, tt.want)
			}
		})
	}
}

// marks are the marks of the events printed, in order.
func marks(t *testing.T, cfg printer.Config, events ...*esl.Event) (got string) {
	t.Helper()
	cfg.JSON = true
	for _, line := range lines(t, cfg, events...) {
		var mark struct{ Mark string }
		if line != "" && json.Unmarshal([]byte(line), &mark) != nil {
			t.Fatalf("not a JSON line: %q", line)
		}
		got += mark.Mark
	}
	return got
}

func TestAnEventIsPrintedOnce(t *testing.T) {
	events := []*esl.Event{
		event("CHANNEL_ANSWER", "Unique-ID", "a", "Mark", "1"),
		event("CUSTOM", "Unique-ID", "a", "Event-Subclass", "my::class", "Mark", "2"),
		event("CUSTOM", "Unique-ID", "a", "Event-Subclass", "other::class", "Mark", "3"),
		event("HEARTBEAT", "Unique-ID", "a", "Mark", "4"), // comes without being asked for
		event("DTMF", "Unique-ID", "a", "Event-Subclass", "my::class", "Mark", "5"),
	}
	for names, want := range map[string]string{
		"CHANNEL_ANSWER CHANNEL_ANSWER": "1",
		"ALL CHANNEL_ANSWER":            "12345",
		"* CUSTOM":                      "12345",
		"CUSTOM my::class":              "23",
		"my::class":                     "2",
		"my::class HEARTBEAT":           "24",
	} {
		if got := marks(t, printer.Config{Events: strings.Fields(names)}, events...); got != want {
			t.Errorf("--event %s: printed %q, want %q", names, got, want)
		}
	}
}

func TestSubscription(t *testing.T) {
	for names, want := range map[string]string{
		"":                   "ALL",
		"CHANNEL_ANSWER":     "CHANNEL_ANSWER HEARTBEAT",
		"ALL my::class DTMF": "ALL my::class",
	} {
		app, err := printer.New(nil, printer.Config{Events: strings.Fields(names)})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(app.Events(), " "); got != want {
			t.Errorf("%q subscribes to %q, want %q", names, got, want)
		}
	}
}

func TestTextIsOneHarmlessLine(t *testing.T) {
	got := lines(t, printer.Config{}, event("CHANNEL_CREATE", "Unique-ID", "a-b",
		"Caller-Caller-ID-Number", "\x1b[2J1001", "Caller-Destination-Number", "9\n8", "Application-Data", strings.Repeat("ä", 200)))
	if len(got) != 1 || strings.ContainsAny(got[0], "\x1b\r") {
		t.Fatalf("printed %q, want one line without control characters", got)
	}
	if !strings.Contains(got[0], "CHANNEL_CREATE") || !strings.Contains(got[0], "a-b") || !strings.Contains(got[0], "1001 → 9·8") {
		t.Errorf("printed %q", got[0])
	}
}

func TestNoFieldOfTextBreaksTheLine(t *testing.T) {
	const bad = "x\x1b[2J\ny\u009b"
	got := lines(t, printer.Config{}, event(bad, "Event-Subclass", bad, "Unique-ID", bad, "Call-Direction", bad,
		"Caller-Caller-ID-Number", bad, "Application-Data", bad))
	if len(got) != 1 || strings.ContainsAny(got[0], "\x1b\u009b") || strings.Count(got[0], "x·[2J·y·") != 6 {
		t.Errorf("printed %q, want one line with six fields without control characters", got)
	}
}

func TestBadFilters(t *testing.T) {
	for _, cfg := range []printer.Config{{Filters: []string{"x"}}, {Filters: []string{"=x"}}, {Matches: []string{"x"}}} {
		if _, err := printer.New(nil, cfg); err == nil {
			t.Errorf("%+v: no error", cfg)
		}
	}
	app, err := printer.New(nil, printer.Config{Matches: []string{"Unique-ID=("}})
	if err != nil || app.Err() == nil {
		t.Errorf("an expression that is none: %v, %v", err, app.Err())
	}
}
