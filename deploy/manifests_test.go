package deploy_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/genesis-esl/genesis/observability"
)

// documents decodes every document of a YAML file.
func documents(t *testing.T, path string) []map[string]any {
	t.Helper()
	dec := yaml.NewDecoder(strings.NewReader(read(t, path)))
	var docs []map[string]any
	for {
		var doc map[string]any
		err := dec.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return docs
		}
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		docs = append(docs, doc)
	}
}

// at returns the value at a path of keys and indexes, or nil.
func at(v any, path ...any) any {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[step]
		case int:
			list, _ := v.([]any)
			if step >= len(list) {
				return nil
			}
			v = list[step]
		}
	}
	return v
}

func words(v any) (list []string) {
	items, _ := v.([]any)
	for _, item := range items {
		list = append(list, item.(string))
	}
	return list
}

// commandLines are the arguments with which the files start the command.
func commandLines(t *testing.T) map[string][]string {
	t.Helper()
	lines := map[string][]string{}
	for _, path := range []string{"kubernetes/consumer.yaml", "kubernetes/outbound.yaml"} {
		for _, doc := range documents(t, path) {
			if doc["kind"] == "Deployment" {
				lines[path] = words(at(doc, "spec", "template", "spec", "containers", 0, "args"))
			}
		}
	}
	lines["compose"] = words(at(documents(t, "compose/compose.yml")[0], "services", "genesis", "command"))
	docker := read(t, "Dockerfile")
	for _, m := range regexp.MustCompile(`(?m)^(?:CMD|HEALTHCHECK .* CMD) \[(.*)\]$`).FindAllStringSubmatch(docker, -1) {
		var line []string
		for word := range strings.SplitSeq(m[1], ", ") {
			if word = strings.Trim(word, `"`); word != "/genesis" {
				line = append(line, word)
			}
		}
		lines["Dockerfile: "+m[0]] = line
	}
	lines["systemd"] = unit(t).line("consumer")
	return lines
}

// built is the command, made once.
var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "genesis")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "genesis")
	out, err := exec.Command("go", "build", "-o", path, "../cmd/genesis").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, out)
	}
	return path, err
})

// binary returns the path of the command. TestMain removes it.
func binary(t *testing.T) string {
	t.Helper()
	path, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCommandLines(t *testing.T) {
	lines := commandLines(t)
	if len(lines) != 6 {
		t.Errorf("%d command lines: %v", len(lines), lines)
	}
	for where, line := range lines {
		// With --help last, all flags before it are read and nothing is started.
		cmd := exec.Command(binary(t), append(line, "--help")...)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		if err := cmd.Run(); err != nil || len(line) == 0 {
			t.Errorf("%s: genesis %s: %v: %s", where, strings.Join(line, " "), err, &stderr)
		}
	}
}

func TestProbesOfManifests(t *testing.T) {
	obs, err := observability.New(observability.Config{Mode: observability.Outbound, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = obs.Shutdown(context.Background()) }()
	for path, liveness := range map[string]string{"kubernetes/consumer.yaml": "/info", "kubernetes/outbound.yaml": "/health"} {
		for _, doc := range documents(t, path) {
			if doc["kind"] != "Deployment" {
				continue
			}
			for probe, want := range map[string]string{"livenessProbe": liveness, "readinessProbe": "/ready"} {
				got, _ := at(doc, "spec", "template", "spec", "containers", 0, probe, "httpGet", "path").(string)
				w := httptest.NewRecorder()
				obs.Handler().ServeHTTP(w, httptest.NewRequest("GET", got, nil))
				if got != want || w.Code == http.StatusNotFound {
					t.Errorf("%s: %s asks %s, want %s", path, probe, got, want)
				}
			}
			if at(doc, "spec", "template", "spec", "securityContext", "runAsNonRoot") != true {
				t.Errorf("%s runs as root", path)
			}
		}
	}
}

// TestGracePeriods holds the time until a process is killed against the time it takes
// to stop: long enough for it, and not much longer, or calls are cut that had time left.
func TestGracePeriods(t *testing.T) {
	lines := commandLines(t)
	seconds := func(v any) time.Duration {
		d, err := time.ParseDuration(strings.TrimSuffix(fmt.Sprint(v), "s") + "s")
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	grace := map[string]time.Duration{"compose": seconds(at(documents(t, "compose/compose.yml")[0], "services", "genesis", "stop_grace_period"))}
	for _, path := range []string{"kubernetes/consumer.yaml", "kubernetes/outbound.yaml"} {
		for _, doc := range documents(t, path) {
			if doc["kind"] == "Deployment" {
				grace[path] = seconds(at(doc, "spec", "template", "spec", "terminationGracePeriodSeconds"))
			}
		}
	}
	s := unit(t)
	example := regexp.MustCompile(`GENESIS_SHUTDOWN_TIMEOUT=(\S+)`).FindStringSubmatch(read(t, "systemd/genesis@.service"))
	grace["systemd"], lines["systemd"] = seconds(s["TimeoutStopSec"][0]), []string{"--shutdown-timeout", example[1]}
	for where, granted := range grace {
		needed := 10*time.Second + 5*time.Second // the default --shutdown-timeout, telemetry
		if where == "systemd" {
			needed += 15 * time.Second // a program that does not end by itself
		}
		for i, word := range lines[where] {
			switch word {
			case "--drain-delay":
				needed += seconds(lines[where][i+1])
			case "--shutdown-timeout":
				needed += seconds(lines[where][i+1]) - 10*time.Second
			}
		}
		if granted < needed || granted > needed+20*time.Second {
			t.Errorf("%s: %v until it is killed, but it stops within %v", where, granted, needed)
		}
	}
}

func TestComposeMountsExist(t *testing.T) {
	services, _ := documents(t, "compose/compose.yml")[0]["services"].(map[string]any)
	mounts := 0
	for name, service := range services {
		for _, volume := range words(at(service, "volumes")) {
			mounts++
			source, _, _ := strings.Cut(volume, ":")
			if _, err := os.Stat(filepath.Join("compose", source)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if mounts < 5 {
		t.Errorf("%d mounts", mounts)
	}
	for _, path := range []string{"compose/prometheus.yml", "compose/grafana-datasource.yml", "compose/grafana-dashboards.yml", "prometheus/rules.yml"} {
		documents(t, path)
	}
}
