package validate_test

import (
	"context"
	"math"
	"slices"
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

// What FreeSWITCH cannot be blamed for does not go off: applications that last on sockets without async, and commands that
// were never written or that the app gave up.
func TestCommands(t *testing.T) {
	growing := func(at time.Duration) float64 { return at.Seconds() }
	slow := func(command string) []*series { // each takes between 1 and 2.5 s
		all := make([]*series, 0, 3)
		for le, value := range map[string]func(time.Duration) float64{
			"1": func(time.Duration) float64 { return 0 }, "2.5": growing, "+Inf": growing,
		} {
			all = append(all, newSeries(value, "genesis_commands_duration_seconds_bucket", "command", command, "le", le))
		}
		return all
	}
	for command, want := range map[string]bool{"api": false, "sendmsg": false, "bgapi": true, "filter": true} {
		if got := anyFires(t, "GenesisCommandsSlow", slow(command)...); got != want {
			t.Errorf("slow %s: fires %v, want %v", command, got, want)
		}
	}
	for reason, want := range map[string]bool{
		"timeout": true, "disconnected": true, "protocol_error": false, "injection": false, "canceled": false, "closed": false,
	} {
		got := anyFires(t, "GenesisCommandsFail",
			newSeries(growing, "genesis_commands_sent_total", "command", "api"),
			newSeries(growing, "genesis_commands_errors_total", "command", "api", "error", reason))
		if got != want {
			t.Errorf("%s: fires %v, want %v", reason, got, want)
		}
	}
}

// fires tells whether an alert goes off within half an hour in which a metric has these values.
func fires(t *testing.T, alert, metric string, value func(at time.Duration) float64) bool {
	t.Helper()
	return anyFires(t, alert, newSeries(value, metric))
}

// anyFires is fires for several series.
func anyFires(t *testing.T, alert string, all ...*series) bool {
	t.Helper()
	rule := find(t, alert)
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: math.MaxInt32, Timeout: time.Minute})
	defer func() { _ = engine.Close() }()
	pending := time.Duration(-1)
	for at := time.Duration(0); at < 30*time.Minute; at += scrape {
		for _, s := range all {
			s.samples = append(s.samples, sample{at.Milliseconds(), s.value(at)})
		}
		query, err := engine.NewInstantQuery(context.Background(), &store{series: all}, nil, rule.Expr, time.UnixMilli(at.Milliseconds()))
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

// series is one of a store's.
type series struct {
	labels  labels.Labels
	value   func(at time.Duration) float64
	samples []chunks.Sample
}

func newSeries(value func(at time.Duration) float64, metric string, names ...string) *series {
	return &series{labels: labels.FromStrings(append(names, labels.MetricName, metric)...), value: value}
}

// store is a storage.
type store struct {
	storage.LabelQuerier
	series []*series
}

func (s *store) Querier(int64, int64) (storage.Querier, error) { return s, nil }
func (s *store) Close() error                                  { return nil }

func (s *store) Select(_ context.Context, _ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	var all []storage.Series
	for _, series := range s.series {
		if !slices.ContainsFunc(matchers, func(m *labels.Matcher) bool { return !m.Matches(series.labels.Get(m.Name)) }) {
			all = append(all, storage.NewListSeries(series.labels, series.samples))
		}
	}
	return &found{series: all}
}

// found is a query's result.
type found struct {
	series []storage.Series
	next   int
}

func (f *found) Next() bool {
	f.next++
	return f.next <= len(f.series)
}
func (f *found) At() storage.Series                { return f.series[f.next-1] }
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
