package headroom

import (
	"math"
	"os"
	"path/filepath"
	"testing"
)

func TestContainerLimit(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string
		want  int64
	}{
		{"no control groups", nil, math.MaxInt64},
		{"no limit", map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "max\n"}, math.MaxInt64},
		{"a container", map[string]string{
			"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "134217728\n"}, 128 << 20},
		{"a unit within a slice with less", map[string]string{
			"proc/self/cgroup": "0::/calls.slice/genesis.service\n",
			"sys/fs/cgroup/calls.slice/genesis.service/memory.max": "1073741824\n",
			"sys/fs/cgroup/calls.slice/memory.max":                 "536870912\n"}, 512 << 20},
		{"version 1", map[string]string{
			"proc/self/cgroup": "5:devices:/\n4:memory:/docker/1a2b\n0::/\n",
			"sys/fs/cgroup/memory/docker/1a2b/memory.limit_in_bytes": "268435456\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes":             "9223372036854771712\n"}, 256 << 20},
		{"version 1 in a container, which sees its own group at the top", map[string]string{
			"proc/self/cgroup":                           "4:memory:/docker/1a2b\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "67108864\n"}, 64 << 20},
		{"what nobody knows how to read", map[string]string{
			"proc/self/cgroup": "nonsense\n0::/\n", "sys/fs/cgroup/memory.max": "much\n"}, math.MaxInt64},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := t.TempDir()
			for name, text := range c.files {
				file := filepath.Join(root, name)
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if got := containerLimit(root); got != c.want {
				t.Errorf("%d bytes, want %d", got, c.want)
			}
		})
	}
}
