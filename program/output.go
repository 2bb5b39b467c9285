package program

import (
	"context"
	"log/slog"
	"strings"
)

// maxLogged bounds what of a line goes to the log at once.
const maxLogged = 16 << 10

// logStderr logs what a program writes to its stderr, line by line, a very long
// one in several pieces.
func logStderr(log *slog.Logger, p *process) {
	readLines(&outlet{file: p.stderr}, maxLine, func(line []byte, cut int) bool {
		for len(line) > maxLogged {
			logOutput(log, slog.LevelWarn, "stderr", p.pid(), line[:maxLogged], 0)
			line = line[maxLogged:]
		}
		logOutput(log, slog.LevelWarn, "stderr", p.pid(), line, cut)
		return true
	})
}

// logOutput logs a line that a program wrote. Bytes that are no UTF-8 become
// U+FFFD.
func logOutput(log *slog.Logger, level slog.Level, stream string, pid int, line []byte, cut int) {
	text := strings.ToValidUTF8(string(line[:min(len(line), maxLogged)]), "\ufffd")
	attrs := []slog.Attr{slog.String("stream", stream), slog.Int("pid", pid), slog.String("line", text)}
	if left := cut + max(len(line)-maxLogged, 0); left > 0 {
		attrs = append(attrs, slog.Int("bytes_left_out", left))
	}
	log.LogAttrs(context.Background(), level, "program output", attrs...)
}
