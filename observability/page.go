package observability

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // the page travels in the binary
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"time"
)

var (
	//go:embed page/page.html
	pageHTML string
	//go:embed page/page.css
	pageCSS string
	//go:embed page/page.js
	pageJS string

	pageTemplate = template.Must(template.New("page").Parse(pageHTML))
	// pagePolicy lets the page run nothing but its own script and style, and load
	// nothing but its own events.
	pagePolicy = fmt.Sprintf("default-src 'none'; script-src %s; style-src %s; connect-src 'self'; "+
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'", digest(pageJS), digest(pageCSS))
)

// livePath is where the page gets its samples from.
const livePath = "/live"

// streamTimeout is how long a page may take to take one sample.
const streamTimeout = 10 * time.Second

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// servePage answers with the live page, filled in with the last sample for browsers
// without JavaScript.
func (o *Observability) servePage(w http.ResponseWriter, _ *http.Request) {
	subtitle := string(o.config.Mode)
	if o.config.Version != "" {
		subtitle += " " + o.config.Version
	}
	var body bytes.Buffer
	err := pageTemplate.Execute(&body, struct {
		Title, Subtitle string
		CSS             template.CSS
		JS              template.JS
		Now             sample
	}{o.telemetry.service(), subtitle, template.CSS(pageCSS), template.JS(pageJS), o.live.now()})
	if err != nil {
		http.Error(w, "the page cannot be made", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", pagePolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	_, _ = w.Write(body.Bytes())
}

// serveLive streams samples as server-sent events until the client or the server
// goes away: first the points of the last minutes, then a sample every second.
func (o *Observability) serveLive(w http.ResponseWriter, r *http.Request) {
	points, last, next, ok := o.live.watch()
	if !ok {
		http.Error(w, "too many pages are open", http.StatusServiceUnavailable)
		return
	}
	defer o.live.unwatch(next)
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	out := http.NewResponseController(w)
	send := func(event string, v any) bool {
		data, err := json.Marshal(v)
		if err != nil {
			return false
		}
		if event != "" {
			event = "event: " + event + "\n"
		}
		if err := out.SetWriteDeadline(time.Now().Add(streamTimeout)); err != nil {
			return false
		}
		if _, err := fmt.Fprintf(w, "%sdata: %s\n\n", event, data); err != nil {
			return false
		}
		return out.Flush() == nil
	}
	// The server's bound on reading a request would end the stream.
	if err := out.SetReadDeadline(time.Time{}); err != nil {
		http.Error(w, "streams are not supported", http.StatusInternalServerError)
		return
	}
	if len(points) > 0 {
		points = points[:len(points)-1] // the last one comes with its sample
	}
	if r.Method == http.MethodHead || !send("history", points) || !send("", last) {
		return
	}
	for {
		select {
		case s := <-next:
			if !send("", s) {
				return
			}
		case <-r.Context().Done():
			return
		case <-o.live.ctx.Done():
			return
		}
	}
}
