package observability

import (
	"strings"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
)

// Buckets in seconds, each set spanning what its histogram really sees. The histograms of packages
// call, ring and queue name their own.
var buckets = map[string][]float64{
	"genesis.commands.duration": {.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
	"genesis.handler.duration":  {.0001, .0005, .001, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
	"http.request.duration":     {.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
}

// shared describes the counters that several packages record, in one way: two
// descriptions would make two counters of them.
var shared = map[string]string{
	"genesis.timeouts":                 "Operations that ran out of time.",
	"genesis.channel.routing.hits":     "Events that found a handler of their own.",
	"genesis.channel.routing.fallback": "Events that found no handler of their own.",
}

// views gives histograms their buckets, whether their names separate words by dots or
// underscores, and every shared counter its description.
func views(native bool) []sdkmetric.View {
	return []sdkmetric.View{func(i sdkmetric.Instrument) (sdkmetric.Stream, bool) {
		help, ok := shared[i.Name]
		return sdkmetric.Stream{Name: i.Name, Description: help, Unit: i.Unit}, ok
	}, func(i sdkmetric.Instrument) (sdkmetric.Stream, bool) {
		if i.Kind != sdkmetric.InstrumentKindHistogram {
			return sdkmetric.Stream{}, false
		}
		stream := sdkmetric.Stream{Name: i.Name, Description: i.Description, Unit: i.Unit}
		bounds, ok := buckets[strings.ReplaceAll(i.Name, "_", ".")]
		switch {
		case native:
			stream.Aggregation = sdkmetric.AggregationBase2ExponentialHistogram{MaxSize: 160, MaxScale: 8}
		case ok:
			stream.Aggregation = sdkmetric.AggregationExplicitBucketHistogram{Boundaries: bounds}
		default:
			return sdkmetric.Stream{}, false
		}
		return stream, true
	}}
}
