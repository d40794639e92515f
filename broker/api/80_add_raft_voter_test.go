package api

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestRaftVoters covers AddRaftVoter and RemoveRaftVoter: codes and messages are
// those of Apache Kafka 4.3.1 with a static quorum.
func TestRaftVoters(t *testing.T) {
	f := newFixture(t)
	ours := f.Partitions.Image().ClusterID()
	for _, c := range []struct {
		cluster        *string
		id             int32
		directory      [16]byte
		added, removed string
	}{
		{nil, 2, [16]byte{1}, "e35 Cluster doesn't support adding voter because the kraft.version feature is 0", "e35 Cluster doesn't support removing voter because the kraft.version feature is 0"},
		{&ours, testNode, [16]byte{1}, "e35 Cluster doesn't support adding voter because the kraft.version feature is 0", "e35 Cluster doesn't support removing voter because the kraft.version feature is 0"},
		{nil, 2, [16]byte{}, "e42 Add voter request didn't include a valid voter", "e42 Remove voter request didn't include a valid voter"},
		{nil, -1, [16]byte{1}, "e42 Add voter request didn't include a valid voter", "e42 Remove voter request didn't include a valid voter"},
		{kmsg.StringPtr("foo"), -1, [16]byte{}, "e104 The given id \"foo\" doesn't match the cluster id \"" + ours + `"`, "e104 The given id \"foo\" doesn't match the cluster id \"" + ours + `"`},
		{kmsg.StringPtr(""), 2, [16]byte{1}, "e104 The given id \"\" doesn't match the cluster id \"" + ours + `"`, "e104 The given id \"\" doesn't match the cluster id \"" + ours + `"`},
	} {
		f.versions(kmsg.NewPtrAddRaftVoterRequest(), func(v int16) {
			r := kmsg.NewPtrAddRaftVoterRequest()
			r.Version, r.ClusterID, r.VoterID, r.VoterDirectoryID = v, c.cluster, c.id, c.directory
			got := ask[*kmsg.AddRaftVoterResponse](f, r)
			equal(t, "added", fmt.Sprintf("e%d %s", got.ErrorCode, text(got.ErrorMessage)), c.added)
		})
		r := kmsg.NewPtrRemoveRaftVoterRequest()
		r.ClusterID, r.VoterID, r.VoterDirectoryID = c.cluster, c.id, c.directory
		got := ask[*kmsg.RemoveRaftVoterResponse](f, r)
		equal(t, "removed", fmt.Sprintf("e%d %s", got.ErrorCode, text(got.ErrorMessage)), c.removed)
	}
}
