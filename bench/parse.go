package main

import (
	"context"
	"time"
	_ "unsafe" // for go:linkname

	"github.com/percipia/eslgo"

	"github.com/genesis-esl/genesis/esl"
)

// readPlainEvent is what eslgo parses the body of an event with. It is not
// exported; a copy would prove less.
//
//go:linkname readPlainEvent github.com/percipia/eslgo.readPlainEvent
func readPlainEvent(body []byte) (*eslgo.Event, error)

// compareParsing parses the recorded events in memory on one goroutine and reads
// five headers of each.
func compareParsing(ctx context.Context, s settings) error {
	payloads, err := loadPayloads(s.testdata)
	if err != nil {
		return err
	}
	type row struct {
		name  string
		load  *payload
		parse func(*esl.Decoder, int) error
		rates samples
	}
	rows := []*row{
		{name: "eslgo, the event's body alone", load: payloads["mix"], parse: parseTheirs},
		{name: "esl, plain", load: payloads["mix"], parse: parseOurs},
		{name: "esl, json", load: payloads["json"], parse: parseOurs},
		{name: "esl, xml", load: payloads["xml"], parse: parseOurs},
	}
	for round := -1; round < s.rounds; round++ {
		for _, r := range rows {
			if err := ctx.Err(); err != nil {
				return err
			}
			d := esl.NewDecoder(&endless{data: r.load.frames}, esl.Limits{})
			events := 0
			begun := time.Now()
			for time.Since(begun) < s.each {
				if err := r.parse(d, r.load.events); err != nil {
					return err
				}
				events += r.load.events
			}
			if round >= 0 {
				r.rates = append(r.rates, float64(events)/time.Since(begun).Seconds())
			}
		}
	}
	var t table
	t.row("parse and read five headers", "events/s", "MB/s", "noise", "of eslgo", "of plain")
	for _, r := range rows {
		rate := r.rates.median()
		t.row(r.name, number(rate), number(rate*r.load.meanSize()/1e6), r.rates.noise(),
			times(r.rates, rows[0].rates), percent(r.rates, rows[1].rates))
	}
	t.print()
	return nil
}

// parseTheirs has eslgo parse n events.
func parseTheirs(d *esl.Decoder, n int) error {
	read := 0
	for range n {
		f, err := d.Next() // eslgo's own way of cutting frames cannot be called
		if err != nil {
			return err
		}
		ev, err := readPlainEvent(f.Body())
		if err != nil {
			return err
		}
		read += readFiveOfTheirs(ev)
	}
	sink.Add(int64(read))
	return nil
}

func parseOurs(d *esl.Decoder, n int) error {
	read := 0
	for range n {
		f, err := d.Next()
		if err != nil {
			return err
		}
		ev, err := f.Event()
		if err != nil {
			return err
		}
		read += readFive(ev)
	}
	sink.Add(int64(read))
	return nil
}

// endless reads the same bytes over and over.
type endless struct {
	data []byte
	at   int
}

func (e *endless) Read(b []byte) (int, error) {
	n := copy(b, e.data[e.at:])
	e.at = (e.at + n) % len(e.data)
	return n, nil
}
