package broker

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/broker/config"
	"blumfeld/controller"
)

// lastingStore outlives the broker that closes it.
type lastingStore struct{ controller.Store }

func (lastingStore) Close() error { return nil }

// TestLeaderEpochAfterACrash: an orderly stop changes no leader epoch, a crash
// begins a new one.
func TestLeaderEpochAfterACrash(t *testing.T) {
	store := lastingStore{controller.NewMemStore()}
	dir := t.TempDir()
	epoch := func(begin func(c *client)) int32 {
		t.Helper()
		r := run(t, config.Properties{"log.dirs": dir}, "", store)
		c := r.dial()
		begin(c)
		got := ask[*kmsg.MetadataResponse](c, metadataOf("epochs")).Topics[0].Partitions[0].LeaderEpoch
		ask[*kmsg.ProduceResponse](c, produceRequest("epochs", 0, 1, someBatch(1, 10)))
		if err := r.end(); err != nil {
			t.Fatal(err)
		}
		return got
	}
	first := epoch(func(c *client) { c.createTopic("epochs", 1) })
	if again := epoch(func(*client) {}); again != first {
		t.Errorf("epoch %d after an orderly stop, was %d", again, first)
	}
	// What a crash leaves: no marker.
	if err := os.Remove(filepath.Join(dir, ".kafka_cleanshutdown")); err != nil {
		t.Fatal(err)
	}
	if after := epoch(func(*client) {}); after != first+1 {
		t.Errorf("epoch %d after a crash, was %d", after, first)
	}
}
