package program_test

import (
	"context"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/genesis-esl/genesis/esl"
)

// slowLog is a log that takes long over the first line of a program.
type slowLog struct {
	slog.Handler
	once sync.Once
	time time.Duration
}

func (l *slowLog) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == "program output" {
		l.once.Do(func() { <-time.After(l.time) })
	}
	return l.Handler.Handle(ctx, r)
}

// TestOutputIsReadHoweverLate has a program write line by line, and end,
// while the log is busy: what it left in the pipe is read all the same.
func TestOutputIsReadHoweverLate(t *testing.T) {
	lines := make([]string, 60)
	for i := range lines {
		lines[i] = strings.Repeat("x", 1023)
	}
	lines[len(lines)-1] = "the last line"
	p := actor(t, "says", lines...)
	p.Backoff = time.Hour
	var n notes
	p.Logger = slog.New(&slowLog{Handler: n.logger().Handler(), time: 1500 * time.Millisecond})
	host(t, p, func(context.Context, esl.Handler) error {
		eventually(t, "the program's end", func() bool { return n.contain("is started again") })
		return nil
	})
	// The next process may have begun to write.
	if got := n.lines("stdout"); len(got) < len(lines) || got[len(lines)-1] != "the last line" {
		t.Errorf("%d lines were logged, those of the first process are not complete", len(got))
	}
}

// TestOutputOfWhatIsLeftBehind has a program leave a process behind, out of reach,
// that keeps its pipes open: that holds up the host no longer than a second.
func TestOutputOfWhatIsLeftBehind(t *testing.T) {
	needs(t, "setsid")
	for _, does := range []string{"sleep 20", "while sleep 0.01; do echo still here; done"} {
		p := actor(t, "")
		// The command substitution ends once the process is out of reach.
		p.Path, p.Args = "/bin/sh", []string{"-c", `exec 3>&1; left=$(setsid sh -c 'echo $$; exec >&3; ` + does + `' </dev/null &); echo $left; exit 5`}
		p.Backoff = time.Hour
		var n notes
		p.Logger = n.logger()
		began := time.Now()
		host(t, p, func(context.Context, esl.Handler) error {
			eventually(t, "the program's end", func() bool { return n.contain("exit status 5") })
			return nil
		})
		if took := time.Since(began); took < time.Second || took > 15*time.Second {
			t.Errorf("with %q it took %v", does, took)
		}
		for _, line := range n.lines("stdout") {
			if pid, err := strconv.Atoi(line); err == nil {
				if left, err := os.FindProcess(pid); err == nil {
					_ = left.Kill()
				}
			}
		}
	}
}
