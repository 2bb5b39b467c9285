package validate_test

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"
)

// scrape is how often Prometheus scrapes and evaluates here, as it does by default in its own examples.
const scrape = 15 * time.Second

// A heartbeat's age is a sawtooth: it falls to 0 with each one.
func TestHeartbeatLate(t *testing.T) {
	every := func(interval time.Duration) func(time.Duration) float64 {
		return func(at time.Duration) float64 { return (at % interval).Seconds() }
	}
	for name, c := range map[string]struct {
		age   func(at time.Duration) float64
		fires bool
	}{
		"as FreeSWITCH comes":   {every(20 * time.Second), false},
		"an interval of 40 s":   {every(40 * time.Second), true},
		"an interval of 31 s":   {every(31 * time.Second), true},
		"no HEARTBEAT any more": {every(time.Hour), true},
		"one that is late by 20 s": {func(at time.Duration) float64 {
			if at > 10*time.Minute && at < 10*time.Minute+20*time.Second {
				return (20*time.Second + at - 10*time.Minute).Seconds()
			}
			return every(20 * time.Second)(at)
		}, false},
	} {
		if got := fires(t, "FreeSWITCHHeartbeatLate", "genesis_heartbeat_age_seconds", c.age); got != c.fires {
			t.Errorf("%s: fires %v, want %v", name, got, c.fires)
		}
	}
}

// fires tells whether an alert goes off within half an hour in which a metric has these values.
func fires(t *testing.T, alert, metric string, value func(at time.Duration) float64) bool {
	t.Helper()
	rule := find(t, alert)
	series := &series{labels: labels.FromStrings(labels.MetricName, metric)}
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: math.MaxInt32, Timeout: time.Minute})
	defer func() { _ = engine.Close() }()
	pending := time.Duration(-1)
	for at := time.Duration(0); at < 30*time.Minute; at += scrape {
		series.samples = append(series.samples, sample{at.Milliseconds(), value(at)})
		query, err := engine.NewInstantQuery(context.Background(), series, nil, rule.Expr, time.UnixMilli(at.Milliseconds()))
		if err != nil {
			t.Fatal(err)
		}
		result := query.Exec(context.Background())
		vector, err := result.Vector()
		if err != nil {
			t.Fatal(err)
		}
		met := len(vector) > 0
		query.Close()
		switch {
		case !met:
			pending = -1
			continue
		case pending < 0:
			pending = at
		}
		if at-pending >= time.Duration(rule.For) {
			return true
		}
	}
	return false
}

func find(t *testing.T, alert string) rulefmt.Rule {
	t.Helper()
	groups, errs := rulefmt.ParseFile("../prometheus/rules.yml", false)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	for _, group := range groups.Groups {
		for _, rule := range group.Rules {
			if rule.Alert == alert {
				return rule
			}
		}
	}
	t.Fatalf("no alert %s", alert)
	return rulefmt.Rule{}
}

// series is a storage with one series, and a query's result.
type series struct {
	storage.LabelQuerier
	labels  labels.Labels
	samples []chunks.Sample
}

func (s *series) Querier(int64, int64) (storage.Querier, error) { return s, nil }
func (s *series) Close() error                                  { return nil }

func (s *series) Select(_ context.Context, _ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	for _, m := range matchers {
		if !m.Matches(s.labels.Get(m.Name)) {
			return storage.EmptySeriesSet()
		}
	}
	return &found{storage.NewListSeries(s.labels, s.samples), 1}
}

type found struct {
	storage.Series
	left int
}

func (f *found) Next() bool {
	f.left--
	return f.left >= 0
}
func (f *found) At() storage.Series                { return f.Series }
func (f *found) Err() error                        { return nil }
func (f *found) Warnings() annotations.Annotations { return nil }

type sample struct {
	at    int64
	value float64
}

func (s sample) T() int64                      { return s.at }
func (s sample) F() float64                    { return s.value }
func (s sample) H() *histogram.Histogram       { return nil }
func (s sample) FH() *histogram.FloatHistogram { return nil }
func (s sample) Type() chunkenc.ValueType      { return chunkenc.ValFloat }
func (s sample) Copy() chunks.Sample           { return s }
