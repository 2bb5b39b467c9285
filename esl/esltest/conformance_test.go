package esltest_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/esl"
	"github.com/genesis-esl/genesis/esl/esltest"
)

// TestConformance holds the simulator to the recordings: it sends what the
// recorded client sent, at the same points, and compares all that comes back.
// What may differ is listed in testdata/differences.txt with the reason; a
// difference that is not listed fails, and so does a listed one that no longer
// exists.
func TestConformance(t *testing.T) {
	listed := loadDifferences(t)
	var mu sync.Mutex
	used := map[string]bool{}
	t.Run("recordings", func(t *testing.T) {
		for _, name := range recordingNames(t) {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				rec := loadRecording(t, name)
				got := replayAgainstSimulator(t, rec)
				for _, diff := range compare(rec, got) {
					line := name + ": " + diff
					pattern := matchDifference(listed, line)
					if pattern == "" {
						t.Error(line)
						continue
					}
					mu.Lock()
					used[pattern] = true
					mu.Unlock()
				}
			})
		}
	})
	for _, pattern := range listed {
		if !used[pattern] && !t.Failed() {
			t.Errorf("listed difference no longer exists: %s", pattern)
		}
	}
}

func loadDifferences(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("testdata/differences.txt")
	if err != nil {
		t.Fatal(err)
	}
	var patterns []string
	for line := range strings.SplitSeq(string(text), "\n") {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			patterns = append(patterns, line)
		}
	}
	return patterns
}

func matchDifference(patterns []string, line string) string {
	line = strings.ReplaceAll(line, "/", "|")
	for _, pattern := range patterns {
		if ok, _ := path.Match(strings.ReplaceAll(pattern, "/", "|"), line); ok {
			return pattern
		}
	}
	return ""
}

// client is the recorded client played again.
type client struct {
	t      *testing.T
	conn   net.Conn
	mu     sync.Mutex
	frames []frame
	more   chan struct{}
	done   chan struct{}
	// disappointed is set once an awaited frame has not come.
	disappointed bool
}

func newClient(t *testing.T, conn net.Conn) *client {
	c := &client{t: t, conn: conn, more: make(chan struct{}, 1), done: make(chan struct{})}
	go c.read()
	return c
}

func (c *client) read() {
	defer close(c.done)
	dec := esl.NewDecoder(c.conn, esl.Limits{})
	for {
		f, err := dec.Next()
		if err != nil {
			return
		}
		parsed, _ := takeApart(f)
		c.mu.Lock()
		c.frames = append(c.frames, parsed)
		c.mu.Unlock()
		select {
		case c.more <- struct{}{}:
		default:
		}
	}
}

func (c *client) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.frames)
}

