package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// AddRaftVoter, key 80, versions 0 and 1: KIP-853. The quorum is static: what
// Kafka answers while kraft.version is 0, which is truer than not to know the
// request, since kafka-metadata-quorum then says why it cannot be.
//
// Deviation: Kafka also refuses a voter that lacks the endpoint of the
// controller's listener; there is no such listener here.

func addRaftVoter(_ context.Context, d *Deps, r *Request) Reply {
	in := r.Body.(*kmsg.AddRaftVoterRequest)
	out := in.ResponseKind().(*kmsg.AddRaftVoterResponse)
	err := refuseVoter(d, "Add", "adding", in.ClusterID, in.VoterID, in.VoterDirectoryID)
	out.ErrorCode, out.ErrorMessage = code(err), message(err)
	return answer(out)
}

// refuseVoter says why a voter cannot be added or removed, in the words of the
// request for it.
func refuseVoter(d *Deps, request, doing string, clusterID *string, id int32, directory [16]byte) error {
	ours := d.Partitions.Image().ClusterID()
	switch {
	case clusterID != nil && *clusterID != ours:
		return refusal(kerr.InconsistentClusterID, "The given id %q doesn't match the cluster id %q", *clusterID, ours)
	case id < 0 || directory == [16]byte{}:
		return refusal(kerr.InvalidRequest, "%s voter request didn't include a valid voter", request)
	}
	return refusal(kerr.UnsupportedVersion, "Cluster doesn't support %s voter because the kraft.version feature is 0", doing)
}
