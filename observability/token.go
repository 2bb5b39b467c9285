package observability

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"slices"
	"strings"
)

// The paths of the probes, which no token guards: those who ask them cannot keep one, and learn no more than a bit.
var (
	healthPaths = []string{"/health", "/healthz", "/livez"}
	readyPaths  = []string{"/ready", "/readyz"}
)

// guard lets requests without the token see the probes alone, and those in their short form.
func (o *Observability) guard(next http.Handler) http.Handler {
	if o.config.Token == "" {
		return next
	}
	want := sha256.Sum256([]byte(o.config.Token))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if given := sha256.Sum256([]byte(tokenOf(r))); subtle.ConstantTimeCompare(given[:], want[:]) == 1 {
			next.ServeHTTP(w, r)
			return
		}
		// Just these paths, as they are written: what the mux would clean is no probe.
		if slices.Contains(healthPaths, r.URL.Path) || slices.Contains(readyPaths, r.URL.Path) {
			r = r.Clone(r.Context())
			r.Header.Del("Accept") // the long form tells what the app depends on
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Add("WWW-Authenticate", `Bearer realm="genesis"`)
		w.Header().Add("WWW-Authenticate", `Basic realm="genesis", charset="UTF-8"`)
		http.Error(w, "a token is needed", http.StatusUnauthorized)
	})
}

// tokenOf takes the token from a bearer's header, or from the password that a browser asks for.
func tokenOf(r *http.Request) string {
	if _, password, ok := r.BasicAuth(); ok {
		return strings.TrimSpace(password)
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}