// await waits until n frames have come, the connection has ended, or three
// seconds have passed: less when frames have failed to come before.
func (c *client) await(n int) {
	patience := 3 * time.Second
	if c.disappointed {
		patience = 100 * time.Millisecond
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for c.count() < n {
		select {
		case <-c.more:
		case <-c.done:
			return
		case <-timer.C:
			c.disappointed = true
			return
		}
	}
}

// settle waits until no frame has come for a while.
func (c *client) settle(quiet time.Duration) {
	for {
		n := c.count()
		timer := time.NewTimer(quiet)
		select {
		case <-c.done:
			timer.Stop()
			return
		case <-timer.C:
		}
		if c.count() == n {
			return
		}
	}
}

func replayAgainstSimulator(t *testing.T, rec *recording) []frame {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	srv := esltest.NewUnstartedServer(stageConfig(rec.name, ln.Addr().String()))
	if err := srv.Start(); err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	st := newStage(ctx, t, srv, rec, ln)
	conn := st.connect()
	defer conn.Close()
	c := newClient(t, conn)
	st.client = c
	for i, s := range rec.steps {
		before := rec.framesBefore(s.offset)
		st.until(before)
		c.await(before)
		switch s.kind {
		case "SEND":
			st.beforeSend(i, s)
			if _, err := io.WriteString(conn, st.adapt(s.data)); err != nil {
				t.Logf("step %d: %v", i, err)
			}
		case "NOTE":
			st.note(s.data)
		case "CLIENTCLOSE":
			c.settle(100 * time.Millisecond)
			conn.Close()
		case "CLOSE":
			select {
			case <-c.done:
			case <-ctx.Done():
				t.Error("the simulator did not close the connection")
			}
		}
	}
	conn.Close()
	<-c.done
	st.finish()
	return c.frames
}

// framesBefore counts the frames that had begun to come at an offset.
func (r *recording) framesBefore(offset int) int {
	n, whole := slices.BinarySearch(r.ends, offset)
	if whole || n > 0 && offset > r.ends[n-1] || n == 0 && offset > 0 {
		n++
	}
	return n
}

// compare returns the differences of two sessions, each in one line.
func compare(rec *recording, got []frame) []string {
	var diffs []string
	n := newNormaliser()
	n.cut = strings.Contains(rec.name, "_all")
	if ordered(rec.name) {
		return compareStream(n, "", rec.frames, got)
	}
	want := streams(rec.frames)
	have := streams(got)
	var keys []string
	for key := range want {
		keys = append(keys, key)
	}
	for key := range have {
		if _, ok := want[key]; !ok {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	for _, key := range keys {
		diffs = append(diffs, compareStream(n, key+" ", want[key], have[key])...)
	}
	return diffs
}

// ordered says that a recording holds one channel at most, so that the order of
// all its frames is compared. Elsewhere the threads of FreeSWITCH interleave
// the events of several channels as they happen to run: there each channel's
// events are compared, in the order of their sequence.
func ordered(name string) bool {
	for _, prefix := range []string{"c_", "d_", "e_", "k2_", "p_", "z_", "g_"} {
		if strings.HasPrefix(name, prefix) {
			return false
		}
	}
	return true
}

// streams sorts frames into those of each channel, those of each event without
// a channel, and replies.
func streams(frames []frame) map[string][]frame {
	names := map[string]string{}
	count := map[string]int{}
	sorted := slices.Clone(frames)
	slices.SortStableFunc(sorted, func(a, b frame) int {
		if a.event == "" || b.event == "" {
			return 0
		}
		return a.sequence - b.sequence
	})
	last := map[string]string{}
	for i := range sorted {
		if sorted[i].uuid != "" {
			last[sorted[i].uuid] = sorted[i].name
		}
	}
	out := map[string][]frame{}
	roles := map[string]string{}
	for _, f := range sorted {
		key := "replies"
		switch {
		case f.uuid != "" && f.event != "CUSTOM" && f.event != "PRESENCE_IN":
			if names[f.uuid] == "" {
				name := last[f.uuid]
				count[name]++
				names[f.uuid] = fmt.Sprintf("%s #%d", name, count[name])
			}
			key = names[f.uuid]
		case f.event != "":
			key = f.label()
		case f.kind == "log/data":
			key = "log " + logged(&f, roles)
		}
		out[key] = append(out[key], f)
	}
	return out
}

// logged says which channel a log line is of.
func logged(f *frame, roles map[string]string) string {
	uuid := f.get("User-Data")
	if uuid != "" && roles[uuid] == "" {
		roles[uuid] = fmt.Sprintf("of channel %d", len(roles))
	}
	return roles[uuid]
}

func compareStream(n *normaliser, prefix string, want, got []frame) []string {
	var diffs []string
	for _, pair := range align(want, got) {
		switch {
		case pair.got < 0:
			diffs = append(diffs, fmt.Sprintf("%sframe %d %s: missing", prefix, pair.want, want[pair.want].label()))
		case pair.want < 0:
			diffs = append(diffs, fmt.Sprintf("%safter frame %d: extra %s", prefix, pair.after, got[pair.got].label()))
		default:
			label := fmt.Sprintf("%sframe %d %s: ", prefix, pair.want, want[pair.want].label())
			for _, d := range n.compare(&want[pair.want], &got[pair.got]) {
				diffs = append(diffs, label+d)
			}
		}
	}
	return diffs
}

// match is one step of an alignment; -1 stands for nothing.
type match struct{ want, got, after int }

// align pairs frames of the same kind, in order, leaving out as few as it can.
func align(want, got []frame) []match {
	same := func(i, j int) bool { return want[i].alignKey() == got[j].alignKey() }
	table := make([][]int, len(want)+1)
	for i := range table {
		table[i] = make([]int, len(got)+1)
	}
	for i := len(want) - 1; i >= 0; i-- {
		for j := len(got) - 1; j >= 0; j-- {
			if same(i, j) {
				table[i][j] = table[i+1][j+1] + 1
			} else {
				table[i][j] = max(table[i+1][j], table[i][j+1])
			}
		}
	}
	var out []match
	i, j := 0, 0
	for i < len(want) && j < len(got) {
		switch {
		case same(i, j):
			out = append(out, match{i, j, i})
			i++
			j++
		case table[i+1][j] >= table[i][j+1]:
			out = append(out, match{i, -1, i})
			i++
		default:
			out = append(out, match{-1, j, i - 1})
			j++
		}
	}
	for ; i < len(want); i++ {
		out = append(out, match{i, -1, i})
	}
	for ; j < len(got); j++ {
		out = append(out, match{-1, j, i - 1})
	}
	return out
}

func (f *frame) alignKey() string {
	key := f.kind + " " + f.event + " " + f.subclass
	for _, h := range f.headers {
		if f.kind == "log/data" && (h.Name == "Log-Func" || h.Name == "Log-Line") || h.Name == "Application" || h.Name == "Action" || h.Name == "Content-Disposition" {
			key += " " + h.Value
		}
	}
	return key
}
