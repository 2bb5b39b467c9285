package observability

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Bounds of the HTTP server, so that no client can hold it up or fill it.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 10 * time.Second
	writeTimeout      = 30 * time.Second
	idleTimeout       = time.Minute
	maxHeaderBytes    = 16 << 10
	maxScrapes        = 8
)

// The answers of the probes, byte for byte.
const (
	bodyOK        = `{"status": "ok"}`
	bodyUnhealthy = `{"status": "unhealthy"}`
	bodyReady     = `{"status": "ready"}`
	bodyNotReady  = `{"status": "not ready"}`
)

func (o *Observability) newServer() *http.Server {
	return &http.Server{
		Handler:           o.handler(),
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		// OPTIONS * is asked for the token like everything else.
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     slog.NewLogLogger(o.log.Handler(), slog.LevelDebug),
	}
}

func (o *Observability) routes() {
	health := o.probe(false, o.Healthy, bodyOK, bodyUnhealthy)
	for _, path := range healthPaths {
		o.Handle("GET "+path, health)
	}
	ready := o.probe(true, o.Ready, bodyReady, bodyNotReady)
	for _, path := range readyPaths {
		o.Handle("GET "+path, ready)
	}
	o.HandleFunc("GET /info", o.serveInfo)
	o.HandleFunc("GET /{$}", o.servePage)
	o.HandleFunc("GET "+livePath, o.serveLive)
	o.Handle("GET /metrics", o.scrape(promhttp.HandlerFor(o.telemetry.registry, promhttp.HandlerOpts{
		ErrorLog:            slog.NewLogLogger(o.log.Handler(), slog.LevelWarn),
		ErrorHandling:       promhttp.ContinueOnError,
		EnableOpenMetrics:   true,
		MaxRequestsInFlight: maxScrapes,
	})))
}

// scrape keeps from metrics that their reader has gone away: they would warn of it once for
// each family that is left.
func (o *Observability) scrape(metrics http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reader := &goneReader{ResponseWriter: w}
		metrics.ServeHTTP(reader, r)
		if reader.err != nil {
			o.log.Debug("a scrape was broken off", "remote", r.RemoteAddr, "error", reader.err)
		}
	})
}

// goneReader takes everything once nobody reads it any more.
type goneReader struct {
	http.ResponseWriter
	err error
}

func (w *goneReader) Write(p []byte) (int, error) {
	if w.err == nil {
		_, w.err = w.ResponseWriter.Write(p)
	}
	return len(p), nil
}

// answer writes a probe's answer. net/http leaves the body out for HEAD.
func answer(w http.ResponseWriter, ok bool, mediaType string, body []byte) {
	status := http.StatusOK
	if !ok {
		status = http.StatusServiceUnavailable
	}
	h := w.Header()
	h.Set("Content-Type", mediaType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body) // a prober that has gone away needs no answer
}

// Handle adds a route of the app to the HTTP server. The pattern is one of http.ServeMux;
// as there, a pattern that is in use panics. Call it before Serve.
func (o *Observability) Handle(pattern string, h http.Handler) {
	o.mux.Handle(pattern, h)
	if _, path, ok := strings.Cut(pattern, "/"); ok {
		o.paths.Store("/"+strings.TrimSuffix(path, "{$}"), nil)
	}
}

// HandleFunc is Handle for a function.
func (o *Observability) HandleFunc(pattern string, h func(http.ResponseWriter, *http.Request)) {
	o.Handle(pattern, http.HandlerFunc(h))
}

// Handler returns the handler of the HTTP server, for apps with a server of their own.
// Methods other than GET and HEAD get 405 with Allow, unknown paths 404. With a
// Config.Token, a request without it gets 401, except on the probes. From the first call
// until Shutdown, the live page is kept up to date.
func (o *Observability) Handler() http.Handler {
	o.live.start()
	return o.handler()
}

func (o *Observability) handler() http.Handler { return o.requests.around(o.guard(o.mux), &o.paths) }

// Serve answers HTTP requests on l until Shutdown, and then returns nil. Any other end is
// an error. It closes l.
func (o *Observability) Serve(l net.Listener) error {
	o.live.start()
	err := o.server.Serve(l)
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
