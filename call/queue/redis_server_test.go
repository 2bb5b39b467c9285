package queue_test

import (
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/genesis-esl/genesis/internal/testbed"
)

// cluster makes a server a Redis Cluster of one node; it was started with cluster-enabled.
func cluster(t *testing.T, s *testbed.Redis) *redis.ClusterClient {
	t.Helper()
	node := redis.NewClient(s.Options())
	defer node.Close()
	if err := node.ClusterAddSlotsRange(testContext(t), 0, 16383).Err(); err != nil {
		t.Fatal(err)
	}
	for info := ""; !strings.Contains(info, "cluster_state:ok"); {
		var err error
		if info, err = node.ClusterInfo(testContext(t)).Result(); err != nil {
			t.Fatal(err)
		}
	}
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{s.Addr}, ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// save writes a snapshot, to which the server goes back when it is killed.
func save(t *testing.T, s *testbed.Redis) {
	t.Helper()
	client := redis.NewClient(s.Options())
	defer client.Close()
	if err := client.Save(testContext(t)).Err(); err != nil {
		t.Fatal(err)
	}
}
