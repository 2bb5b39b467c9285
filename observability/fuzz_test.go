package observability_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/internal/testbed"
	"github.com/genesis-esl/genesis/observability"
)

const fuzzToken = "of-the-scraper-that-nobody-guesses"

// What a request brings to get in.
var authorizations = []string{
	"",
	"Authorization: Bearer " + fuzzToken + "\r\n",
	"Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("anybody:"+fuzzToken)) + "\r\n",
	"Authorization: Bearer wrong\r\n",
	"Authorization: Bearer \r\n",
}

var probes = []string{"/health", "/healthz", "/livez", "/ready", "/readyz"}

// target is an Observability that is asked over a socket.
type target struct {
	obs  *observability.Observability
	addr string
	logs panics
	info string
}

// panics keeps what is logged of panics, and nothing else.
type panics struct{ testbed.Log }

func (p *panics) Write(line []byte) (int, error) {
	if bytes.Contains(line, []byte("panic")) {
		return p.Log.Write(line)
	}
	return len(line), nil
}

func newTarget(f *testing.F, mode observability.Mode) *target {
	f.Helper()
	s := &target{addr: filepath.Join(f.TempDir(), "s")}
	var err error
	s.obs, err = observability.New(observability.Config{
		Mode: mode, Token: fuzzToken, HeartbeatTimeout: 24 * time.Hour, // after which the state changes by itself
		Logger: slog.New(slog.NewTextHandler(&s.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		f.Fatal(err)
	}
	l, err := net.Listen("unix", s.addr) // no fuzzer runs out of these as it does of ports
	if err != nil {
		f.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.obs.Serve(l) }()
	f.Cleanup(func() {
		if err := errors.Join(s.obs.Shutdown(context.Background()), <-ended); err != nil {
			f.Error(err)
		}
	})
	s.info = s.state()
	return s
}

// state is what no request may change. Requests are counted, which it leaves out.
func (s *target) state() string {
	r := httptest.NewRequest(http.MethodGet, "/info", nil)
	r.Header.Set("Authorization", "Bearer "+fuzzToken)
	w := httptest.NewRecorder()
	s.obs.Handler().ServeHTTP(w, r)
	return w.Body.String()
}

// ask sends bytes and reads all that comes back; a server that hangs or never ends is
// an error.
func (s *target) ask(request []byte) ([]byte, error) {
	const most = 4 << 20
	nc, err := net.Dial("unix", s.addr)
	if err != nil {
		return nil, err
	}
	defer nc.Close()
	if err := nc.SetDeadline(time.Now().Add(8 * time.Second)); err != nil {
		return nil, err
	}
	if _, err := nc.Write(request); err == nil {
		_ = nc.(*net.UnixConn).CloseWrite() // ends the live page, and bodies that are too short
	}
	var answer []byte
	for buf := make([]byte, 64<<10); ; {
		n, err := nc.Read(buf)
		answer = append(answer, buf[:n]...)
		switch {
		case len(answer) > most:
			return nil, errors.New("the answer does not end")
		case bytes.Contains(answer, []byte("\ndata: ")):
			return answer, nil // the live page, which goes on for as long as somebody looks
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil, fmt.Errorf("%w behind %q", err, answer)
		case err != nil && len(answer) > 0: // EOF, or the reset of a server that has heard enough
			return answer, nil
		case err != nil:
			return nil, err
		}
	}
}

// FuzzHTTP sends requests of any form to the observability server, with the token and
// without. None makes it panic, fail, change, talk without end or, without the token,
// say more than the probes' short answers.
func FuzzHTTP(f *testing.F) {
	for _, path := range append([]string{"/", "/info", "/live", "/metrics", "/nothing", "*", "//health", "/health/../metrics",
		"/%68ealth", "/health?x=y", "/health;a", "http://x/metrics", "x:1", "/health#/metrics", "/metrics%00"}, probes...) {
		for i := range authorizations {
			f.Add(http.MethodGet, path, "", "", byte(i), i%2 == 0)
		}
		f.Add(http.MethodHead, path, "Accept: application/health+json\r\n", "", byte(1), true)
		f.Add(http.MethodPost, path, "Content-Length: 3\r\n", "a=b", byte(0), false)
	}
	for _, headers := range []string{
		"Accept: application/health+json;q=0.1, */*\r\n", "Accept: application/openmetrics-text;version=1.0.0\r\n",
		"Accept-Encoding: gzip\r\n", "Content-Length: -1\r\n", "Transfer-Encoding: chunked\r\n", "Transfer-Encoding: x\r\n", "Expect: 100-continue\r\n",
		"X-HTTP-Method-Override: DELETE\r\n", "X-Original-URL: /metrics\r\n", "Upgrade: h2c\r\nConnection: Upgrade\r\n", "Host: y\r\n", "Range: bytes=0-1\r\n",
		"Authorization: Digest x\r\n", "Last-Event-ID: 1\r\n", "Cookie: token=x\r\n", "X-Forwarded-For: 127.0.0.1\r\n", " folded\r\n", ":\r\n", "\x00: y\r\n",
	} {
		f.Add(http.MethodGet, "/metrics", headers, "", byte(1), true)
		f.Add(http.MethodDelete, "/health", headers, "5\r\nhello\r\n0\r\n\r\n", byte(0), false)
	}
	targets := map[bool]*target{true: newTarget(f, observability.Consumer), false: newTarget(f, observability.Outbound)}
	f.Fuzz(func(t *testing.T, method, path, headers, body string, authorization byte, consumer bool) {
		if len(method)+len(path)+len(headers)+len(body) > 1<<16 {
			return
		}
		// One request a connection: its line is one, and the first Connection counts.
		oneLine := strings.NewReplacer("\r", "", "\n", "")
		method, path = oneLine.Replace(method), oneLine.Replace(path)
		given := authorizations[int(authorization)%len(authorizations)]
		s := targets[consumer]
		raw, err := s.ask([]byte(method + " " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + given + headers + "\r\n" + body))
		if err != nil {
			t.Fatalf("no answer: %v", err)
		}
		s.check(t, raw, method, path, strings.Contains(given, "Bearer "+fuzzToken) || strings.Contains(given, "Basic"))
	})
}

// check holds an answer to what may be.
func (s *target) check(t *testing.T, raw []byte, method, path string, allowed bool) {
	t.Helper()
	if logged := s.logs.String(); logged != "" {
		t.Fatal(logged)
	}
	answers := bufio.NewReader(bytes.NewReader(raw))
	response, err := http.ReadResponse(answers, &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%v in %q", err, raw)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) { // it was reset
		t.Fatalf("%v in %q", err, raw)
	}
	if bytes.Contains(raw, []byte(fuzzToken)) {
		t.Fatalf("the token is told: %q", raw)
	}
	probe := false
	if u, err := url.ParseRequestURI(path); err == nil {
		probe = slices.Contains(probes, u.Path)
	}
	s.checkStatus(t, response, string(body), method, path, probe, allowed)
	if now := s.state(); now != s.info {
		t.Fatalf("changed from\n%s\nto\n%s", s.info, now)
	}
}

func (s *target) checkStatus(t *testing.T, response *http.Response, body, method, path string, probe, allowed bool) {
	t.Helper()
	switch code := response.StatusCode; {
	case code == http.StatusNotImplemented, code == http.StatusHTTPVersionNotSupported:
		// net/http's words for a request that it does not understand.
	case code == http.StatusServiceUnavailable && probe:
	case code >= 500:
		t.Fatalf("%s %s: %d %s", method, path, code, body)
	case code == http.StatusOK && method == http.MethodOptions && path == "*" && body == "":
		// net/http's answer to whether there is a server.
	case code < 300 && !allowed && !probe:
		t.Fatalf("%s %s without the token: %d %s", method, path, code, body)
	case code < 300 && method != http.MethodGet && method != http.MethodHead:
		t.Fatalf("%s %s: %d %s", method, path, code, body)
	}
	if !allowed && response.StatusCode < 300 && body != `{"status": "ok"}` && body != `{"status": "ready"}` && body != "" {
		t.Fatalf("%s %s without the token: %s", method, path, body)
	}
	if body == "" && method == http.MethodGet && response.StatusCode == http.StatusOK {
		t.Fatalf("%s %s: an empty answer", method, path)
	}
}

// TestSeriesOfRequestsAreBounded: no client chooses a label of the requests' metrics.
func TestSeriesOfRequestsAreBounded(t *testing.T) {
	s := serve(t, observability.Config{Mode: observability.Outbound})
	for i := range 300 {
		name := strings.Repeat("x", i+1)
		s.do(t, strings.ToUpper(name), "/"+name, nil)
		s.do(t, "GET", "/health?"+name, http.Header{"Accept": {name}})
	}
	_, body := s.do(t, "GET", "/metrics", nil)
	series := 0
	for line := range strings.Lines(body) {
		if strings.HasPrefix(line, "http_requests_total{") {
			series++
		}
	}
	if series == 0 || series > 10 {
		t.Errorf("%d series:\n%s", series, body)
	}
}
