package observability

import (
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

var methods = wordsOf(`GET HEAD POST PUT PATCH DELETE OPTIONS TRACE CONNECT`)

// requestMetrics counts and times the requests to our own HTTP server.
type requestMetrics struct {
	now      func() time.Time
	total    metric.Int64Counter
	duration metric.Float64Histogram
}

func newRequestMetrics(meter metric.Meter, now func() time.Time) (*requestMetrics, error) {
	m := &requestMetrics{now: now}
	var errs [2]error
	m.total, errs[0] = meter.Int64Counter("http.requests",
		metric.WithDescription("Requests to the observability server."))
	m.duration, errs[1] = meter.Float64Histogram("http.request.duration", metric.WithUnit("s"),
		metric.WithDescription("Time to answer a request to the observability server."))
	return m, errors.Join(errs[:]...)
}

// around records every request to next. Paths outside known count as other.
func (m *requestMetrics) around(next http.Handler, known *sync.Map) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := m.now()
		path := other
		if _, ok := known.Load(r.URL.Path); ok {
			path = r.URL.Path
		}
		sw := &statusWriter{ResponseWriter: w}
		next.ServeHTTP(sw, r)
		labels := metric.WithAttributeSet(attribute.NewSet(
			attribute.String("method", methods.of(r.Method)),
			attribute.String("path", path),
			attribute.String("status", strconv.Itoa(sw.code())),
		))
		m.total.Add(r.Context(), 1, labels)
		if path == livePath {
			return // open for as long as somebody looks: no time to answer
		}
		m.duration.Record(r.Context(), m.now().Sub(start).Seconds(), labels)
	})
}

// statusWriter remembers the status code that a handler wrote.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap gives http.ResponseController the writer beneath.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *statusWriter) code() int {
	if w.status == 0 {
		return http.StatusOK
	}
	return w.status
}
