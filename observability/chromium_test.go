package observability_test

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/observability"
)

// browser is a headless Chromium, spoken to over its debugging pipe.
type browser struct {
	in      io.Writer
	out     *bufio.Reader
	id      int
	session string
}

// open starts Chromium on a page. It skips where there is no Chromium, except in CI,
// which installs it.
func open(t *testing.T, url string, flags ...string) *browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("CI must install chromium")
		}
		t.Skip("no chromium on this machine; CI has one")
	}
	dir, err := os.MkdirTemp("", "chromium")
	if err != nil {
		t.Fatal(err)
	}
	toChrome, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, fromChrome, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	args := append([]string{
		"--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-proxy-server",
		"--remote-debugging-pipe", "--user-data-dir=" + dir,
	}, flags...)
	cmd := exec.Command(path, append(args, "about:blank")...)
	cmd.Env = append(os.Environ(), "HOME="+dir)
	cmd.ExtraFiles = []*os.File{toChrome, fromChrome} // descriptors 3 and 4
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	toChrome.Close()
	fromChrome.Close()
	var once sync.Once
	stop := func() { once.Do(func() { _ = cmd.Process.Kill(); out.Close() }) }
	watchdog := time.AfterFunc(90*time.Second, stop)
	b := &browser{in: in, out: bufio.NewReader(out)}
	t.Cleanup(func() {
		// Closed politely, Chromium ends its children before itself.
		_, _ = in.Write([]byte(`{"id":1000000,"method":"Browser.close"}` + "\x00"))
		_ = cmd.Wait()
		watchdog.Stop()
		stop()
		in.Close()
		_ = os.RemoveAll(dir) // a straggler's file is no failure of the page
	})
	target := b.call(t, b.session, "Target.createTarget", map[string]any{"url": "about:blank"})["targetId"]
	attached := b.call(t, b.session, "Target.attachToTarget", map[string]any{"targetId": target, "flatten": true})
	b.session = fmt.Sprint(attached["sessionId"])
	b.call(t, b.session, "Page.navigate", map[string]any{"url": url}) // returns when the page is there
	return b
}

