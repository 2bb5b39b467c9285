package headroom

import (
	"math"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// containerLimit returns how much memory Linux allows the control groups that this process is in, in bytes: a
// container's, a pod's, a systemd unit's. Without a limit, and on other systems, it is math.MaxInt64. The file system is
// looked at from root.
func containerLimit(root string) int64 {
	groups, err := os.ReadFile(filepath.Join(root, "proc/self/cgroup"))
	if err != nil {
		return math.MaxInt64
	}
	limit := int64(math.MaxInt64)
	for line := range strings.Lines(string(groups)) {
		// "0::/system.slice/genesis.service", or in version 1 "4:memory:/docker/1a2b"
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		dir, file := "sys/fs/cgroup", "memory.max"
		switch parts[1] {
		case "":
		case "memory":
			dir, file = "sys/fs/cgroup/memory", "memory.limit_in_bytes"
		default:
			continue
		}
		// A group has at most what those around it have. In a container its own may stand at the top.
		for group := path.Clean("/" + parts[2]); ; group = path.Dir(group) {
			limit = min(limit, limitIn(filepath.Join(root, dir, group, file)))
			if group == "/" {
				break
			}
		}
	}
	return limit
}

// limitIn reads a limit, which is a number of bytes or "max".
func limitIn(file string) int64 {
	text, err := os.ReadFile(file)
	if err != nil {
		return math.MaxInt64
	}
	limit, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil || limit <= 0 {
		return math.MaxInt64
	}
	return limit
}
