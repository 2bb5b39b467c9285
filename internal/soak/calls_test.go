package main

import (
	"slices"
	"strconv"
	"testing"

	"github.com/genesis-esl/genesis/esl"
)

func event(core, uuid string, seq int) *esl.Event {
	return esl.NewEvent([]esl.Header{
		{Name: "Event-Name", Value: "CHANNEL_STATE"}, {Name: "Core-UUID", Value: core},
		{Name: "Event-Sequence", Value: strconv.Itoa(seq)}, {Name: "Unique-ID", Value: uuid},
	}, "")
}

func resync(what, uuid string) *esl.Event {
	return esl.NewEvent([]esl.Header{{Name: "Resync", Value: what}, {Name: "Unique-ID", Value: uuid}}, "")
}

// TestCallsComplain: what must not be is noticed, and what may be is not taken for it.
func TestCallsComplain(t *testing.T) {
	for name, tt := range map[string]struct {
		happens func(*calls)
		want    []string
	}{
		"a call": {func(c *calls) {
			c.begin("a", 0)
			c.event(event("core", "a", 1))
			c.event(event("core", "a", 2))
			c.end("a")
		}, nil},
		"a call cut short": {func(c *calls) { c.begin("a", 0); c.compared(resync("ended", "a")) }, nil},
		"a call seen late": {func(c *calls) { c.compared(resync("new", "a")); c.end("a") }, nil},
		"only an end":      {func(c *calls) { c.end("a") }, nil},
		"the same sequence after a restart": {func(c *calls) {
			c.event(event("core", "a", 1))
			c.event(event("other", "b", 1))
		}, nil},
		"twice": {func(c *calls) {
			c.event(event("core", "a", 1))
			c.event(event("core", "a", 1))
		}, []string{"1 events handled twice"}},
		"out of order": {func(c *calls) {
			c.begin("a", 0)
			c.event(event("core", "a", 2))
			c.event(event("core", "a", 1))
			c.end("a")
		}, []string{"1 events out of order"}},
		"begun twice": {func(c *calls) { c.begin("a", 0); c.compared(resync("new", "a")); c.end("a") }, []string{"1 calls begun twice"}},
		"ended twice": {func(c *calls) { c.begin("a", 0); c.compared(resync("ended", "a")); c.end("a") }, []string{"1 calls ended twice"}},
		"not ended":   {func(c *calls) { c.begin("a", 0) }, []string{"1 calls are not known to have ended, although there are none"}},
	} {
		c := newCalls()
		tt.happens(c)
		if got := c.complaints(); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

// TestCounterComplains: slots given beyond the limit, and kept, are noticed.
func TestCounterComplains(t *testing.T) {
	c, err := newInMemory()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.all(t.Context()); err != nil || len(c.complaints()) > 0 {
		t.Errorf("%v, %q", err, c.complaints())
	}
	c.held = slots
	release, err := c.acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := release(t.Context()); err != nil {
		t.Error(err)
	}
	want := []string{"queue in memory: 1 slots given beyond the limit", "queue in memory: 5 slots still held at the end"}
	if got := c.complaints(); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if err := c.stop(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestMemory is bounded, and forgets the oldest first.
func TestMemory(t *testing.T) {
	m := memory{size: 10}
	for i := range 1000 {
		if key := strconv.Itoa(i); !m.add(key) || m.add(key) {
			t.Fatalf("%d is not remembered", i)
		}
		if n := len(m.young) + len(m.old); n > 20 {
			t.Fatalf("%d are remembered", n)
		}
	}
	if !m.has("990") || m.has("0") {
		t.Error("it forgets the wrong ones")
	}
}
