package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	next := path + "~" // as editors do: never a half-written file
	if err := os.WriteFile(next, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, path); err != nil {
		t.Fatal(err)
	}
}

const standing = `package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGTERM, os.Interrupt)
	fmt.Println("version VERSION runs")
	fmt.Println("version VERSION got", <-c)
}
`

func TestDevRebuilds(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "go.mod"), "module app\n", 0o644)
	source := filepath.Join(dir, "main.go")
	write(t, source, strings.ReplaceAll(standing, "VERSION", "1"), 0o644)
	built := t.TempDir()
	t.Setenv("TMPDIR", built)
	executables := func(when string, want int) {
		t.Helper()
		if dirs, err := filepath.Glob(filepath.Join(built, "genesis-*")); err != nil || len(dirs) != want {
			t.Errorf("%s: built executables in %v, %v; want %d", when, dirs, err, want)
		}
	}
	app := startGenesis(t, "consumer", "dev", dir)
	app.stdout.match(t, "version 1 runs")

	write(t, source, "package main\n\nfunc main() { nonsense() }\n", 0o644)
	app.stderr.match(t, "undefined: nonsense")
	app.stderr.match(t, "keeping the app that runs")
	if strings.Contains(app.stdout.String(), "version 1 got") {
		t.Error("the app was stopped for a change that does not build")
	}
	executables("after a failed build", 1)
	write(t, source, strings.ReplaceAll(standing, "VERSION", "2"), 0o644)
	app.stdout.match(t, "version 1 got terminated\nversion 2 runs")
	executables("after a restart", 1)
	app.stop()
	executables("in the end", 0)
	app.stdout.match(t, "version 2 got terminated")
}

// Whoever builds an executable in place removes it and then writes it: what cannot be started yet is waited for.
func TestDevWaitsForItsExecutable(t *testing.T) {
	app, err := os.ReadFile(os.Args[0]) // genesis is built on this library, as the app of a user is
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("ESL_APP_PORT", "0")
	for mode, runs := range map[string]string{"consumer": "connecting to FreeSWITCH", "outbound": "awaiting FreeSWITCH"} {
		path := filepath.Join(t.TempDir(), "app")
		write(t, path, string(app), 0o755)
		p := startGenesis(t, mode, "dev", "--simulate", path, "--", mode)
		p.stderr.match(t, runs)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		p.stderr.match(t, "the app does not start, waiting for the next change.*no such file or directory")
		begun := strings.Count(p.stderr.String(), runs)
		file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o755)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.Write(app); err != nil {
			t.Fatal(err)
		}
		p.stderr.match(t, "the app does not start, waiting for the next change.*text file busy")
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
		p.stderr.until(t, "the new app", func(log string) bool { return strings.Count(log, runs) > begun })
		p.stop()
	}
}

// An app that ends by itself awaits a change; stopping then is stopping on request.
func TestDevStopsAfterACrash(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "go.mod"), "module app\n", 0o644)
	write(t, filepath.Join(dir, "main.go"), "package main\n\nimport \"os\"\n\nfunc main() { os.Exit(3) }\n", 0o644)
	for _, sig := range []os.Signal{syscall.SIGTERM, os.Interrupt} {
		app := startGenesis(t, "consumer", "dev", dir)
		app.stderr.match(t, "the app has ended, a change starts it again.*exit_code=3")
		app.signal(sig)
		if code := app.wait(); code != 0 {
			t.Errorf("exit code %d after %v, want 0", code, sig)
		}
	}
}

// A signal can come before an app has made itself ready for it, and ends it: that is stopping on request as well.
func TestStopsAnAppThatIsNotReady(t *testing.T) {
	heedSIGHUP(t)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "go.mod"), "module app\n", 0o644)
	write(t, filepath.Join(dir, "main.go"), "package main\n\nimport \"time\"\n\nfunc main() {\n\tprintln(\"runs\")\n\ttime.Sleep(time.Hour)\n}\n", 0o644)
	for _, how := range []string{"run", "dev"} {
		for _, sig := range []os.Signal{syscall.SIGTERM, os.Interrupt, syscall.SIGHUP} {
			app := startGenesis(t, "consumer", how, dir)
			app.stderr.match(t, "runs")
			app.signal(sig)
			if code := app.wait(); code != 0 {
				t.Errorf("%s: exit code %d after %v, want 0", how, code, sig)
			}
		}
	}
}

