package security_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/genesis-esl/genesis"
	"github.com/genesis-esl/genesis/internal/testbed"
	"github.com/genesis-esl/genesis/outbound"
)

// TestTokenFromFile: an app as it is run takes the token from a file; without it the probes alone answer, with it the token
// itself is nowhere to be read.
func TestTokenFromFile(t *testing.T) {
	const token = "vyNHIIcN2VYQ9"
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token+"\r\nnot this\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	vars := map[string]string{genesis.EnvObservabilityTokenFile: file, genesis.EnvAppPort: "0",
		genesis.EnvObservabilityHost: "127.0.0.1", genesis.EnvObservabilityPort: "0"}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	log := new(testbed.Log)
	started, ended := make(chan genesis.Started, 1), make(chan error, 1)
	go func() {
		ended <- genesis.RunContext(ctx, func(context.Context, *outbound.Session) error { return nil },
			genesis.Environ(func(name string) (string, bool) { v, ok := vars[name]; return v, ok }),
			genesis.Logger(slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))),
			genesis.OnStart(func(s genesis.Started) { started <- s }))
	}()
	url := "http://" + receive(t, started, "the start").Observability.String()
	get := func(path, authorization string) (int, string) { return fetch(t, url+path, authorization) }
	if code, body := get("/health", ""); code != http.StatusOK || body != `{"status": "ok"}` {
		t.Errorf("/health: %d %s", code, body)
	}
	for _, path := range []string{"/metrics", "/info", "/", "/live"} {
		if code, _ := get(path, "Bearer not this"); code != http.StatusUnauthorized {
			t.Errorf("%s without the token: %d", path, code)
		}
	}
	for _, path := range []string{"/metrics", "/info", "/"} {
		code, body := get(path, "Bearer "+token)
		if code != http.StatusOK {
			t.Errorf("%s with the token: %d", path, code)
		}
		if strings.Contains(body, token) {
			t.Errorf("%s tells the token", path)
		}
	}
	cancel()
	if err := receive(t, ended, "the end"); err != nil {
		t.Error(err)
	}
	if strings.Contains(log.String(), token) {
		t.Errorf("the log tells the token: %s", log)
	}
}

func fetch(t *testing.T, url, authorization string) (code int, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}
