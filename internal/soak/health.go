package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// settled is how long a connection has to have been up, or down, for /health to be held to it.
const settled = 2 * time.Second

// health compares what /health says with what the app was told of its connection.
type health struct {
	client http.Client
	began  time.Time

	mu          sync.Mutex
	addr        string
	up          bool
	since       time.Time
	doubt       time.Time // since, when /health last disagreed
	asked       int
	down        int
	wrong, mute int
	when        []string // it was wrong, or mute
}

func newHealth() *health {
	return &health{client: http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}},
		began: time.Now(), since: time.Now()}
}

// changed notes that the connection is up, or down.
func (h *health) changed(up bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.up, h.since = up, time.Now()
}

func (h *health) serving(addr string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.addr = addr
}

func (h *health) state() (addr string, up bool, since time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.addr, h.up, h.since
}

// watch asks until ctx ends.
func (h *health) watch(ctx context.Context) {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			h.ask()
		}
	}
}

func (h *health) ask() {
	addr, up, since := h.state()
	if addr == "" {
		return
	}
	code := 0
	resp, err := h.client.Get("http://" + addr + "/health")
	if err == nil {
		code = resp.StatusCode
		_ = resp.Body.Close()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked++
	switch {
	case err != nil:
		h.mute++
		h.note("/health: %v", err)
	case time.Since(since) < settled || h.since != since:
	case up != (code == http.StatusOK) && h.doubt != since:
		// The probe knows of a connection some milliseconds before the app, which is told once it is subscribed. When the two
		// still differ at the next question, one of them is wrong.
		h.doubt = since
	case up != (code == http.StatusOK):
		h.wrong++
		h.note("/health says %d, the app was told %v ago that up is %v", code, time.Since(since).Round(time.Millisecond), up)
	case !up:
		h.down++
	}
}

// note keeps the first complaints, with their time; the caller holds mu.
func (h *health) note(format string, args ...any) {
	if len(h.when) < 10 {
		h.when = append(h.when, fmt.Sprintf("after %v: ", time.Since(h.began).Round(time.Second))+fmt.Sprintf(format, args...))
	}
}

// metric adds up the series of a metric at /metrics.
func (h *health) metric(name string) (float64, error) {
	addr, _, _ := h.state()
	resp, err := h.client.Get("http://" + addr + "/metrics")
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	sum := 0.0
	lines := bufio.NewScanner(io.LimitReader(resp.Body, 16<<20))
	for lines.Scan() {
		rest, ok := strings.CutPrefix(lines.Text(), name)
		if !ok || !strings.HasPrefix(rest, "{") && !strings.HasPrefix(rest, " ") {
			continue
		}
		value, err := strconv.ParseFloat(rest[strings.LastIndexByte(rest, ' ')+1:], 64)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", name, err)
		}
		sum += value
	}
	return sum, lines.Err()
}

func (h *health) complaints() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []string
	if h.wrong > 0 {
		all = append(all, fmt.Sprintf("/health disagreed with the connection %d times of %d", h.wrong, h.asked))
	}
	if h.mute > 0 {
		all = append(all, fmt.Sprintf("/health did not answer %d times of %d", h.mute, h.asked))
	}
	return append(all, h.when...)
}