// A stop ends a build that is under way, which then has not failed.
func TestDevStopsWhileItBuilds(t *testing.T) {
	dir, tools := t.TempDir(), t.TempDir()
	write(t, filepath.Join(dir, "go.mod"), "module app\n", 0o644)
	source := filepath.Join(dir, "main.go")
	write(t, source, strings.ReplaceAll(standing, "VERSION", "1"), 0o644)
	path := os.Getenv("PATH")
	t.Setenv("PATH", tools+string(os.PathListSeparator)+path)
	write(t, filepath.Join(tools, "go"), fmt.Sprintf("#!/bin/sh\nPATH=%s go \"$@\"\n", path), 0o755)
	app := startGenesis(t, "consumer", "dev", dir)
	app.stdout.match(t, "version 1 runs")
	write(t, filepath.Join(tools, "go"), "#!/bin/sh\necho building >&2\nexec sleep 1000\n", 0o755)
	write(t, source, strings.ReplaceAll(standing, "VERSION", "2"), 0o644)
	app.stderr.match(t, "building")
	app.stop()
	if log := app.stderr.String(); strings.Contains(log, "level=ERROR") {
		t.Errorf("a stop is told as an error:\n%s", log)
	}
}

// While there is no app its ports answer all the same: nobody hangs.
func TestDevAnswersForACrashedApp(t *testing.T) {
	t.Setenv("ESL_APP_PORT", "0")
	app, err := os.ReadFile(os.Args[0]) // genesis itself stands for an app
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "app")
	write(t, path, string(app), 0o755)
	p := startGenesis(t, "outbound", "dev", path, "--", "outbound")
	addr := p.stderr.match(t, `msg="awaiting FreeSWITCH".* address=(\S+)`)
	pid := strings.TrimSpace(children(t, p.cmd.Process.Pid))
	leader, err := strconv.Atoi(pid)
	if err != nil {
		t.Fatal(err)
	}
	if child, err := os.FindProcess(leader); err != nil || child.Kill() != nil {
		t.Fatalf("the app cannot be killed: %v", err)
	}
	p.stderr.match(t, "the app has ended, a change starts it again.*exit_code=137")
	await(t, p.url()+"/ready", 503, patience)
	if report := load(t, addr, "--calls", "3"); report.Answered != 0 || report.Ended+report.Failed+report.Refused+report.Cut == 0 {
		t.Errorf("without an app:\n%v", report)
	}
	write(t, path, string(app), 0o755)
	p.stderr.until(t, "a new app", func(log string) bool { return strings.Count(log, "awaiting FreeSWITCH") == 2 })
	await(t, p.url()+"/ready", 200, patience)
	if report := load(t, addr, "--calls", "3", "--call-duration", "100ms"); report.Answered != 3 {
		t.Errorf("with a new app:\n%v", report)
	}
	p.stop()
}

// A stop may take an hour: calls that come meanwhile are refused, as by an app without dev, and do not wait for its end.
func TestDevRefusesCallsWhileItStops(t *testing.T) {
	t.Setenv("ESL_APP_PORT", "0")
	t.Setenv("GENESIS_SHUTDOWN_TIMEOUT", "1h")
	for _, how := range [][]string{{"dev"}, {"run", "--simulate"}} {
		p := startGenesis(t, slices.Concat([]string{"outbound"}, how, []string{os.Args[0], "--", "outbound", "--execute", "sleep:3600000"})...)
		addr := p.stderr.match(t, `msg="awaiting FreeSWITCH".* address=(\S+)`)
		startGenesis(t, "simulate", "--port", "0", "--outbound", addr, "--calls", "1", "--call-duration", "1h")
		for url := p.url(); metrics(t, url, "genesis_connections_active", "")[""] == 0; {
		}
		p.signal(syscall.SIGTERM)
		p.stderr.match(t, "msg=stopping")
		refused := func() bool {
			conn, err := net.Dial("tcp", addr)
			if err == nil {
				_ = conn.Close()
			}
			return errors.Is(err, syscall.ECONNREFUSED)
		}
		for began := time.Now(); !refused(); <-time.After(10 * time.Millisecond) {
			if time.Since(began) > 5*time.Second {
				t.Errorf("%v: calls are not refused while it stops", how)
				break
			}
		}
		select {
		case <-p.ended:
			t.Errorf("%v: the call in progress was not waited for", how)
		default:
		}
		p.signal(syscall.SIGTERM)
		p.wait()
	}
}

