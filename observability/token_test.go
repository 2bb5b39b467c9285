package observability_test

import (
	"encoding/base64"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/genesis-esl/genesis/observability"
)

// TestToken: with a token the probes stay open and say what they always say, and everything else, also what the app
// adds, needs it.
func TestToken(t *testing.T) {
	const token = "of-the-scraper"
	handler := guarded(t, token)
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("anybody:"+token))
	for _, tt := range []struct {
		path, authorization string
		want                int
	}{
		{"/health", "", http.StatusOK},
		{"/healthz", "", http.StatusOK},
		{"/livez", "", http.StatusOK},
		{"/ready", "", http.StatusServiceUnavailable},
		{"/readyz", "", http.StatusServiceUnavailable},
		{"/health", "Bearer wrong", http.StatusOK},
		{"/metrics", "", http.StatusUnauthorized},
		{"/info", "", http.StatusUnauthorized},
		{"/", "", http.StatusUnauthorized},
		{"/live", "", http.StatusUnauthorized},
		{"/own", "", http.StatusUnauthorized},
		{"/nothing", "", http.StatusUnauthorized},
		{"/health/../metrics", "", http.StatusUnauthorized},
		{"//health", "", http.StatusUnauthorized},
		{"/metrics", "Bearer", http.StatusUnauthorized},
		{"/metrics", "Bearer ", http.StatusUnauthorized},
		{"/metrics", "Bearer " + token + "x", http.StatusUnauthorized},
		{"/metrics", "Bearer " + token[1:], http.StatusUnauthorized},
		{"/metrics", token, http.StatusUnauthorized},
		{"/metrics?token=" + token, "", http.StatusUnauthorized},
		{"/metrics", "Bearer " + token, http.StatusOK},
		{"/metrics", "bearer  " + token, http.StatusOK},
		{"/info", basic, http.StatusOK},
		{"/own", "Bearer " + token, http.StatusOK},
	} {
		r := newRequest(t, tt.path)
		if tt.authorization != "" {
			r.Header.Set("Authorization", tt.authorization)
		}
		w := respond(handler, r)
		if w.Code != tt.want {
			t.Errorf("GET %s with %q: %d, want %d", tt.path, tt.authorization, w.Code, tt.want)
		}
		if challenged := len(w.Header().Values("WWW-Authenticate")) > 0; challenged != (tt.want == http.StatusUnauthorized) {
			t.Errorf("GET %s with %q: challenged %v", tt.path, tt.authorization, challenged)
		}
	}
}

// TestTokenForTheLongForm: a probe without the token is told no details.
func TestTokenForTheLongForm(t *testing.T) {
	const token = "of-the-scraper"
	handler := guarded(t, token)
	r := newRequest(t, "/health")
	r.Header.Set("Accept", "application/health+json")
	if w := respond(handler, r); w.Body.String() != `{"status": "ok"}` {
		t.Errorf("the long form without the token: %s", w.Body)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	if w := respond(handler, r); !strings.Contains(w.Body.String(), `"pass"`) {
		t.Errorf("the long form with the token: %s", w.Body)
	}
}

// TestTokenWithSpaceAround: it is the token without, for HTTP brings it so.
func TestTokenWithSpaceAround(t *testing.T) {
	handler := guarded(t, " of-the-scraper \t")
	for _, authorization := range []string{
		"Bearer of-the-scraper", "Basic " + base64.StdEncoding.EncodeToString([]byte("anybody:of-the-scraper")),
	} {
		r := newRequest(t, "/metrics")
		r.Header.Set("Authorization", authorization)
		if w := respond(handler, r); w.Code != http.StatusOK {
			t.Errorf("%s: %d", authorization, w.Code)
		}
	}
	if _, err := observability.New(observability.Config{Mode: observability.Outbound, Token: " "}); err == nil {
		t.Error("a blank token is taken, and guards nothing")
	}
}

func guarded(t *testing.T, token string) http.Handler {
	t.Helper()
	obs, err := observability.New(observability.Config{Mode: observability.Outbound, Token: token, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = obs.Shutdown(t.Context()) })
	obs.HandleFunc("GET /own", func(http.ResponseWriter, *http.Request) {})
	return obs.Handler()
}

func newRequest(t *testing.T, target string) *http.Request {
	t.Helper()
	return httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
}

func respond(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}