// call sends a command and returns its result, past the events that come between.
func (b *browser) call(t *testing.T, session, method string, params map[string]any) map[string]any {
	t.Helper()
	b.id++
	msg := map[string]any{"id": b.id, "method": method, "params": params}
	if params == nil {
		msg["params"] = map[string]any{}
	}
	if session != "" {
		msg["sessionId"] = session
	}
	data, err := json.Marshal(msg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.in.Write(append(data, 0)); err != nil {
		t.Fatal(err)
	}
	for {
		line, err := b.out.ReadString(0)
		if err != nil {
			t.Fatalf("chromium: %s: %v", method, err)
		}
		var reply struct {
			ID     int
			Result map[string]any
			Error  *struct{ Message string }
		}
		if err := json.Unmarshal([]byte(strings.TrimSuffix(line, "\x00")), &reply); err != nil {
			t.Fatal(err)
		}
		if reply.ID != b.id {
			continue
		}
		if reply.Error != nil {
			t.Fatalf("chromium: %s: %s", method, reply.Error.Message)
		}
		return reply.Result
	}
}

// eval returns the string that a JavaScript expression yields, promises awaited.
func (b *browser) eval(t *testing.T, expression string) string {
	t.Helper()
	result := b.call(t, b.session, "Runtime.evaluate", map[string]any{
		"expression": expression, "awaitPromise": true, "returnByValue": true,
	})
	if details, failed := result["exceptionDetails"]; failed {
		t.Fatalf("%s: %v", expression, details)
	}
	value, _ := result["result"].(map[string]any)
	return fmt.Sprint(value["value"])
}

// within waits until a JavaScript condition holds, and fails when that takes longer.
func (b *browser) within(t *testing.T, limit time.Duration, condition string) {
	t.Helper()
	took := b.eval(t, fmt.Sprintf(`new Promise(function (done) {
		var start = performance.now(), end = start + %d;
		(function look() {
			if (%s) return done("ok " + Math.round(performance.now() - start) + " ms");
			if (performance.now() > end) return done("");
			setTimeout(look, 20);
		})();
	})`, limit.Milliseconds(), condition))
	if took == "" {
		t.Fatalf("not within %v: %s; the page reads\n%s", limit, condition, b.eval(t, "document.body.innerText"))
	}
	t.Logf("%s: %s", took, condition)
}

func TestPageInChromium(t *testing.T) {
	s := serve(t, observability.Config{Mode: observability.Consumer, ServiceName: "switchboard"})
	s.obs.SetAppRunning(true)
	hooks, ctx := s.obs.Hooks(), t.Context()
	link := esl.ConnInfo{Type: "inbound", Role: "events", Remote: "127.0.0.1:8021"}
	b := open(t, s.url+"/")
	b.within(t, 20*time.Second, `document.querySelector("#rows svg")`)

	hooks.ConnectEnd(ctx, link, nil)
	hooks.Heartbeat(heartbeat(t))
	b.within(t, 2*time.Second, `document.getElementById("status").className == "ok"`)
	b.within(t, 2*time.Second, `document.querySelector('[data-key="fs_sessions"] .value')?.textContent.startsWith("2 of 5000")`)

	s.obs.ObserveSubscriptions(func() []string { return []string{"ALL"} })
	hooks.Events([]*esl.Event{
		event(t, "HEARTBEAT", "Session-Count", "0"),
		event(t, "CHANNEL_CREATE", "Unique-ID", call, "Call-Direction", "inbound"),
	})
	b.within(t, 2*time.Second, `document.querySelector("#calls tbody tr td")?.textContent == "f6c0cf4c"`)
	b.within(t, 2*time.Second, `document.querySelector('[data-key="calls"] .value')?.textContent == "1"`)
	hooks.Events([]*esl.Event{event(t, "CHANNEL_DESTROY", "Unique-ID", call)})
	b.within(t, 2*time.Second, `!document.querySelector("#calls tbody tr")`)

	hooks.Disconnected(link, errors.New("the cable was pulled"))
	b.within(t, 2*time.Second, `document.getElementById("status").className == "bad" &&
		document.querySelector('[data-key="connection"] .value')?.className.includes("bad") &&
		document.querySelector('[data-key="connection"] .value')?.textContent.includes("cable")`)
	red := b.eval(t, `getComputedStyle(document.getElementById("status")).backgroundColor`)
	if red != "rgb(255, 223, 220)" && red != "rgb(88, 21, 28)" {
		t.Errorf("the status is %s, not red", red)
	}
	b.call(t, b.session, "Emulation.setEmulatedMedia", map[string]any{
		"features": []map[string]string{{"name": "prefers-color-scheme", "value": "dark"}},
	})
	if got := b.eval(t, `getComputedStyle(document.body).backgroundColor`); got != "rgb(20, 24, 29)" {
		t.Errorf("in the dark the page is %s", got)
	}
	if shot := os.Getenv("PAGE_SHOT"); shot != "" {
		b.shoot(t, shot)
	}
}

func TestPageWithoutJavaScript(t *testing.T) {
	s := serve(t, observability.Config{Mode: observability.Consumer})
	exercise(t, s)
	next := s.stream(t)
	for range 20 { // until a sample has been taken since
		if strings.Contains(next(), "up, 127.0.0.1:8021") {
			break
		}
	}
	b := open(t, "about:blank")
	b.call(t, b.session, "Emulation.setScriptExecutionDisabled", map[string]any{"value": true})
	b.call(t, b.session, "Page.navigate", map[string]any{"url": s.url + "/"})
	var data string
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for range 200 { // until it is parsed to its end
		tree, err := json.Marshal(b.call(t, b.session, "DOM.getDocument", map[string]any{"depth": -1}))
		if err != nil {
			t.Fatal(err)
		}
		if data = string(tree); strings.Contains(data, `"nodeName":"FOOTER"`) {
			break
		}
		<-ticker.C
	}
	for _, want := range []string{"Events per second", "Handler errors", "up, 127.0.0.1:8021", "refresh"} {
		if !strings.Contains(data, want) {
			t.Errorf("no %q", want)
		}
	}
	if strings.Contains(data, `"nodeName":"polyline"`) {
		t.Error("JavaScript ran")
	}
}

// shoot writes a picture of the page to a file.
func (b *browser) shoot(t *testing.T, path string) {
	t.Helper()
	data := b.call(t, b.session, "Page.captureScreenshot", nil)["data"]
	picture, err := base64.StdEncoding.DecodeString(fmt.Sprint(data))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Clean(path), picture, 0o600); err != nil {
		t.Fatal(err)
	}
}