// What a stop waits for is told, also when it is the calls of an app that another one has replaced, which then has ended.
func TestDevTellsWhatItWaitsFor(t *testing.T) {
	t.Setenv("ESL_APP_PORT", "0")
	app, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "app")
	write(t, path, string(app), 0o755)
	p := startGenesis(t, "outbound", "dev", path, "--", "outbound", "--execute", "sleep:3600000")
	addr := p.stderr.match(t, `msg="awaiting FreeSWITCH".* address=(\S+)`)
	first := strings.Fields(children(t, p.cmd.Process.Pid))
	startGenesis(t, "simulate", "--port", "0", "--outbound", addr, "--calls", "1", "--call-duration", "1h")
	for url := p.url(); metrics(t, url, "genesis_connections_active", "")[""] == 0; {
	}
	write(t, path, string(app), 0o755)
	p.stderr.until(t, "a new app", func(log string) bool { return strings.Count(log, "awaiting FreeSWITCH") == 2 })
	for _, pid := range strings.Fields(children(t, p.cmd.Process.Pid)) {
		if number, err := strconv.Atoi(pid); err != nil || !slices.Contains(first, pid) && syscall.Kill(number, syscall.SIGKILL) != nil {
			t.Fatalf("the new app %s cannot be killed", pid)
		}
	}
	p.stderr.match(t, "the app has ended, a change starts it again.*exit_code=137")
	p.signal(syscall.SIGTERM)
	p.stderr.match(t, "calls in progress are finished first, a second signal ends them at once.*timeout=1h")
	p.insist(syscall.SIGTERM)
}

// children are the processes that a process has started, from all of its threads.
func children(t *testing.T, pid int) (pids string) {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil || len(files) == 0 {
		t.Skip("the system does not list the children of a process")
	}
	for _, file := range files {
		if text, err := os.ReadFile(file); err == nil { // else the thread has ended
			pids += string(text)
		}
	}
	return pids
}

// A program reads the events; what it writes to its file tells which process handled which event.
const noting = `#!/bin/sh
# version %d
while IFS= read -r line; do
	case $line in *SHOUT*) printf '%%s\n' "$line" >>%s ;; esac
done
`

func TestDevKeepsTheConnection(t *testing.T) {
	const saves, calls = 20, 200
	dir := t.TempDir()
	program, noted := filepath.Join(dir, "app.sh"), filepath.Join(t.TempDir(), "noted")
	write(t, program, fmt.Sprintf(noting, 0, noted), 0o755)
	scenario := filepath.Join(t.TempDir(), "scenario.yaml")
	write(t, scenario, fmt.Sprintf(`
heartbeat: 100ms
events:
  - {after: 3s, every: 20ms, count: %d, name: "app::SHOUT"}
`, calls), 0o644)
	sim := startGenesis(t, "simulate", "--port", "0", "--scenario", scenario)
	app := startGenesis(t, "consumer", "dev", "--event", "app::SHOUT", "--port", port(sim.stderr.match(t, `address=(\S+)`)), program)
	await(t, app.url()+"/ready", 200, patience)
	for i := range saves {
		write(t, program, fmt.Sprintf(noting, i+1, noted), 0o755)
		app.stderr.until(t, "restart "+strconv.Itoa(i+1), func(text string) bool {
			return strings.Count(text, "changed, restarting the program") > i
		})
	}
	count := func() int {
		text, err := os.ReadFile(noted)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		return strings.Count(string(text), "\n")
	}
	app.stderr.until(t, "all events", func(string) bool { return true })
	for url := app.url(); metrics(t, url, "genesis_events_received_total", "event_name")["CUSTOM"] < calls; {
	}
	app.stop()
	if n := count(); n != calls {
		t.Errorf("%d events handled over %d restarts, want %d", n, saves, calls)
	}
	text, err := os.ReadFile(noted)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if seen[line] {
			t.Errorf("handled twice: %s", line)
		}
		seen[line] = true
	}
	if strings.Count(app.stderr.String(), "connected to FreeSWITCH") != 1 {
		t.Error("the connection was not kept")
	}
	sim.stop()
}
