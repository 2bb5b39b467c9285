package observability

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/genesis-esl/genesis/esl"
)

// quiet is how long drops of one reason must pause before they are logged again.
const quiet = 10 * time.Second

// lifecycle writes one log line for each step of a connection's life.
type lifecycle struct {
	log *slog.Logger
	now func() time.Time

	mu      sync.Mutex
	retries int
	drops   map[string]time.Time // the last of each reason
	phase   phase
	why     string // the last loss or failure to connect, without secrets
}

func newLifecycle(log *slog.Logger, now func() time.Time) *lifecycle {
	return &lifecycle{log: log, now: now, drops: map[string]time.Time{}}
}

// connected logs connections other than a client's event connection, which up
// tells more of.
func (l *lifecycle) connected(ctx context.Context, info esl.ConnInfo) {
	level := slog.LevelDebug
	if info.Role == "" {
		level = slog.LevelInfo
	}
	l.log.Log(ctx, level, "connected", "type", info.Type, "role", info.Role, "remote", info.Remote)
}

func (l *lifecycle) disconnected(info esl.ConnInfo, err error) {
	fields := []any{"type", info.Type, "role", info.Role, "remote", info.Remote, "error", err}
	if err != nil && isEvents(info) {
		l.mu.Lock()
		l.why = scrub(err.Error())
		l.mu.Unlock()
	}
	switch {
	case err == nil || errors.Is(err, esl.ErrClosed) || info.Type == outbound && lossError(outbound, err) == "":
		l.log.Debug("disconnected", fields...)
	default:
		l.log.Warn("connection lost", fields...)
	}
}

// retry logs the first wait of an outage, then the second, the fourth and so on: an
// outage of a night is a dozen lines, not a hundred thousand.
func (l *lifecycle) retry(wait time.Duration, err error) {
	l.mu.Lock()
	l.retries++
	n := l.retries
	if err != nil {
		l.why = scrub(err.Error())
	}
	l.mu.Unlock()
	if n&(n-1) == 0 {
		l.log.Warn("cannot connect to FreeSWITCH, trying again", "in", wait.Round(time.Millisecond), "attempt", n, "error", err)
	}
}

func (l *lifecycle) up(u esl.Up) {
	l.mu.Lock()
	l.retries = 0
	l.mu.Unlock()
	if u.First {
		l.log.Info("connected to FreeSWITCH", "remote", u.Remote, "core_uuid", u.CoreUUID)
		return
	}
	fields := []any{"remote", u.Remote, "core_uuid", u.CoreUUID, "down", u.Down.Round(time.Millisecond),
		"restarted", u.Restarted}
	if u.MissedUnknown {
		fields = append(fields, "missed_at_most", "unknown")
	} else {
		fields = append(fields, "missed_at_most", u.MissedAtMost)
	}
	l.log.Info("connected to FreeSWITCH again", fields...)
}

// reason returns why there is no connection.
func (l *lifecycle) reason() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.why
}

// dropped logs the first drop of an episode.
func (l *lifecycle) dropped(reason string, n int) {
	l.mu.Lock()
	now := l.now()
	last, before := l.drops[reason]
	if len(l.drops) < maxReasons || before {
		l.drops[reason] = now
	}
	l.mu.Unlock()
	if !before || now.Sub(last) > quiet {
		l.log.Warn("events are dropped", "reason", reason, "events", n)
	}
}

func (l *lifecycle) stalled(stalled bool) {
	if stalled {
		l.log.Warn("the app is behind: no more events are read until it has caught up")
		return
	}
	l.log.Info("the app has caught up: events are read again")
}

// stands logs when the process comes to work and when it no longer does, which no
// hook tells: that HEARTBEATs stay out is seen by the clock alone.
func (l *lifecycle) stands(p phase, why string) {
	l.mu.Lock()
	before := l.phase
	l.phase = p
	l.mu.Unlock()
	switch {
	case p == before:
	case p == noInfo:
		l.log.Warn("unhealthy", "reason", why)
	case p == working:
		l.log.Info("healthy")
	}
}

// refused logs that FreeSWITCH does not let us in, which trying again does not mend.
func (l *lifecycle) refused(ctx context.Context, info esl.ConnInfo, err error) {
	if errors.Is(err, esl.ErrAuthentication) || errors.Is(err, esl.ErrAccessDenied) {
		l.log.ErrorContext(ctx, "FreeSWITCH refuses the connection", "remote", info.Remote, "error", err)
	}
}
