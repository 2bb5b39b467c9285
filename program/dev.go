package program

import (
	"context"
	"path/filepath"
	"slices"

	"github.com/genesis-esl/genesis/program/watch"
)

// sources are the endings of files that a program can be made of. What it writes
// itself, such as records and logs, must not restart it.
var sources = []string{
	".py", ".js", ".mjs", ".cjs", ".ts", ".rb", ".sh", ".bash", ".pl", ".php", ".lua", ".jq", ".awk", ".jar", ".exs",
	".json", ".yaml", ".yml", ".toml", ".ini", ".conf", ".env",
}

// RestartOnChange restarts the program whenever its file or another source file in
// its directory or below changes, until ctx ends; then it returns nil. Run must be
// running. The connection stays up meanwhile, and events wait.
func (c *Consumer) RestartOnChange(ctx context.Context) error {
	path, err := filepath.Abs(c.Path)
	if err != nil {
		return err
	}
	opts := watch.Options{Match: func(changed string) bool {
		return changed == path || slices.Contains(sources, filepath.Ext(changed))
	}}
	return watch.Tree(ctx, filepath.Dir(path), opts, nil, func(paths []string) {
		c.logger().InfoContext(ctx, "files changed, the program is restarted", "program", c.Path, "files", paths)
		_ = c.Restart(ctx) // fails when ctx ends
	})
}
