package main

import (
	"errors"
	"slices"
	"strconv"
	"testing"

	"github.com/genesis-esl/genesis/esl"
)

func mark(number int64) *esl.Event {
	return esl.NewEvent([]esl.Header{{Name: "Event-Name", Value: "NOTIFY"}, {Name: "Mark", Value: strconv.FormatInt(number, 10)}}, "")
}

// TestMarksComplain: what was lost is put to the outage in which it was, and noticed when that did not announce as much.
func TestMarksComplain(t *testing.T) {
	create := func(m *marks, n int) {
		for range n {
			m.one(func(string) error { return nil })
		}
	}
	for name, tt := range map[string]struct {
		happens func(*marks)
		lost    int64
		want    []string
	}{
		"nothing": {func(m *marks) { create(m, 3); m.came(mark(1)); m.came(mark(2)); m.came(mark(3)) }, 0, nil},
		"as announced": {func(m *marks) {
			m.up(esl.Up{First: true})
			create(m, 4)
			m.up(esl.Up{MissedAtMost: 2}) // before what came earlier is handled
			create(m, 1)
			m.came(mark(1))
			m.came(mark(2))
			m.came(mark(5))
		}, 2, nil},
		"more than announced": {func(m *marks) {
			create(m, 4)
			m.up(esl.Up{MissedAtMost: 1})
			create(m, 1)
			m.came(mark(2))
			m.came(mark(5))
		}, 3, []string{"3 marks were lost before mark 4, of events of all kinds at most 1 were announced"}},
		"one outage does not speak for another": {func(m *marks) {
			create(m, 2)
			m.up(esl.Up{MissedAtMost: 100})
			create(m, 2)
			m.up(esl.Up{})
			create(m, 1)
			m.came(mark(3))
			m.came(mark(5))
		}, 3, []string{"1 marks were lost before mark 4, of events of all kinds at most 0 were announced"}},
		"while connected": {func(m *marks) { create(m, 3); m.came(mark(1)); m.came(mark(3)) }, 0,
			[]string{"mark 2 was lost while the connection was up"}},
		"across a restart": {func(m *marks) {
			create(m, 2)
			m.up(esl.Up{Restarted: true})
			create(m, 1)
			m.came(mark(3))
		}, 0, nil},
		"not created": {func(m *marks) {
			m.one(func(string) error { return errors.New("FreeSWITCH is gone") })
			create(m, 1)
			m.came(mark(1))
		}, 0, nil},
	} {
		m := new(marks)
		tt.happens(m)
		if got := m.complaints(); !slices.Equal(got, tt.want) || m.lost != tt.lost {
			t.Errorf("%s: %d lost, %q", name, m.lost, got)
		}
	}
}
